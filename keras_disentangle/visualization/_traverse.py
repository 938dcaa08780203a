import numpy as np
from keras import ops

from keras_disentangle.latents.orthogonalize import orthogonalize
from keras_disentangle.visualization._pixels import as_uint8


def traverse(decode, latent, values, span, steps):
    """Decodes every dimension of `latent` at every value, all in one call.

    Returns:
        uint8 array (d, number of values, h, w, c).
    """
    values = _checked_values(values, span, steps)
    size = latent.size
    latents = np.tile(latent, (size, values.size, 1))
    latents[np.arange(size), :, np.arange(size)] = values
    return _decode(decode, latents, "decode(latent)")


def traverse_directions(decode, latents, directions, values, span, steps, orthogonal):
    """Decodes every latent vector moved along every direction, by every value, all in one call.

    `latents` and `directions` are as `direction_traversal` has them.

    Returns:
        uint8 array (directions, latents, number of values, h, w, c), decoded in this order.
    """
    latents, directions = _checked_vectors(latents, directions)
    values = _checked_values(values, span, steps)
    starts = [latents] * len(directions)
    if orthogonal:
        starts = [ops.convert_to_numpy(orthogonalize(latents, q)) for q in directions]
    # Each axis of its own: directions, latents, values, dimensions.
    moves = values[:, None] * directions[:, None, None]
    return _decode(decode, np.stack(starts)[:, :, None] + moves, "decode(latents)")


def _checked_vectors(latents, directions):
    """Both as float32 arrays of vectors of the same width: (n, d) and (m, d)."""
    latents = ops.convert_to_numpy(latents).astype("float32")
    directions = ops.convert_to_numpy(directions).astype("float32")
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
            f"Received: others in the rows {np.flatnonzero(bad).tolist()}"
        )
    return latents.reshape(-1, width), directions


def _checked_values(values, span, steps):
    """The values (n,) that a traversal visits; by default `steps` of them from -span to span."""
    if values is None:
        if not (span > 0 and steps >= 2):
            raise ValueError(
                "`span` must be positive and `steps` at least 2. "
                f"Received: span={span}, steps={steps}"
            )
        values = np.linspace(-span, span, steps)
    values = np.asarray(values, "float32")
    if values.ndim != 1 or not values.size:
        raise ValueError(f"`values` must be of shape (n,), n > 0. Received: shape {values.shape}")
    return values


def _decode(decode, latents, name):
    """Decodes latents (..., d), all in one call, to uint8 images (..., h, w, c)."""
    images = as_uint8(decode(latents.reshape(-1, latents.shape[-1])), name)
    return images.reshape(*latents.shape[:-1], *images.shape[1:])
