"""Traversals of a decoder's latents: the effect of each in a row of images."""

import numpy as np

from keras_disentangle._arguments import check_flag, check_int, check_seed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents import LatentSpace
from keras_disentangle.visualization._labelled_grid import (
    check_labels,
    labelled_grid,
    texts_of,
    with_factors,
)
from keras_disentangle.visualization._rungs import (
    default_values,
    dimension_labels,
    split_rungs,
    texts_of_code,
)
from keras_disentangle.visualization._traverse import (
    checked_values,
    decoded,
    traverse,
    traverse_directions,
)


def latent_traversal(
    decode,
    latent,
    values=None,
    *,
    span=2.5,
    steps=9,
    rungs=None,
    factors=None,
    value_labels=True,
    **layout,
):
    """Draws the effect of each latent dimension: a row for each dimension, a column for each value.

    Each dimension in turn takes the values while the others stay as in `latent`, as in Figures 4
    and 7 of Li et al. (2020). Rows are grouped by rung and labelled "z3·1" for the first dimension
    of the third, most abstract rung, or "z1" for the first dimension of a single rung.

    Args:
        decode: function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which they are
            clipped with a warning; called once, with n = d * number of values.
        latent: array (d,), the starting point.
        values: values of the traversal, (steps,); by default `steps` of them from -`span` to
            `span`, in the latent's own units (standard deviations of the prior), or the values of
            each dimension of a quantised space.
        span: half the width of the default range.
        steps: number of default values.
        rungs: sizes of consecutive groups of dimensions, most abstract first, that add up to d, or
            the `LatentSpace` of a model.
        factors: `None`, or a text for each dimension, such as the factor that it tells most about,
            written below its label; "" for none.
        value_labels: whether the values are written below the columns, or below each row if those
            of the rows differ.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: if an argument or the output of `decode` has another shape or range.

    Example:

    >>> decode = lambda z: np.broadcast_to(z[:, :1, None, None] / 5 + 0.5, (len(z), 28, 28, 1))
    >>> picture = latent_traversal(decode, np.zeros(4), rungs=(2, 2))

    Reference: Li et al., Progressive learning and disentanglement of hierarchical representations,
    2020.
    """
    latent, space = split_rungs(latent, rungs)
    values = default_values(space, values, span, steps)
    images = traverse(decode, latent, values)
    below = None
    if check_flag("value_labels", value_labels):
        # Learnt values differ between the rows.
        below = [texts_of(row) for row in np.broadcast_to(values, images.shape[:2])]
    groups = dimension_labels(space).values()
    labels = with_factors(sum(groups, []), factors)
    return labelled_grid(images, list(map(len, groups)), labels, below, "value", **layout)


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
    value_labels=True,
    **layout,
):
    """Draws the effect of one latent code: a column for each value, a row for each random vector.

    In each row, all other codes are as in one random latent vector, as in Figure 2 of Chen et al.
    (2016). The columns are the categories of a categorical code, or evenly spaced values of
    one dimension of a continuous one.

    Args:
        decode: function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which they are
            clipped with a warning; called once, with n = `rows` * number of values.
        space: the `LatentSpace`.
        name: name of the code.
        dim: index of its dimension, if it is continuous.
        rows: number of random vectors.
        steps: number of values, if it is continuous.
        extent: 1 covers the whole interval of a uniform code and -2 to 2 of a normal one; 2, as in
            the paper's figure ("-2 to 2"), twice as much.
        seed: seed of the random vectors.
        value_labels: whether the values, or the indices of the categories from 0, are written below
            the columns, beside the name of the code.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: if an argument or the output of `decode` has another shape or range.

    Example:

    >>> space = kd.latents.LatentSpace([kd.latents.Normal(1), kd.latents.Categorical(3)])
    >>> picture = code_traversal(generator, space, "categorical", rows=5)

    Reference: Chen et al., InfoGAN, 2016, Figure 2.
    """
    if not isinstance(space, LatentSpace):
        raise ValueError(f"`space` must be a `LatentSpace`. Received: space={space!r}")
    rows, seed = check_int("rows", rows), check_seed("seed", seed)
    latents = to_numpy("space.sample(n)", space.sample(rows, seed))
    latents = np.stack([space.traversal(z, name, dim, steps, extent) for z in latents])
    images = decoded(decode, latents, "decode(latents)")
    below, corner = None, ""
    if check_flag("value_labels", value_labels):
        below = texts_of_code(space, name, dim, latents[0])
        corner = dimension_labels(space, "num_traversals")[name][dim]
    return labelled_grid(images, [rows], None, below, corner, **layout)


def direction_traversal(
    decode,
    latents,
    directions,
    values=None,
    *,
    span=5.0,
    steps=9,
    orthogonal=False,
    labels=None,
    value_labels=True,
    **layout,
):
    """Draws the effect of latent directions: decode(z + eta q), with a column for each value eta.

    There is a row for each direction q and latent vector z: with one vector, a row for each
    direction, as in Figure 6 of Peebles et al. (2020); with one direction, a row for each vector,
    as in Figure 7; with several of both, a group of rows for each direction, one row for each
    vector.

    Args:
        decode: function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which they are
            clipped with a warning; called once, with all values of the first vector along the first
            direction, those of the second vector, and so on, then along the second direction.
        latents: array (d,) or (n, d), the starting points.
        directions: array (d,) or (m, d), the directions as rows.
        values: values of eta, (steps,); by default `steps` of them from -`span` to `span`, in
            lengths of the directions: for unit directions, in the latent's own units.
        span: half the width of the default range.
        steps: number of default values.
        orthogonal: whether each vector is first made orthogonal to the direction of its row, so
            that all of them have the same component along the direction, as in Figure 7.
        labels: a text for each direction, written before its first row; by default "w1", "w2" and
            so on, or no labels for one direction (d,).
        value_labels: whether the values are written below the columns.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: if an argument or the output of `decode` has another shape or range, or a
            direction is 0.

    Example:

    >>> decode = lambda z: np.broadcast_to(z[:, :1, None, None] / 12 + 0.5, (len(z), 28, 28, 1))
    >>> picture = direction_traversal(decode, np.zeros(4), np.eye(4)[:2])

    Reference: Peebles et al., The Hessian Penalty, 2020, section 4.4.
    """
    values = checked_values(values, span, steps)
    images = traverse_directions(decode, latents, directions, values, orthogonal)
    number, rows = images.shape[:2]
    if labels is None:
        is_one = to_numpy("directions", directions).ndim == 1
        labels = [""] if is_one else [f"w{index}" for index in range(1, number + 1)]
    labels = check_labels("labels", labels, number, "direction")
    texts = [text for label in labels for text in [label, *[""] * (rows - 1)]]
    groups = [number] if rows == 1 else [rows] * number
    images = images.reshape(-1, *images.shape[2:])
    below = texts_of(values) if check_flag("value_labels", value_labels) else None
    return labelled_grid(images, groups, texts, below, "step", **layout)
