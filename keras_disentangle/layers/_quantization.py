"""Quantisation of latent codes to a few values per dimension, as functions of tensors."""

import numpy as np
from keras import ops

from keras_disentangle._tensors import check_same_shape


def nearest_values(z, codebooks):
    """The value of each dimension's codebook that is nearest to the code.

    Args:
        z: codes (batch, d).
        codebooks: (d, num_values), in any order.

    Returns:
        (values, indices), each (batch, d): the values, differentiable with respect to the codebooks
        and constant with respect to `z`, NaN where `z` is not finite; and int32 indices into the
        codebooks.
    """
    distances = ops.abs(ops.expand_dims(ops.stop_gradient(z), -1) - ops.stop_gradient(codebooks))
    # The first of the nearest, by comparisons: ONNX and LiteRT have no form of Keras's `argmin`.
    # Where all are NaN, none exceeds the minimum, and the index is 0.
    number, smallest = codebooks.shape[-1], ops.min(distances, axis=-1, keepdims=True)
    further = ops.where(distances > smallest, number, np.arange(number, dtype="int32"))
    indices = ops.min(further, axis=-1)
    # A product rather than a gather: its gradient is as fast and deterministic on every backend.
    chosen = ops.one_hot(indices, codebooks.shape[-1], dtype=codebooks.dtype)
    values = ops.sum(chosen * codebooks, axis=-1)
    # 0, or NaN where a code diverged: a nearest value would hide that.
    return values + ops.stop_gradient(z - z), indices


def nearest_levels(z, num_levels):
    """The nearest of `num_levels` evenly spaced values from -1 to 1.

    Args:
        z: codes (batch, d) in [-1, 1].
        num_levels: number of values, >= 2.

    Returns:
        (values, indices), each (batch, d); the values are constants.
    """
    top = num_levels - 1
    levels = ops.round(ops.stop_gradient((z + 1.0) / 2.0 * top))
    # The index of NaN would be another number on each backend.
    return 2.0 * levels / top - 1.0, ops.cast(ops.nan_to_num(levels), "int32")


def straight_through(z, quantized):
    """`quantized` exactly, with the gradient of `z`; NaN where `z` is not finite."""
    check_same_shape("z", z, "quantized", quantized)
    return ops.stop_gradient(quantized) + (z - ops.stop_gradient(z))
