"""Builds networks whose weights are about to be loaded, without drawing random ones first."""

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
    """A context in which this thread's layers initialise random weights to 0 instead.

    For networks whose weights are then loaded from a file: JAX compiles a program for each shape
    that is drawn or filled, which in total takes many times as long as reading the file.

    Args:
        active: whether anything changes.
        most: the largest total number of values in new weights, so that a file cannot declare
            larger networks than it holds.

    Raises:
        ValueError: if more are created.
    """
    if not active:
        yield
        return
    with _LOCK:  # Otherwise the first thread to leave would restore while another still builds.
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
    """An initializer that fills with 0 or 1 in NumPy; other constant initializers unchanged."""
    if isinstance(initializer, (*_RANDOM, initializers.Zeros)):
        fill = np.zeros
    elif isinstance(initializer, initializers.Ones):
        fill = np.ones
    else:
        return initializer
    # Through float32, because NumPy has no bfloat16.
    return lambda shape, dtype=None: ops.convert_to_tensor(fill(shape, "float32"), dtype)
