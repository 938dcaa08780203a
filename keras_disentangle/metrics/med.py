"""MED: DCI's disentanglement and completeness, of mutual information."""

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.metrics._concentration import concentration, concentration_of_rows
from keras_disentangle.metrics._information import codes_and_factors
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def med(codes, factors, top_k=None, *, num_bins=20):
    """MED: do dimensions and factors correspond one to one, by their mutual information?

    The importance of dimension `j` for factor `k` is `I(z_j; v_k)` as a share of its sum over
    dimensions; of these importances, disentanglement and completeness are those of `dci`, which
    fits a predictor instead. Top-k MED first picks, for each factor, the `top_k` most disentangled
    of the dimensions that know most about it, so that a wide code, such as a feature vector of
    hundreds of dimensions, can be compared with one of few.

    Args:
        codes: array (n, d), the latent codes, discretised as in `mutual_information`.
        factors: integer array (n, k), the ground-truth factors. A factor that is constant is left
            out.
        top_k: `None`, for all dimensions, or how many dimensions of a factor are picked.
        num_bins: the number of bins of each code.

    Returns:
        A dict of floats in [0, 1]: `"disentanglement"` and `"completeness"`. Both are 0 when no
        factor varies or no dimension has any information. With a single varying factor,
        disentanglement is 1, with a single dimension, completeness is 1. Since importances are
        shares, a factor that the codes do not know counts as much as one that they know: what
        chance tells about it in a finite sample is blown up to a sum of 1.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the lengths differ, if
            `factors` are not integers, if `top_k` is not a positive integer, or if there are fewer
            samples than bins.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(10_000, 2))
    >>> codes = np.tile(factors, 3) + np.linspace(0, 0.01, 6)  # three of a factor
    >>> kd.metrics.med(codes, factors)["completeness"]
    0.39
    >>> kd.metrics.med(codes, factors, top_k=1)["completeness"]
    1.00

    Reference: Cao et al., An Empirical Study on Disentanglement of Negative-free Contrastive
    Learning, 2022.
    """
    top_k = None if top_k is None else check_int("top_k", top_k)
    information, entropy = codes_and_factors(codes, factors, num_bins)
    information = information[:, entropy > 0]
    if not information.size:
        return {"disentanglement": 0.0, "completeness": 0.0}
    total = information.sum(axis=0)
    importance = information / np.where(total > 0, total, 1)
    if top_k is not None:
        importance = importance[_picked(importance, top_k)]
    return {
        "disentanglement": concentration(importance),
        "completeness": concentration(importance.T),
    }


def _picked(importance, top_k):
    """The dimensions (m,) that are the most disentangled ones of their factors."""
    best = importance.argmax(axis=1)
    order = np.argsort(-concentration_of_rows(importance), kind="stable")
    picked = [order[best[order] == k][:top_k] for k in range(importance.shape[1])]
    return np.sort(np.concatenate(picked))


declare(
    med,
    scores=[
        Score("med_disentanglement", "disentanglement", random=0, one_to_one=1, tolerance=0.05),
        Score("med_completeness", "completeness", random=0, one_to_one=1, tolerance=0.05),
    ],
    interval="resamples",
)
