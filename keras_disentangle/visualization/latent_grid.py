import numpy as np

from keras_disentangle._arguments import check_int, listed
from keras_disentangle.visualization._labelled_grid import labelled_grid, texts_of
from keras_disentangle.visualization._rungs import dimension_names, split_rungs
from keras_disentangle.visualization._traverse import checked_values, decoded


def latent_grid(
    decode, latent, dims=(0, 1), values=None, *, span=2.5, steps=9, rungs=None, padding=1
):
    """Draws what two latent dimensions do together: a row for each value of one, a column for each
    of the other.

    The others stay as in `latent`, as in Figure 10 of Li et al. (2020). The first dimension
    grows downwards, the second to the right. Their values stand beside and above the images, their
    names, as `latent_traversal` has them, in the corner, that of the first before the other's.

    Args:
        decode: Function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which they are
            clipped with a warning; called once, with n = number of values squared.
        latent: Array (d,), the point from which to set out.
        dims: Numbers, from 0, of the two dimensions: that of the rows, that of the columns.
        values: Values to visit, (steps,); by default `steps` of them from -`span` to `span`, in the
            latent's own units (standard deviations of the prior).
        span: Half the width of the default range.
        steps: Number of default values.
        rungs: Sizes of consecutive groups of dimensions, most abstract first; they add up to d.
        padding: White pixels around each image.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: If an argument, or what `decode` returns, has another shape or range.

    Example:

    >>> decode = lambda z: np.broadcast_to(z[:, :1, None, None] / 5 + 0.5, (len(z), 28, 28, 1))
    >>> picture = latent_grid(decode, np.zeros(4), (0, 2))

    Reference:
        Li et al., Progressive learning and disentanglement of hierarchical representations, 2020,
        Figure 10.
    """
    latent, sizes, names = split_rungs(latent, rungs)
    row, column = _check_dims(dims, latent.size)
    values = checked_values(values, span, steps)
    latents = np.tile(latent, (values.size, values.size, 1))
    latents[:, :, row] = values[:, None]
    latents[:, :, column] = values
    images = decoded(decode, latents, "decode(latent)")
    names, texts = dimension_names(sizes, names), texts_of(values)
    corner = f"{names[row]} \\ {names[column]}"
    return labelled_grid(images, [len(images)], texts, padding, texts, corner)


def _check_dims(dims, size):
    try:
        row, column = (check_int("dims", dim, minimum=0, maximum=size - 1) for dim in listed(dims))
    except (TypeError, ValueError):
        row = column = None
    if row == column:
        raise ValueError(
            f"`dims` must be two different dimensions, integers from 0 to {size - 1}. "
            f"Received: dims={dims!r}"
        )
    return row, column
