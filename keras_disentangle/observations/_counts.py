"""Shared by the observations of counts: check of data, parts of likelihoods, draws on the host."""

import math

import keras
import numpy as np
from keras import ops

from keras_disentangle._tensors import to_numpy

_LOG_2, _LOG_2_HIGH = math.log(2), 355 / 512  # The second times an integer is exact in float32.
_SHIFT = 4  # The series for the error of Stirling's formula is precise from here on.


def check_counts(name, x, kind):
    """Raises a ValueError unless `x` holds whole numbers >= 0; `kind` names the observation."""
    x = to_numpy(name, x)
    bad = x[(x < 0) | (x != np.round(x))]
    if bad.size:
        raise ValueError(
            f"`{name}` must hold counts, whole numbers >= 0, for {kind} observations. "
            f"Received: {bad.flat[0]:g}"
        )


def log_ratio(log_mean, x):
    """log(mean / x) of x > 0, from the logarithm of the mean.

    It is multiplied by counts, so the rounding of log x would matter where the two are near each
    other. A power of 4 is taken out of x, and its logarithm off in two steps, the first exact.
    """
    power = ops.log(x) / (2 * _LOG_2)
    power = ops.stop_gradient(ops.maximum(ops.round(power), 0))
    rest = ops.log(x / ops.square(ops.round(ops.exp(power * _LOG_2))))
    return log_mean - 2 * power * _LOG_2_HIGH - rest - 2 * power * (_LOG_2 - _LOG_2_HIGH)


def exponential_excess(x):
    """exp(x) - 1 - x, precise near 0 too."""
    is_small = ops.abs(x) < 0.5
    near = ops.where(is_small, x, 0)
    series = 1.0
    for k in range(9, 2, -1):
        series = 1 + near / k * series
    return ops.where(is_small, ops.square(near) / 2 * series, ops.expm1(x) - x)


def stirling_error(x):
    """log gamma(x + 1) of x > 0 beyond Stirling's formula, (x + 1/2) log x - x + log(2 pi) / 2."""
    found = 0.0
    for i in range(_SHIFT):
        found = found + (x + i + 0.5) * ops.log1p(1 / (x + i)) - 1
    inverse = 1 / (x + _SHIFT)
    square = ops.square(inverse)
    return found + inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))


def drawn(seed, draw, *parameters):
    """A float32 tensor of draws by NumPy, which has distributions that Keras has not.

    Args:
        seed: an int, a `SeedGenerator` or `None`.
        draw: function from a NumPy generator and arrays to an array.
        *parameters: tensors. They must have values, so this is not for compiled functions.
    """
    start = keras.random.randint((2,), 0, 2**31 - 1, seed=seed)
    rng = np.random.default_rng(to_numpy("seed", start).tolist())
    arrays = [to_numpy("prediction", x).astype("float64") for x in parameters]
    return ops.convert_to_tensor(draw(rng, *arrays).astype("float32"))
