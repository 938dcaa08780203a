"""The gap between the two highest scores, which MIG and MIG-sup share."""

import numpy as np

# The variance above which a latent dimension counts as in use: the rule of pro-VLAE's release.
ACTIVE_VARIANCE = 1e-2


def active_dimensions(codes):
    """Mask (d,) of the dimensions of `codes` (n, d) that vary enough to carry information."""
    if len(codes) < 2:
        return np.zeros(codes.shape[1], bool)
    return np.var(codes, axis=0, ddof=1, dtype=np.float64) > ACTIVE_VARIANCE


def normalize(information, entropy):
    """Divides the columns of `information` (d, k) by `entropy` (k,), without constant factors.

    A factor with one value has entropy 0: its score would be 0 / 0.
    """
    varying = entropy > 0
    return information[:, varying] / entropy[varying]


def mean_gap(scores):
    """Mean over the columns of `scores` of the gap between its two highest entries.

    With a single row the second highest is taken to be 0. With nothing to compare, the mean is 0.
    """
    if scores.size == 0:
        return 0.0
    if len(scores) == 1:
        return float(scores.mean())
    second, first = np.sort(scores, axis=0)[-2:]
    return float(np.mean(first - second))
