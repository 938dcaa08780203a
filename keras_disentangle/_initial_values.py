"""Building networks whose weights are about to be loaded, without drawing random ones first."""

import contextlib
import math
import threading

import keras
import numpy as np
from keras import initializers, ops

_LOCK = threading.RLock()
_RANDOM = (
    type(None),  # the default of `add_weight`
    initializers.VarianceScaling,  # and with it those of Glorot, He and LeCun
    initializers.RandomNormal,
    initializers.RandomUniform,
    initializers.TruncatedNormal,
    initializers.Orthogonal,
)


@contextlib.contextmanager
def no_random_values(active=True, most=math.inf):
    """While it lasts, what this thread's layers would draw at random is 0 instead.

    For networks whose weights then come from a file: JAX compiles a program for each shape that is
    drawn or filled, which together takes many times as long as reading the file. With
    `active=False` nothing changes. `most` is how many numbers the networks may ask for, so that a
    file cannot declare larger ones than it holds.

    Raises:
        ValueError: if they ask for more.
    """
    if not active:
        yield
        return
    with _LOCK:  # Of two threads, the first to leave would restore while the other still builds.
        add_weight, thread = keras.Layer.add_weight, threading.get_ident()

        left = [most]

        def add_filled_weight(self, shape=None, initializer=None, *args, **kwargs):
            if threading.get_ident() == thread:
                left[0] -= math.prod(shape or ())
                if left[0] < 0:
                    raise ValueError(f"{self.name} declares a weight of shape {shape}, too large")
                initializer = _filled(initializers.get(initializer))
            return add_weight(self, shape, initializer, *args, **kwargs)

        keras.Layer.add_weight = add_filled_weight
        try:
            yield
        finally:
            keras.Layer.add_weight = add_weight


def _filled(initializer):
    """An initializer by which NumPy fills with 0 or 1; any other constant one as it is."""
    if isinstance(initializer, (*_RANDOM, initializers.Zeros)):
        fill = np.zeros
    elif isinstance(initializer, initializers.Ones):
        fill = np.ones
    else:
        return initializer
    # By way of float32, since NumPy has no bfloat16.
    return lambda shape, dtype=None: ops.convert_to_tensor(fill(shape, "float32"), dtype)
