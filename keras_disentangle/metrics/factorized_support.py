"""FoS: how far codes are from taking every combination of their dimensions' values."""

import itertools

import numpy as np

from keras_disentangle._arguments import check_flag, check_int
from keras_disentangle.metrics._scaling import standardize
from keras_disentangle.metrics._validation import check_matrix
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def factorized_support(codes, *, scaled=True, batch_size=100, num_batches=10):
    """FoS: do all values of a dimension occur together with all values of any other one?

    For each pair of dimensions, the squared Hausdorff distance between the values that they take
    together and all combinations of those that each takes: that of the combination that is furthest
    from any code. The score is the sum over pairs, averaged over batches. 0 says that the support
    of the codes is a product. Unlike dependence, it hardly changes if factors are correlated, as
    long as every combination occurs.

    Args:
        codes: array (n, d), the latent codes, in random order.
        scaled: whether codes are divided by their standard deviations first, without which models
            of different scales cannot be compared. The authors do not.
        batch_size: number of codes in a batch. The distance falls with it: compare equal sizes.
        num_batches: the most batches that are used, of consecutive codes. Left-over codes are not
            used, unless there are fewer than a batch in all.

    Returns:
        A float, at least 0, in units of variance if `scaled`, or the codes' units squared. 0 for a
        single dimension. A constant dimension does not change it.

    Raises:
        ValueError: if `codes` are empty, not of rank 2 or hold NaN, `scaled` is not a bool, or a
            number is not a positive integer.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> square = rng.uniform(size=(1000, 2))
    >>> disc = square[np.square(square - 0.5).sum(axis=1) < 0.25]
    >>> kd.metrics.factorized_support(square) < kd.metrics.factorized_support(disc)
    True

    Reference: Roth et al., Disentanglement of Correlated Factors via Hausdorff Factorized Support,
    2023, section 3.
    """
    codes = check_matrix("codes", codes)
    batch_size = check_int("batch_size", batch_size)
    num_batches = check_int("num_batches", num_batches)
    codes = standardize(codes) if check_flag("scaled", scaled) else codes.astype(np.float64)
    starts = range(0, max(1, len(codes) - batch_size + 1), batch_size)[:num_batches]
    return float(np.mean([_distance(codes[start : start + batch_size]) for start in starts]))


def _distance(codes):
    """The squared Hausdorff distances of all pairs of dimensions, summed."""
    # Here, since it loads SciPy.
    from scipy.spatial import KDTree

    total = 0.0
    for i, j in itertools.combinations(range(codes.shape[1]), 2):
        pair = codes[:, [i, j]]
        combined = np.stack(np.meshgrid(np.unique(pair[:, 0]), np.unique(pair[:, 1])), axis=-1)
        total += KDTree(pair).query(combined.reshape(-1, 2))[0].max() ** 2
    return total


declare(
    factorized_support,
    scores=[Score("factorized_support", bounds=(0, np.inf), better="lower")],
)
