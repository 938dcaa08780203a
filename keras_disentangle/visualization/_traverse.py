"""Decoding latents along a dimension or a direction."""

import math

import numpy as np

from keras_disentangle._arguments import check_flag, check_int, check_number
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents.orthogonalize import orthogonalize
from keras_disentangle.visualization._pixels import as_uint8


def traverse(decode, latent, values):
    """Decodes every dimension of `latent` at every value, all in one call.

    `values` are (n,), those of all dimensions, or (d, n).

    Returns:
        uint8 array (d, number of values, h, w, c).
    """
    size = latent.size
    latents = np.tile(latent, (size, values.shape[-1], 1))
    latents[np.arange(size), :, np.arange(size)] = values
    return decoded(decode, latents, "decode(latent)")


def traverse_directions(decode, latents, directions, values, orthogonal):
    """Decodes every latent vector moved along every direction, by every value, all in one call.

    `latents` and `directions` are as in `direction_traversal`.

    Returns:
        uint8 array (directions, latents, number of values, h, w, c), decoded in this order.
    """
    latents, directions = _checked_vectors(latents, directions)
    starts = [latents] * len(directions)
    if check_flag("orthogonal", orthogonal):
        starts = [to_numpy("latents", orthogonalize(latents, q)) for q in directions]
    # One axis each: directions, latents, values, dimensions.
    moves = values[:, None] * directions[:, None, None]
    return decoded(decode, np.stack(starts)[:, :, None] + moves, "decode(latents)")


def _checked_vectors(latents, directions):
    """Both as float32 arrays of vectors of the same width: (n, d) and (m, d)."""
    latents = to_numpy("latents", latents).astype("float32")
    directions = to_numpy("directions", directions).astype("float32")
    if latents.ndim not in (1, 2) or not latents.size:
        raise ValueError(
            f"`latents` must be of shape (d,) or (n, d), n > 0. Received: shape {latents.shape}"
        )
    width = latents.shape[-1]
    if directions.ndim not in (1, 2) or not directions.size or directions.shape[-1] != width:
        raise ValueError(
            f"`directions` must be of shape ({width},) or (m, {width}), m > 0, as wide as "
            f"`latents`. Received: shape {directions.shape}"
        )
    directions = directions.reshape(-1, width)
    bad = ~np.isfinite(directions).all(axis=1) | ~directions.any(axis=1)
    if bad.any():
        raise ValueError(
            "`directions` must be finite, and none of them 0. "
            f"Received: zeros, NaN or infinity in the rows {np.flatnonzero(bad).tolist()}"
        )
    return latents.reshape(-1, width), directions


def checked_values(values, span, steps):
    """The values (n,) that a traversal visits, float32; by default `steps` from -span to span."""
    if values is None:
        span, steps = check_number("span", span, above=0), check_int("steps", steps, minimum=2)
        values = np.linspace(-span, span, steps)
    values = to_numpy("values", values).astype("float32")
    if values.ndim != 1 or not values.size:
        raise ValueError(f"`values` must be of shape (n,), n > 0. Received: shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"`values` must hold finite numbers. Received: values={values}")
    return values


def decoded(decode, latents, name):
    """Decodes latents (..., d), all in one call, to uint8 images (..., h, w, c)."""
    if not callable(decode):
        raise ValueError(f"`decode` must be a function of latents (n, d). Received: {decode!r}")
    images = as_uint8(decode(latents.reshape(-1, latents.shape[-1])), name)
    number = math.prod(latents.shape[:-1])
    if len(images) != number:
        raise ValueError(
            f"`{name}` must be {number} images, one for each latent vector. Received: {len(images)}"
        )
    return images.reshape(*latents.shape[:-1], *images.shape[1:])
