"""What the latents of a decoder do, one after another: a row for each."""

import numpy as np

from keras_disentangle._arguments import check_flag, check_int, check_seed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents import LatentSpace
from keras_disentangle.visualization._labelled_grid import check_labels, labelled_grid, texts_of
from keras_disentangle.visualization._rungs import dimension_labels, split_rungs
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
        rungs: Sizes of consecutive groups of dimensions, most abstract first, that add up to d, or
            the `LatentSpace` of a model.
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
    latent, space = split_rungs(latent, rungs)
    values = checked_values(values, span, steps)
    images = traverse(decode, latent, values)
    above = texts_of(values) if check_flag("value_labels", value_labels) else None
    labels = dimension_labels(space).values()
    return labelled_grid(images, list(map(len, labels)), sum(labels, []), padding, above)


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
    value_labels=False,
    padding=1,
):
    """Draws what directions of a latent space do: a column for each value eta, decode(z + eta q).

    There is a row for each direction q and latent vector z: with one vector, a row for each
    direction, as in Figure 6 of Peebles et al. (2020); with one direction, a row for each vector,
    as in Figure 7; with several of both, for each direction a group of rows, one for each vector.

    Args:
        decode: Function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which
            they are clipped with a warning; called once, with all values of the first vector along
            the first direction, those of the second vector, and so on, then along the second
            direction.
        latents: Array (d,) or (n, d), the vectors from which to set out.
        directions: Array (d,) or (m, d), the directions as rows.
        values: Values of eta, (steps,); by default `steps` of them from -`span` to `span`, in
            lengths of the directions: for unit directions, in the latent's own units.
        span: Half the width of the default range.
        steps: Number of default values.
        orthogonal: Whether each vector is first made orthogonal to the direction of its row, so
            that all of them start alike in what the direction moves, as in Figure 7.
        labels: A text for each direction, which stands before its first row; by default "w1",
            "w2" and so on, or none if there is one direction (d,).
        value_labels: Whether the values stand above the columns.
        padding: White pixels around each image.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: If an argument, or what `decode` returns, has another shape or range, or a
            direction is 0.

    Example:

    >>> decode = lambda z: np.broadcast_to(z[:, :1, None, None] / 12 + 0.5, (len(z), 28, 28, 1))
    >>> picture = direction_traversal(decode, np.zeros(4), np.eye(4)[:2])

    Reference:
        Peebles et al., The Hessian Penalty, 2020, section 4.4.
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
    above = texts_of(values) if check_flag("value_labels", value_labels) else None
    return labelled_grid(images, groups, texts if any(texts) else None, padding, above)
