"""Modularity: is each dimension informative about one factor?"""

import numpy as np

from keras_disentangle.metrics._information import codes_and_factors
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def modularity(codes, factors, num_bins=20):
    """Modularity: how far each dimension is informative about a single factor only.

    For each dimension `j`, 1 minus the sum of `I(z_j; v_k)^2` over all factors but the most
    informative one, divided by `k - 1` times its value for that one; averaged over dimensions. A
    factor may be split between dimensions: the authors combine it with `explicitness`, which
    measures whether the factor can be predicted. A random code scores neither 0 nor 1: the little
    information that is estimated is similar for all factors.

    Args:
        codes: array (n, d), the latent codes, discretised as in `mutual_information`.
        factors: integer array (n, k), the ground-truth factors. A factor that is constant is left
            out.
        num_bins: the number of bins of each code.

    Returns:
        A float in [0, 1]. A dimension without any information, such as a constant one, counts as 0;
        with a single varying factor, any other dimension counts as 1.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the lengths differ, if
            `factors` are not integers, or if there are fewer samples than bins.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(1000, 2))
    >>> kd.metrics.modularity(factors.astype(float), factors)
    1.00

    Reference: Ridgeway & Mozer, Learning Deep Disentangled Embeddings With the F-Statistic Loss,
    2018, section 3.
    """
    information, entropy = codes_and_factors(codes, factors, num_bins)
    squared = np.square(information[:, entropy > 0])
    if squared.size == 0:
        return 0.0
    best = squared.max(axis=1)
    others = max(1, squared.shape[1] - 1)
    used = best > 0
    scores = 1 - (squared.sum(axis=1) - best)[used] / (best[used] * others)
    return float(scores.sum() / len(best))


declare(modularity, scores=[Score("modularity", one_to_one=1)], interval="resamples")
