"""Scores that need no factors: how far a code's dimensions are from independent."""

import numpy as np

from keras_disentangle.metrics._information import discretize, mutual_information_matrix
from keras_disentangle.metrics._validation import check_matrix
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def unsupervised_scores(codes, num_bins=20):
    """How much the dimensions of codes depend on each other: all 0 for independent ones.

    Args:
        codes: array (n, d), the latent codes.
        num_bins: the number of bins of each code for their mutual information.

    Returns:
        A dict of floats, at least 0:

        - `"total_correlation"`: the total correlation of a Gaussian with the codes' covariance, in
          nats, `0.5 * (sum_j log C_jj - log det C)`. Infinite when dimensions are linearly
          dependent, up to rounding.
        - `"wasserstein_correlation"`: the squared 2-Wasserstein distance between this Gaussian and
          the product of its marginals, in the codes' units squared;
          `"wasserstein_correlation_norm"`: the same divided by the trace of `C`.
        - `"mutual_information"`: the mean of `I(z_i; z_j)` in nats over pairs of dimensions, for
          codes discretised as in `kd.metrics.mutual_information`, which biases it upwards slightly.

        Constant dimensions are left out; with fewer than two others, all scores are 0.

    Raises:
        ValueError: if `codes` are empty, not of rank 2 or hold NaN, or there are fewer samples than
            bins.

    Example:

    >>> codes = np.random.default_rng(0).standard_normal((10_000, 3))
    >>> kd.metrics.unsupervised_scores(codes)  # all near 0

    Reference: Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of
    Disentangled Representations, 2019, section 5.1 and its appendix; Watanabe, Information
    Theoretical Analysis of Multivariate Correlation, 1960.
    """
    codes = check_matrix("codes", codes).astype(np.float64)
    bins = discretize(codes, num_bins)
    # A dimension whose variance is below the range of float64 counts as constant.
    varying = codes.var(axis=0) > np.finfo(np.float64).tiny
    codes, bins = codes[:, varying], bins[:, varying]
    count = codes.shape[1]
    if count < 2:
        return {
            "total_correlation": 0.0,
            "wasserstein_correlation": 0.0,
            "wasserstein_correlation_norm": 0.0,
            "mutual_information": 0.0,
        }
    covariance = np.cov(codes, rowvar=False)
    variance = np.diag(covariance)
    std = np.sqrt(variance)
    correlation = np.linalg.eigvalsh(covariance / np.outer(std, std))
    # The root of C_0 C, C_0 the diagonal, has the trace of that of the symmetric C_0^½ C C_0^½.
    roots = np.linalg.eigvalsh(covariance * np.outer(std, std))
    distance = 2 * variance.sum() - 2 * np.sqrt(np.maximum(roots, 0)).sum()
    information = mutual_information_matrix(bins, bins)[0]
    np.fill_diagonal(information, 0)
    dependent = correlation.min() <= 10 * count * np.finfo(np.float64).eps
    total = np.inf if dependent else -0.5 * np.log(correlation).sum()
    return {
        "total_correlation": max(0.0, float(total)),
        "wasserstein_correlation": max(0.0, float(distance)),
        "wasserstein_correlation_norm": max(0.0, float(distance / variance.sum())),
        "mutual_information": float(information.sum() / (count * (count - 1))),
    }


_DEPENDENCE = {"bounds": (0, np.inf), "better": "lower", "random": 0, "one_to_one": 0}

declare(
    unsupervised_scores,
    name="unsupervised",
    scores=[
        Score("total_correlation", "total_correlation", **_DEPENDENCE),
        Score("wasserstein_correlation", "wasserstein_correlation", **_DEPENDENCE),
        Score("wasserstein_correlation_norm", "wasserstein_correlation_norm", **_DEPENDENCE),
        # With 20 bins and 3,000 samples, the estimate is about 0.05 too high.
        Score("mutual_information", "mutual_information", **_DEPENDENCE, tolerance=0.07),
    ],
    interval="resamples",
)
