"""Checks of the metrics' arguments: each error names the argument and shows its value."""

import numpy as np

from keras_disentangle._arguments import check_seed
from keras_disentangle._tensors import to_numpy

# Squares of larger numbers, or their sums, would leave the range of float64.
_LARGEST = 1e100
# The logarithm of a variance whose own value and inverse are float64 numbers.
LARGEST_LOG_VAR = 700


def check_matrix(name, values):
    """Returns `values`, of any backend, as a finite, non-empty floating array of rank 2."""
    array = to_numpy(name, values)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"`{name}` must be a non-empty array of shape (samples, dimensions). "
            f"Received: {name}.shape={array.shape}"
        )
    # float16 would overflow in sums of squares.
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(
            f"`{name}` must be finite. Received: {np.count_nonzero(~finite)} values that are NaN "
            f"or infinite, the first of them at index {tuple(np.argwhere(~finite)[0].tolist())}"
        )
    check_size(name, array, _LARGEST)
    return array


def check_size(name, array, largest):
    """Raises a ValueError if a number in `array` is further than `largest` from 0."""
    low, high = float(array.min()), float(array.max())
    if low < -largest or high > largest:
        raise ValueError(
            f"`{name}` must hold numbers from {-largest:g} to {largest:g}. "
            f"Received: numbers from {low:g} to {high:g}"
        )


def check_factors(factors, num_samples, reference):
    """Returns `factors` as an integer array (num_samples, k)."""
    array = to_numpy("factors", factors)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            "`factors` must be a non-empty array of shape (samples, factors). "
            f"Received: factors.shape={array.shape}"
        )
    if array.dtype.kind not in "biu":
        raise ValueError(
            "`factors` must be integers: the index of each factor's value. "
            f"Received: factors.dtype={array.dtype}"
        )
    if len(array) != num_samples:
        raise ValueError(
            f"`factors` must have as many rows as `{reference}`, {num_samples}. "
            f"Received: factors.shape={array.shape}"
        )
    for k, factor in enumerate(array.T):
        count = len(np.unique(factor))
        if count > max(2, num_samples // 2):
            raise ValueError(
                "`factors` must take each value in two samples or more, on average: put those of a "
                f"factor with many into bins. Received: {count} values of factor {k} in "
                f"{num_samples} samples"
            )
    return array


def check_posteriors(mean, log_var):
    """Returns the parameters of diagonal Gaussian posteriors as two float64 arrays (n, d)."""
    mean = check_matrix("mean", mean)
    log_var = check_matrix("log_var", log_var)
    if mean.shape != log_var.shape:
        raise ValueError(
            "`log_var` must have the shape of `mean`, "
            f"{mean.shape}. Received: log_var.shape={log_var.shape}"
        )
    check_size("log_var", log_var, LARGEST_LOG_VAR)
    return mean.astype(np.float64, copy=False), log_var.astype(np.float64, copy=False)


def check_learnable(codes, factors, held_out, seed):
    """Inputs of metrics that fit a predictor to one part of the rows and score the other.

    Returns:
        Codes (n, d), float64; the factors (n, k) that vary in the rows used for fitting; and the
        mask (n,) of the rows held out for scoring.
    """
    codes = check_matrix("codes", codes).astype(np.float64, copy=False)
    factors = check_factors(factors, len(codes), reference="codes")
    held_out = check_held_out(held_out, len(codes), seed)
    return codes, varying_factors(factors, ~held_out), held_out


def check_held_out(held_out, num_samples, seed):
    """The mask (n,) of the rows held out for scoring; by default a random third."""
    seed = check_seed("seed", seed)
    if held_out is None:
        if num_samples < 3:
            raise ValueError(
                "`codes` must hold at least 3 samples, some to learn from and some to score. "
                f"Received: {num_samples}"
            )
        return np.random.default_rng(seed).permutation(num_samples) < num_samples // 3
    held_out = to_numpy("held_out", held_out)
    if held_out.dtype != bool or held_out.shape != (num_samples,):
        raise ValueError(
            f"`held_out` must be a boolean array of shape ({num_samples},), one entry for each "
            f"sample. Received: shape={held_out.shape}, dtype={held_out.dtype}"
        )
    if held_out.all() or not held_out.any():
        raise ValueError(
            "`held_out` must leave some samples to learn from and some to score. "
            f"Received: {np.count_nonzero(held_out)} of {num_samples} held out"
        )
    return held_out


def varying_factors(factors, learned_from):
    """The columns of `factors` that take more than one value in the rows of a mask."""
    rows = factors[learned_from]
    return factors[:, (rows != rows[:1]).any(axis=0)]
