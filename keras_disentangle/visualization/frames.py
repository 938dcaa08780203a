"""Frames of animations along a decoder's latent dimensions or directions."""

import math

import numpy as np

from keras_disentangle.visualization._labelled_grid import labelled_grid
from keras_disentangle.visualization._rungs import code_labels, default_values, split_rungs
from keras_disentangle.visualization._traverse import checked_values, traverse, traverse_directions
from keras_disentangle.visualization.grids import image_grid


def traversal_frames(decode, latent, values=None, *, span=2.5, steps=25, rungs=None, **layout):
    """Draws a traversal of all latent dimensions at once, as frames that run forth and back.

    In each frame, a row is a rung and a column one of its dimensions: in that image, the dimension
    has the frame's value and the others are as in `latent`.

    Args:
        decode: function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which they are
            clipped with a warning; called once, with n = d * number of values.
        latent: array (d,), the starting point.
        values: values of the traversal, (steps,); by default `steps` of them from -`span` to
            `span`, or those of a quantised space.
        span: half the width of the default range.
        steps: number of default values.
        rungs: sizes of consecutive groups of dimensions, most abstract first, that add up to d, or
            the `LatentSpace` of a model.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        List of `Picture`, 2 * (steps - 1) uint8 arrays (H, W, c), which form a loop.

    Raises:
        ValueError: if an argument or the output of `decode` has another shape or range.

    Example:

    >>> frames = traversal_frames(model.decode, np.zeros(4), rungs=(2, 2))
    >>> kd.visualization.save_gif("traversal.gif", frames)
    """
    latent, space = split_rungs(latent, rungs)
    labels, parts = list(code_labels(space).values()), list(space.slices.values())
    images = traverse(decode, latent, default_values(space, values, span, steps))
    # Rungs may differ in size: shorter rows are padded with white.
    width = max(code.dim for code in space.codes)
    canvas = np.full((len(parts), width, *images.shape[2:]), 255, "uint8")
    frames = []
    for step in range(images.shape[1]):
        for row, part in zip(canvas, parts, strict=True):
            row[: part.stop - part.start] = images[part, step]
        frames.append(labelled_grid(canvas, [1] * len(labels), labels, **layout))
    return frames + frames[-2:0:-1]


def direction_frames(
    decode,
    latents,
    directions,
    values=None,
    *,
    span=5.0,
    steps=25,
    orthogonal=False,
    **layout,
):
    """Draws movement along several directions at once, as frames that run forth and back.

    In the frame of a value eta, each cell shows decode(z + eta q) for another direction q: with one
    latent vector, the cells fill a square row by row; with several vectors, there is a row for each
    vector and a column for each direction.

    Args:
        decode: function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which they are
            clipped with a warning; called once, in the order of `direction_traversal`.
        latents: array (d,) or (n, d), the starting points.
        directions: array (d,) or (m, d), the directions as rows.
        values: values of eta, (steps,); by default `steps` of them from -`span` to `span`, in
            lengths of the directions.
        span: half the width of the default range.
        steps: number of default values.
        orthogonal: whether each vector is first made orthogonal to the direction of its cell.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        List of `Picture`, 2 * (steps - 1) uint8 arrays (H, W, c), which form a loop.

    Raises:
        ValueError: if an argument or the output of `decode` has another shape or range, or a
            direction is 0.

    Example:

    >>> frames = direction_frames(model.decode, np.zeros(4), np.eye(4))
    >>> kd.visualization.save_gif("directions.gif", frames)

    Reference: Peebles et al., The Hessian Penalty, 2020, section 4.4.
    """
    values = checked_values(values, span, steps)
    images = traverse_directions(decode, latents, directions, values, orthogonal)
    number, rows = images.shape[:2]
    columns = math.ceil(math.sqrt(number)) if rows == 1 else number
    # For each value, the cells row by row.
    cells = images.transpose(2, 1, 0, 3, 4, 5).reshape(images.shape[2], -1, *images.shape[3:])
    frames = [image_grid(frame, columns, **layout) for frame in cells]
    return frames + frames[-2:0:-1]
