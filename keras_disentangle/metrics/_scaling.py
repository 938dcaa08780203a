"""Codes in units of their standard deviations."""

import numpy as np


def standardize(codes):
    """Float64 codes (n, d) of mean 0 and standard deviation 1; dimensions that are constant, 0."""
    # Of one layout, so that a sum is rounded in one way: estimates from neighbours depend on it.
    codes = np.ascontiguousarray(codes, np.float64)
    varies = codes.max(axis=0) > codes.min(axis=0)
    # Scaled first: squares of very small or large numbers would leave the range of float64.
    codes = codes / np.where(varies, np.abs(codes).max(axis=0), 1)
    codes = codes - codes.mean(axis=0)
    std = codes.std(axis=0)
    # The values of a dimension may differ by less than their mean is rounded.
    used = varies & (std > 0)
    return np.where(used, codes / np.where(used, std, 1), 0)
