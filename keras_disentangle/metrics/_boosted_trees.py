"""Gradient boosted trees on binned features, with the importance of each feature."""

import numpy as np
from scipy import sparse
from scipy.special import expit, softmax

_ITERATIONS, _DEPTH, _RATE = 100, 3, 0.1  # scikit-learn's defaults
_QUANTILES = 256
_EXACT = 1024  # Features of up to so many values are split between any two of them.
_TIE = 1e-9  # Gains that differ by this share of themselves are equal up to rounding.


def boosted_trees(features, labels, held_out, seed):
    """Fits a classifier to some rows; returns feature importances and predictions for all rows.

    The algorithm, its settings and the importances are those of scikit-learn's
    `GradientBoostingClassifier`: trees of depth 3 for the residuals of each class, Newton's step in
    their leaves. The difference: splits of a feature with more than 1024 values are searched
    between 256 quantiles, for the trees of all classes at once.

    Args:
        features: float array (n, d).
        labels: integer array (n,), of at least two values in the rows used for fitting.
        held_out: boolean array (n,): the rows not used for fitting.
        seed: seed of the choice between features that split equally well.

    Returns:
        Importances (d,): how much splits along a feature reduce the squared error of the residuals,
        as shares of 1; and the predicted labels (n,).

    Reference: Friedman, Greedy Function Approximation: A Gradient Boosting Machine, 2001, algorithm
    6.
    """
    rng = np.random.default_rng(seed)
    train = ~held_out
    classes, target = np.unique(labels[train], return_inverse=True)
    target = np.eye(len(classes))[target]
    prior, activation = np.log(target.mean(axis=0)), softmax
    if len(classes) == 2:  # One tree decides between them.
        target, prior, activation = target[:, 1:], prior[1:] - prior[0], _logistic
    scores = np.tile(prior, (len(labels), 1))
    bins = _quantile_bins(features, train)
    histograms = _histograms(bins[train])
    importance = np.zeros(features.shape[1])
    for _ in range(_ITERATIONS):
        p = activation(scores[train], axis=1)
        leaves, gains = _grow(target - p, histograms, bins, train, rng)
        importance += gains
        step = _sum_by_leaf(target - p, leaves[train]) / np.maximum(
            _sum_by_leaf(p * (1 - p), leaves[train]), 1e-150
        )
        if len(classes) > 2:
            step *= (len(classes) - 1) / len(classes)
        scores += _RATE * np.take_along_axis(step, leaves, axis=0)
    best = scores.argmax(axis=1) if len(classes) > 2 else (scores[:, 0] > 0).astype(int)
    return importance / (importance.sum() or 1.0), classes[best]


def _grow(residual, histograms, bins, train, rng):
    """Fits a tree to each column of `residual` (n, t).

    Returns:
        The leaf of every row in each tree, (all rows, t), and gains, summed by feature (d,).
    """
    num_trees = residual.shape[1]
    trees, rows = np.arange(num_trees), np.arange(len(bins))[:, None]
    nodes = np.zeros((len(bins), num_trees), np.int64)
    # By tree, node, feature and bin.
    sums = histograms(residual)[:, None]
    counts = np.repeat(histograms(np.ones((len(residual), 1)))[None], num_trees, axis=0)
    gains = np.zeros(bins.shape[1])
    for level in range(_DEPTH):
        feature, threshold, gain = _best_splits(sums, counts, rng)
        np.add.at(gains, feature, gain)
        right = bins[rows, feature[trees, nodes]] > threshold[trees, nodes]
        nodes = 2 * nodes + right
        if level == _DEPTH - 1:
            return nodes, gains
        # Left children are counted; the right ones have the rest.
        left = nodes[train][:, :, None] == 2 * np.arange(2**level)
        inner = (len(residual), -1)
        left_sums = histograms((residual[:, :, None] * left).reshape(inner)).reshape(sums.shape)
        left_counts = histograms(left.reshape(inner).astype(float)).reshape(sums.shape)
        sums = _interleave(left_sums, sums - left_sums)
        counts = _interleave(left_counts, counts - left_counts)


def _interleave(left, right):
    """Children side by side in the order of the nodes' numbers."""
    return np.stack([left, right], axis=2).reshape(len(left), -1, *left.shape[2:])


def _best_splits(sums, counts, rng):
    """The feature, the last bin to the left, and the gain of each node's best split, (t, nodes)."""
    left, num_left = np.cumsum(sums, axis=-1), np.cumsum(counts, axis=-1)
    total, num = left[..., -1:], num_left[..., -1:]
    num_right = num - num_left
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = left**2 / num_left + (total - left) ** 2 / num_right - total**2 / num
    gain = np.where((num_left > 0.5) & (num_right > 0.5), gain, 0.0)
    threshold = gain.argmax(axis=-1)
    gain = np.take_along_axis(gain, threshold[..., None], axis=-1)[..., 0]
    best = gain.max(axis=-1, keepdims=True)
    feature = np.where(gain >= best * (1 - _TIE), rng.random(gain.shape), -1).argmax(axis=-1)
    threshold = np.take_along_axis(threshold, feature[..., None], axis=-1)[..., 0]
    best = np.maximum(best[..., 0], 0.0)
    # A node that no feature splits keeps its rows together.
    return feature, np.where(best > 0, threshold, sums.shape[-1]), best


def _quantile_bins(features, train):
    """The bin of each value (n, d), from 0, between quantiles of the rows used for fitting."""
    bins = np.empty(features.shape, np.int64)
    for j, feature in enumerate(features.T):
        values = np.unique(feature[train])
        if len(values) > _EXACT:
            shares = np.linspace(0, 1, _QUANTILES + 1)[1:-1]
            edges = np.unique(np.quantile(feature[train], shares))
        else:
            edges = (values[1:] + values[:-1]) / 2
        bins[:, j] = np.searchsorted(edges, feature, side="left")
    return bins


def _histograms(bins):
    """Function of weights (n, m): their sums by feature and bin, (m, d, bins)."""
    num, width = bins.shape
    num_bins = bins.max() + 1
    columns = (bins + num_bins * np.arange(width)).ravel()
    starts = np.arange(0, num * width + 1, width)
    table = sparse.csr_array((np.ones(num * width), columns, starts), (num, width * num_bins)).T

    def histograms(weights):
        return (table @ weights).T.reshape(-1, width, num_bins)

    return histograms


def _sum_by_leaf(values, leaves):
    """Sums of each tree's `values` (n, t) by leaf, (leaves, t)."""
    num_trees = values.shape[1]
    keys = leaves * num_trees + np.arange(num_trees)
    sums = np.bincount(keys.ravel(), values.ravel(), minlength=2**_DEPTH * num_trees)
    return sums.reshape(-1, num_trees)


def _logistic(scores, axis):
    return expit(scores)
