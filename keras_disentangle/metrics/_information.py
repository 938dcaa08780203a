"""Entropies and mutual information of discrete variables, with frequencies as probabilities."""

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.metrics._validation import check_factors, check_matrix


def discretize(codes, num_bins):
    """The index, from 0, of each code's bin: bins of equal width between minimum and maximum.

    Args:
        codes: array (n, d).
        num_bins: number of bins of each dimension.

    Returns:
        Integer array (n, d).

    Raises:
        ValueError: if `codes` are not a finite matrix, or there are fewer samples than bins.
    """
    codes = check_matrix("codes", codes)
    num_bins = check_int("num_bins", num_bins)
    if len(codes) < num_bins:
        raise ValueError(
            f"`codes` must hold at least `num_bins`={num_bins} samples. "
            f"Received: codes.shape={codes.shape}"
        )
    return np.stack([_discretize(code, num_bins) for code in codes.T], axis=1)


def codes_and_factors(codes, factors, num_bins):
    """Mutual information (d, k) of binned codes and factors, and the factors' entropy (k,)."""
    bins = discretize(codes, num_bins)
    return mutual_information_matrix(bins, check_factors(factors, len(bins), reference="codes"))


def told_shares(codes, factors, num_bins=20):
    """Which share of each factor's entropy each dimension of codes tells, (d, k)."""
    information, entropy = codes_and_factors(codes, factors, num_bins)
    # A constant factor has neither.
    return information / np.maximum(entropy, 1e-9)


def most_told(shares, names):
    """The factor of which a dimension tells the largest of its shares (k,), as "shape 98%"."""
    best = int(np.argmax(shares))
    return f"{names[best]} {100 * shares[best]:.0f}%"


def mutual_information_matrix(a, b):
    """Mutual information (d, k) between the columns of two integer arrays, `a` (n, d), with values
    from 0, and `b` (n, k); and the entropy (k,) of the columns of `b`; both in nats."""
    information = np.empty((a.shape[1], b.shape[1]))
    entropy = np.empty(b.shape[1])
    for k, factor in enumerate(b.T):
        values, index = np.unique(factor, return_inverse=True)
        entropy[k] = _entropy(np.bincount(index))
        for j, code in enumerate(a.T):
            joint = np.bincount(code * len(values) + index)
            joint = np.pad(joint, (0, -len(joint) % len(values))).reshape(-1, len(values))
            information[j, k] = _entropy(joint.sum(axis=1)) + entropy[k] - _entropy(joint)
    # The difference of entropies may fall below 0 by rounding.
    return np.maximum(information, 0.0), entropy


def _discretize(code, num_bins):
    spread = code.max() - code.min()
    if spread <= num_bins * np.spacing(np.abs(code).max()):
        # A code this narrow has no num_bins distinct edges in its own precision: it is constant.
        return np.zeros(len(code), np.int64)
    edges = np.histogram_bin_edges(code, num_bins)
    # The last edge is left out so that the maximum falls into the last bin.
    return np.searchsorted(edges[:-1], code, side="right") - 1


def _entropy(counts):
    """Entropy in nats of the distribution with these counts."""
    probabilities = counts[counts > 0] / counts.sum()
    return -np.sum(probabilities * np.log(probabilities))
