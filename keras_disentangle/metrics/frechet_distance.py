"""The Fréchet distance between two sets of features, each fitted by a Gaussian."""

import warnings

import numpy as np

from keras_disentangle.metrics._validation import check_matrix
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score

# Rows of features that are turned into float64 at once.
_ROWS = 4096


def frechet_distance(features_a, features_b):
    """Fréchet distance between Gaussians that are fitted to two sets of features.

    `|m_a - m_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2))` with means m and unbiased covariances S. For
    features of an Inception network and 50,000 images in each set, this is the FID.

    `Tr (S_a S_b)^(1/2)` is the sum of the singular values of `R_a R_b^T`, where `S = R^T R` comes
    from a QR decomposition of the centred features. That needs no square root of a matrix, never
    turns complex, and stays exact where a covariance is singular.

    The estimate is biased upwards, the more so the fewer samples there are: compare only values
    from sets of equal size.

    Args:
        features_a: array (n, d), the features of one set.
        features_b: array (m, d), the features of the other.

    Returns:
        A float, at least 0, in the features' units squared.

    Raises:
        ValueError: if an array is not finite or not of rank 2, has fewer than two rows, or if their
            widths differ.

    Warns:
        UserWarning: if a set has no more samples than dimensions: its covariance is singular.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 10_000, 2))
    >>> kd.metrics.frechet_distance(a, 1 + 3 * b)  # near 2 * (1 + (3 - 1)^2) = 10

    Reference: Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017, equation 6.
    """
    sets = {"features_a": features_a, "features_b": features_b}
    for name, features in sets.items():
        sets[name] = features = check_matrix(name, features)
        if len(features) < 2:
            raise ValueError(
                f"`{name}` must have two rows or more. Received: {name}.shape={features.shape}"
            )
    features_a, features_b = sets.values()
    if features_a.shape[1] != features_b.shape[1]:
        raise ValueError(
            "`features_a` and `features_b` must be equally wide. "
            f"Received: features_a.shape={features_a.shape}, features_b.shape={features_b.shape}"
        )
    for name, features in sets.items():
        if len(features) <= features.shape[1]:
            warnings.warn(
                f"`{name}` has {len(features)} samples of {features.shape[1]} dimensions: with so "
                "few the covariance is singular and the distance far too large.",
                stacklevel=2,
            )
    mean_a, root_a = _mean_and_root(features_a)
    mean_b, root_b = _mean_and_root(features_b)
    traces = np.sum(root_a**2) + np.sum(root_b**2)
    common = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    # Rounding may carry the distance of equal sets below 0.
    return max(0.0, float(np.sum((mean_a - mean_b) ** 2) + traces - 2 * common))


def _mean_and_root(features):
    """The mean (d,) and R (r, d) with `R^T R` the unbiased covariance, in float64."""
    mean = features.mean(axis=0, dtype=np.float64)
    root = np.zeros((0, len(mean)))
    for start in range(0, len(features), _ROWS):
        # R of all rows so far and more rows below it is R of them all.
        rows = np.concatenate([root, features[start : start + _ROWS] - mean])
        root = np.linalg.qr(rows, mode="r")
    return mean, root / np.sqrt(len(features) - 1)


declare(
    frechet_distance,
    scores=[Score("frechet_distance", bounds=(0, np.inf), better="lower")],
)
