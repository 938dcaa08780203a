from keras_disentangle._arguments import check_flag
from keras_disentangle.visualization._labelled_grid import labelled_grid, texts_of
from keras_disentangle.visualization._rungs import dimension_names, split_rungs
from keras_disentangle.visualization._traverse import checked_values, traverse


def latent_traversal(
    decode,
    latent,
    values=None,
    *,
    span=2.5,
    steps=9,
    rungs=None,
    value_labels=False,
    padding=1,
):
    """Draws what each latent dimension does: a row for each dimension, a column for each value.

    Each dimension in turn takes the values while the others stay as in `latent`, as in Figures 4
    and 7 of Li et al. (2020). Rows of one rung stand together and are labelled "z3·1": the first
    dimension of the third, most abstract rung; with fewer than two rungs "z1", the first dimension.

    Args:
        decode: Function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which
            they are clipped with a warning; called once, with n = d * number of values.
        latent: Array (d,), the point from which to set out.
        values: Values to visit, (steps,); by default `steps` of them from -`span` to `span`, in
            the latent's own units (standard deviations of the prior).
        span: Half the width of the default range.
        steps: Number of default values.
        rungs: Sizes of consecutive groups of dimensions, most abstract first; they add up to d.
        value_labels: Whether the values stand above the columns.
        padding: White pixels around each image.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: If an argument, or what `decode` returns, has another shape or range.

    Example:

    >>> decode = lambda z: np.broadcast_to(z[:, :1, None, None] / 5 + 0.5, (len(z), 28, 28, 1))
    >>> picture = latent_traversal(decode, np.zeros(4), rungs=(2, 2))

    Reference:
        Li et al., Progressive learning and disentanglement of hierarchical representations, 2020.
    """
    latent, sizes, names = split_rungs(latent, rungs)
    values = checked_values(values, span, steps)
    images = traverse(decode, latent, values)
    above = texts_of(values) if check_flag("value_labels", value_labels) else None
    return labelled_grid(images, sizes, dimension_names(sizes, names), padding, above)
