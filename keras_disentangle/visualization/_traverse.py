import numpy as np

from keras_disentangle.visualization._pixels import as_uint8


def traverse(decode, latent, values, span, steps):
    """Decodes every dimension of `latent` at every value, all in one call.

    Returns:
        uint8 array (d, number of values, h, w, c).
    """
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
    size = latent.size
    latents = np.tile(latent, (size, values.size, 1))
    latents[np.arange(size), :, np.arange(size)] = values
    images = as_uint8(decode(latents.reshape(-1, size)), "decode(latent)")
    return images.reshape(size, values.size, *images.shape[1:])
