"""How concentrated importances are, which DCI and MED share."""

import numpy as np

_TINY = 1e-11  # in the logarithm of an importance of 0: disentanglement_lib's value


def concentration_of_rows(importance):
    """1 - the entropy of each row (n,) of importances (n, m) in units of its maximum."""
    if importance.shape[1] == 1:
        return np.ones(len(importance))
    shares = importance + _TINY
    shares /= shares.sum(axis=1, keepdims=True)
    return 1 + np.sum(shares * np.log(shares), axis=1) / np.log(importance.shape[1])


def concentration(importance):
    """The concentration of rows, averaged by the rows' sums; 0 if all importances are 0."""
    weights = importance.sum(axis=1)
    if not weights.any():
        return 0.0
    return float(np.average(concentration_of_rows(importance), weights=weights))
