import numpy as np

from keras_disentangle._arguments import check_flag, check_int, check_seed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents import LatentSpace
from keras_disentangle.visualization._labelled_grid import labelled_grid, texts_of
from keras_disentangle.visualization._traverse import decoded


def code_traversal(
    decode,
    space,
    name,
    dim=0,
    *,
    rows=5,
    steps=10,
    extent=1.0,
    seed=0,
    value_labels=False,
    padding=1,
):
    """Draws what one latent code does: a column for each value, a row for each random vector.

    In each row everything but the code is as in one random latent vector, as in Figure 2 of Chen
    et al. (2016). The columns are the categories of a categorical code, or evenly spaced values of
    one dimension of a continuous one.

    Args:
        decode: Function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which
            they are clipped with a warning; called once, with n = `rows` * number of values.
        space: The `LatentSpace`.
        name: The code.
        dim: Which dimension of it, if it is continuous.
        rows: Number of random vectors.
        steps: Number of values, if it is continuous.
        extent: 1 visits the whole interval of a uniform code and -2 to 2 of a normal one; 2, the
            "-2 to 2" of the paper, twice as much.
        seed: Seed of the random vectors.
        value_labels: Whether the values, or the numbers of the categories from 0 on, stand above
            the columns.
        padding: White pixels around each image.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: If an argument, or what `decode` returns, has another shape or range.

    Example:

    >>> space = kd.latents.LatentSpace([kd.latents.Normal(1), kd.latents.Categorical(3)])
    >>> picture = code_traversal(generator, space, "categorical", rows=5)

    Reference:
        Chen et al., InfoGAN, 2016, Figure 2.
    """
    if not isinstance(space, LatentSpace):
        raise ValueError(f"`space` must be a `LatentSpace`. Received: space={space!r}")
    rows, seed = check_int("rows", rows), check_seed("seed", seed)
    latents = to_numpy("space.sample(n)", space.sample(rows, seed))
    latents = np.stack([space.traversal(z, name, dim, steps, extent) for z in latents])
    images = decoded(decode, latents, "decode(latents)")
    above = None
    if check_flag("value_labels", value_labels):
        values = space[name].traversal(steps, extent)
        # Of a categorical code each value is a vector that holds a single 1.
        above = texts_of(values) if values.ndim == 1 else [str(i) for i in range(len(values))]
    return labelled_grid(images, [rows], None, padding, above)
