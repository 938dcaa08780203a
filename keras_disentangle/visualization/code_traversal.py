import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle.visualization._pixels import as_uint8
from keras_disentangle.visualization.image_grid import image_grid


def code_traversal(decode, space, name, dim=0, *, rows=5, steps=10, extent=1.0, seed=0, padding=1):
    """Draws what one latent code does: a column for each value, a row for each random vector.

    In each row everything but the code is as in one random latent vector, as in Figure 2 of Chen
    et al. (2016). The columns are the categories of a categorical code, or evenly spaced values of
    one dimension of a continuous one.

    Args:
        decode: Function from latents (n, d) to images (n, h, w, c) in [0, 1]; called once, with
            n = `rows` * number of values.
        space: The `LatentSpace`.
        name: The code.
        dim: Which dimension of it, if it is continuous.
        rows: Number of random vectors.
        steps: Number of values, if it is continuous.
        extent: 1 visits the whole interval of a uniform code and -2 to 2 of a normal one; 2, the
            "-2 to 2" of the paper, twice as much.
        seed: Seed of the random vectors.
        padding: White pixels around each image.

    Returns:
        uint8 array (H, W, c).

    Raises:
        ValueError: If an argument, or what `decode` returns, has another shape or range.

    Example:

    >>> picture = code_traversal(decode, space, "categorical", rows=5)

    Reference:
        Chen et al., InfoGAN, 2016, Figure 2.
    """
    latents = ops.convert_to_numpy(space.sample(check_int("rows", rows), seed))
    latents = np.stack([space.traversal(z, name, dim, steps, extent) for z in latents])
    images = as_uint8(decode(latents.reshape(-1, latents.shape[2])), "decode(latents)")
    return image_grid(images, latents.shape[1], padding)
