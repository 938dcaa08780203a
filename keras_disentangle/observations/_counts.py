"""Shared by the observations of counts: the check of data, log-gamma, and draws on the host."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._tensors import to_numpy

_SHIFT = 8


def check_counts(name, x, kind):
    """Raises a ValueError unless `x` holds whole numbers >= 0; `kind` names the observation."""
    x = to_numpy(name, x)
    bad = x[(x < 0) | (x != np.round(x))]
    if bad.size:
        raise ValueError(
            f"`{name}` must hold counts, whole numbers >= 0, for {kind} observations. "
            f"Received: {bad.flat[0]:g}"
        )


def log_gamma(x):
    """The logarithm of the gamma function of x > 0, by Stirling's series of x + 8."""
    product = x
    for i in range(1, _SHIFT):
        product = product * (x + i)
        if i == _SHIFT // 2 - 1:  # In two halves, which float32 can hold.
            first, product = product, ops.ones_like(x)
    y = x + _SHIFT
    stirling = (y - 0.5) * ops.log(y) - y + 0.5 * np.log(2 * np.pi) + _series(y)
    return stirling - ops.log(first) - ops.log(product)


def log_gamma_ratio(x, r):
    """log gamma(x + r) - log gamma(r) of x >= 0 and r > 0: for large r, the difference of the two
    series, which would cancel, is taken term by term."""
    y = r + _SHIFT
    growth = (y - 0.5) * ops.log1p(x / y) - x + x * ops.log(x + y) + _series(x + y) - _series(y)
    return growth - sum(ops.log1p(x / (r + i)) for i in range(_SHIFT))


def _series(y):
    inverse = 1 / y
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square / 1260))


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
