"""MCC: the mean correlation of factors and the dimensions that match them best."""

import numpy as np

from keras_disentangle._arguments import check_choice
from keras_disentangle.metrics._scaling import standardize
from keras_disentangle.metrics._validation import check_factors, check_matrix, varying_factors
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def mcc(codes, factors, method="pearson"):
    """Mean correlation coefficient: is each factor a monotone function of a dimension of its own?

    Factors and dimensions are matched one to one so that the sum of their absolute correlations is
    as large as possible; the score is the mean absolute correlation over factors. It is the number
    by which nonlinear independent component analysis measures identifiability. A factor that is
    split between dimensions, or shares one, lowers it; further dimensions do not.

    Args:
        codes: array (n, d), the latent codes.
        factors: integer array (n, k), whose values are ordered: the correlation with the index of
            an unordered factor, such as shape, or of a cyclic one, means little. A factor that is
            constant is left out.
        method: `"pearson"`, for which the functions must be linear, or `"spearman"`, the
            correlation of ranks.

    Returns:
        A float in [0, 1]; 0 when no factor varies. A factor without a dimension, because there are
        fewer of them, counts as 0, and so does one matched with a constant dimension.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the lengths differ, if
            `factors` are not integers, or `method` is not one of these.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(1000, 2))
    >>> codes = np.exp(factors)
    >>> kd.metrics.mcc(codes, factors), kd.metrics.mcc(codes, factors, "spearman")
    (0.93, 1.00)

    Reference: Hyvarinen & Morioka, Unsupervised Feature Extraction by Time-Contrastive Learning and
    Nonlinear ICA, 2016. With more dimensions than factors, the code of Klindt et al., 2021, matches
    the others with columns of noise, which can displace a weak correlation; here they stay alone.
    """
    check_choice("method", method, ("pearson", "spearman"))
    codes = check_matrix("codes", codes)
    factors = varying_factors(check_factors(factors, len(codes), reference="codes"), slice(None))
    if not factors.size:
        return 0.0
    # Here, since it takes longer to import than all else.
    from scipy.optimize import linear_sum_assignment
    from scipy.stats import rankdata

    if method == "spearman":
        codes, factors = rankdata(codes, axis=0), rankdata(factors, axis=0)
    correlation = np.abs(standardize(codes).T @ standardize(factors)) / len(codes)
    matched = correlation[linear_sum_assignment(correlation, maximize=True)]
    return min(1.0, float(matched.sum() / factors.shape[1]))


declare(mcc, scores=[Score("mcc", random=0, one_to_one=1, tolerance=0.05)], interval="resamples")
