"""Effects of a decoder's latents: two jointly, sampled rungs, or in order of activeness."""

import numpy as np

from keras_disentangle._arguments import check_flag, check_int, check_seed, listed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._labelled_grid import labelled_grid, texts_of
from keras_disentangle.visualization._rungs import (
    code_labels,
    dimension_labels,
    sample_rungs,
    split_rungs,
)
from keras_disentangle.visualization._traverse import (
    checked_values,
    decoded,
    traverse,
)


def latent_grid(
    decode, latent, dims=(0, 1), values=None, *, span=2.5, steps=9, rungs=None, **layout
):
    """Draws the joint effect of two latent dimensions: a row for each value of the first, a column
    for each value of the second.

    The other dimensions stay as in `latent`, as in Figure 10 of Li et al. (2020). The first
    dimension grows downwards, the second to the right. Their values are written beside and below
    the images, their names, as in `latent_traversal`, in the corner, the first before the second.

    Args:
        decode: function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which they are
            clipped with a warning; called once, with n = number of values squared.
        latent: array (d,), the starting point.
        dims: indices, from 0, of the two dimensions: first of the rows, then of the columns.
        values: values of the traversal, (steps,); by default `steps` of them from -`span` to
            `span`, in the latent's own units (standard deviations of the prior).
        span: half the width of the default range.
        steps: number of default values.
        rungs: sizes of consecutive groups of dimensions, most abstract first, that add up to d, or
            the `LatentSpace` of a model.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: if an argument or the output of `decode` has another shape or range.

    Example:

    >>> decode = lambda z: np.broadcast_to(z[:, :1, None, None] / 5 + 0.5, (len(z), 28, 28, 1))
    >>> picture = latent_grid(decode, np.zeros(4), (0, 2))

    Reference: Li et al., Progressive learning and disentanglement of hierarchical representations,
    2020, Figure 10.
    """
    latent, space = split_rungs(latent, rungs)
    row, column = _check_dims(dims, latent.size)
    values = checked_values(values, span, steps)
    latents = np.tile(latent, (values.size, values.size, 1))
    latents[:, :, row] = values[:, None]
    latents[:, :, column] = values
    images = decoded(decode, latents, "decode(latent)")
    names, texts = sum(dimension_labels(space).values(), []), texts_of(values)
    corner = f"{names[row]} \\ {names[column]}"
    return labelled_grid(images, [len(images)], texts, texts, corner, **layout)


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


def rung_samples(decode, latent, rungs=None, *, num=10, seed=0, **layout):
    """Draws the effect of each rung: in its row, that rung is sampled and the others stay fixed.

    All dimensions of the rung are drawn jointly from the prior N(0, I), as in Figures 5 and 6 of Li
    et al. (2020); this is not a traversal. Rows are labelled "z3", "z2", "z1".

    Args:
        decode: function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which they are
            clipped with a warning; called once, with n = number of rungs * `num`.
        latent: array (d,), with the values of the other rungs.
        rungs: sizes of consecutive groups of dimensions, most abstract first, that add up to d, or
            the `LatentSpace` of a model. By default all dimensions are one rung, "z".
        num: images in a row.
        seed: seed of the samples.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: if an argument or the output of `decode` has another shape or range.

    Example:

    >>> decode = lambda z: np.broadcast_to(z[:, :1, None, None] / 9 + 0.5, (len(z), 28, 28, 1))
    >>> picture = rung_samples(decode, np.zeros(4), rungs=(2, 2))

    Reference: Li et al., Progressive learning and disentanglement of hierarchical representations,
    2020.
    """
    latent, space = split_rungs(latent, rungs)
    num, seed = check_int("num", num), check_seed("seed", seed)
    images = decoded(decode, sample_rungs(latent, space, num, seed), "decode(latent)")
    labels = list(code_labels(space).values())
    return labelled_grid(images, [1] * len(labels), labels, **layout)


def components_by_activeness(
    decode,
    latent,
    activeness,
    values=None,
    *,
    num=None,
    span=2.0,
    steps=9,
    value_labels=True,
    **layout,
):
    """Draws the effect of each latent component, the most active first: a row for each component.

    Each component in turn takes the values while the others stay as in `latent`. Rows are labelled
    with the component ("z1" is the first), and its activeness below.

    Args:
        decode: function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which they are
            clipped with a warning; called once, with n = d * number of values.
        latent: array (d,), the starting point.
        activeness: array (d,), the result of `metrics.activeness`.
        values: values of the traversal, (steps,); by default `steps` of them from -`span` to
            `span`, in the latent's own units: -2 to 2, as in the paper's figures.
        num: number of components drawn; by default all.
        span: half the width of the default range.
        steps: number of default values.
        value_labels: whether the values are written below the columns.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: if an argument or the output of `decode` has another shape or range.

    Example:

    >>> scores = kd.metrics.activeness(generator, 4)
    >>> picture = components_by_activeness(generator, np.zeros(4), scores)

    Reference: Peebles et al., The Hessian Penalty, 2020, Figure 3.
    """
    latent, _ = split_rungs(latent, None)
    activeness = to_numpy("activeness", activeness).astype("float64")
    if activeness.shape != latent.shape or not np.isfinite(activeness).all():
        raise ValueError(
            f"`activeness` must be {latent.size} finite numbers, one for each component. "
            f"Received: activeness={activeness}"
        )
    num = latent.size if num is None else min(check_int("num", num), latent.size)
    # Stable, so that components of equal activeness keep their order.
    order = np.argsort(-activeness, kind="stable")[:num]
    values = checked_values(values, span, steps)
    images = traverse(decode, latent, values)[order]
    labels = [f"z{component + 1}\n{activeness[component]:.2g}" for component in order]
    below = texts_of(values) if check_flag("value_labels", value_labels) else None
    return labelled_grid(images, [num], labels, below, "value", **layout)
