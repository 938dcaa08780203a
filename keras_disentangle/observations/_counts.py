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
    inverse = 1 / y
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square / 1260))
    stirling = (y - 0.5) * ops.log(y) - y + 0.5 * np.log(2 * np.pi) + series
    return stirling - ops.log(first) - ops.log(product)


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
