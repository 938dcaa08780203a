"""Directions in a generator's latent space in closed form, from the weights of its first layers."""

import keras
import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import to_numpy

_TRANSPOSED = tuple(getattr(keras.layers, f"Conv{rank}DTranspose") for rank in (1, 2, 3))


def closed_form_directions(layers, num=None):
    r"""The directions along which a layer's output changes most (SeFa): orthonormal rows.

    With the layer's kernel $A$, latents by outputs, whose columns are first made of length 1, they
    are the eigenvectors of $A A^T$, the one with the largest eigenvalue first. Nothing is trained,
    and the generator is not called.

    Args:
        layers: the layer, or list of layers, that the latents enter: dense or convolutional ones,
            also transposed, of which all taps count as outputs; or kernels as arrays or tensors
            (d, outputs). Of several, the columns are put side by side.
        num: number of directions, from 1 to d; all d by default.

    Returns:
        Float32 array (num, d). The largest component of each row is positive. With
        `LatentDirections.from_matrix` models and callbacks can use them.

    Raises:
        ValueError: if a layer has no kernel, an array is not a finite matrix, or they are of
            different widths, all zero, or `num` is out of range.

    Example:

    >>> kernel = np.array([[3.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    >>> kd.latents.closed_form_directions(kernel, num=1)
    array([[0., 1.]], dtype=float32)

    Reference: Shen and Zhou, 2021 (Closed-Form Factorization of Latent Semantics in GANs).
    """
    layers = list(layers) if isinstance(layers, (list, tuple)) else [layers]
    kernels = [_matrix(layer) for layer in layers]
    widths = sorted({len(kernel) for kernel in kernels})
    if len(widths) != 1:
        raise ValueError(
            "`layers` must be one or more that take latents of one width. "
            f"Received: {len(layers)} layers, widths {widths}"
        )
    kernel = np.concatenate(kernels, axis=1)
    lengths = np.linalg.norm(kernel, axis=0)
    if not lengths.any():
        raise ValueError("`layers` must have kernels other than 0. Received: zeros alone")
    # A unit that is dead depends on no latent.
    kernel = kernel[:, lengths > 0] / lengths[lengths > 0]
    num = check_int("num", widths[0] if num is None else num, maximum=widths[0])
    values, vectors = np.linalg.eigh(kernel @ kernel.T)
    return with_sense(vectors.T[np.argsort(-values, kind="stable")][:num])


def with_sense(rows):
    """Rows, each of which points to where its largest component is positive, float32."""
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    return (rows * np.where(largest < 0, -1.0, 1.0)).astype("float32")


def _matrix(layer):
    """The kernel of a layer, or a matrix itself, as float64 (d, outputs)."""
    kernel = layer
    if isinstance(layer, keras.Layer):
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            raise ValueError(
                "`layers` must be built layers with a kernel, such as `Dense` and `Conv2D`. "
                f"Received: {layer!r}"
            )
    kernel = to_numpy("layers", kernel).astype("float64")
    if isinstance(layer, keras.Layer) and kernel.ndim > 2:
        # (..., inputs, outputs); of transposed convolutions (..., outputs, inputs).
        axis = -1 if isinstance(layer, _TRANSPOSED) else -2
        kernel = np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)
    if kernel.ndim != 2 or not kernel.size or not np.isfinite(kernel).all():
        raise ValueError(
            "`layers` must have finite kernels (d, outputs). "
            f"Received: a kernel of the shape {kernel.shape}"
        )
    return kernel
