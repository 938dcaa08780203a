"""Trial calls of a model without side effects."""

import contextlib
import random

import keras
import numpy as np

from keras_disentangle._keras_graph import changed_by_calls
from keras_disentangle._tensors import to_numpy


@contextlib.contextmanager
def unmoved(model):
    """Restores a model's statistics and seeds, and Python's and NumPy's generators, on leaving."""
    states = changed_by_calls(model) if isinstance(model, keras.layers.Layer) else []
    before = [to_numpy("variable", state).copy() for state in states]
    python, legacy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        for state, value in zip(states, before, strict=True):
            if not np.array_equal(to_numpy("variable", state), value, equal_nan=True):
                state.assign(value)
