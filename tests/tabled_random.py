"""Random numbers that are the same on every backend, in place of those of `keras.random`."""

import math

import numpy as np
from keras import ops


def noise_table(width):
    """The draws (64, width) that stand in for latent noise; a draw depends on its shape alone."""
    return np.random.default_rng(width).standard_normal((64, width)).astype("float32")


def uniform_table(width):
    """As `noise_table`, between 0 and 1."""
    return np.random.default_rng(width).random((64, width), dtype="float32")


def tabled_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """`keras.random.normal` with draws from `noise_table`; the batch may be a symbolic size."""
    table = noise_table(math.prod(shape[1:])).reshape(64, *shape[1:])
    return ops.cast(table, dtype or "float32")[: shape[0]] * stddev + mean


def tabled_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """`keras.random.uniform` likewise, of shape (n, width) or (n, 1, ..., 1)."""
    table = uniform_table(shape[1]).reshape(64, *shape[1:])
    return ops.cast(table, dtype or "float32")[: shape[0]] * (maxval - minval) + minval


def tabled_randint(shape, minval, maxval, dtype="int32", seed=None):
    """`keras.random.randint` likewise, of shape (n, ...)."""
    table = np.random.default_rng(0).integers(minval, maxval, (64, *shape[1:]))
    return ops.cast(table, dtype)[: shape[0]]


TABLED = {"normal": tabled_normal, "uniform": tabled_uniform, "randint": tabled_randint}
