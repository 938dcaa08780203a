"""IRS, the interventional robustness score."""

import numpy as np

from keras_disentangle._arguments import check_number
from keras_disentangle.metrics._validation import check_factors, check_matrix, varying_factors
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def irs(codes, factors, *, quantile=0.99):
    """IRS: does a dimension keep its value while all factors but one change?

    For each value of factor `k`, a quantile of the absolute deviations of dimension `j` from its
    mean among the samples with that value is computed. Its mean over the values, divided by the
    largest absolute deviation of `j` over all samples, is 0 for a dimension that depends on factor
    `k` alone. The score is 1 minus this ratio for each dimension's best factor, averaged over
    dimensions with their largest deviations as weights.

    It needs samples in which the other factors vary freely, such as random samples of a full grid.
    Splitting a factor between dimensions does not lower the score. A random code does not score 0,
    because a quantile below 1 is smaller than the maximum and groups are smaller than the whole:
    the more so, the fewer samples there are of each value.

    Args:
        codes: array (n, d), the latent codes.
        factors: integer array (n, k). disentanglement_lib puts factors of more than 20 values into
            20 bins; here no values are merged. Constant factors are left out.
        quantile: the quantile of the deviations: 1.0 is the maximum, as in the paper; 0.99 is the
            value of disentanglement_lib.

    Returns:
        A float in [-1, 1], below 0 only where few samples are far from all others; 0 when all
        dimensions, or all factors, are constant. Constant dimensions do not count.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the lengths differ, if
            `factors` are not integers, or if `quantile` is not in (0, 1].

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(1000, 2))
    >>> kd.metrics.irs(factors.astype(float), factors)
    1.0

    Reference: Suter et al., Robustly Disentangled Causal Mechanisms, 2019, section 4 and appendix.
    """
    codes = check_matrix("codes", codes).astype(np.float64, copy=False)
    factors = check_factors(factors, len(codes), reference="codes")
    quantile = check_number("quantile", quantile, maximum=1, above=0)
    codes = codes[:, codes.max(axis=0) > codes.min(axis=0)]
    factors = varying_factors(factors, slice(None))
    if codes.shape[1] == 0 or factors.shape[1] == 0:
        return 0.0
    strayed = np.empty((codes.shape[1], factors.shape[1]))
    for k, factor in enumerate(factors.T):
        groups = [codes[factor == value] for value in np.unique(factor)]
        strayed[:, k] = np.mean(
            [np.quantile(np.abs(group - group.mean(axis=0)), quantile, axis=0) for group in groups],
            axis=0,
        )
    largest = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    return float(np.average(1 - strayed.min(axis=1) / largest, weights=largest))


declare(irs, scores=[Score("irs", bounds=(-1, 1), one_to_one=1)], interval="resamples")
