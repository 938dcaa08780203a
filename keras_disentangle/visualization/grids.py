"""Grids of images."""

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.visualization._labelled_grid import check_labels, labelled_grid
from keras_disentangle.visualization._pixels import as_uint8


def image_grid(
    images, columns, padding=1, *, row_labels=None, column_labels=None, height=96, title=None
):
    """Lays images out in rows, left to right, on white.

    Args:
        images: array or tensor (n, h, w, c) of floats in [0, 1], beyond which they are clipped with
            a warning, or of uint8; c one of 1, 3, 4.
        columns: number of images in a row; the last row is padded with white.
        padding: white pixels around each image.
        row_labels: `None`, or a text for each row, written left of it.
        column_labels: `None`, or a text for each column, written below it.
        height: smaller images are enlarged at least to this height in pixels, by `enlarge`; 1
            leaves them as they are.
        title: `None`, or a text above the picture.

    Returns:
        `Picture`, a uint8 array (H, W, c); without texts, H = rows * (h + padding) + padding and W
        = columns * (w + padding) + padding, with h and w those of the enlarged images.

    Raises:
        ValueError: if `images` has another shape or range, `columns` or `padding` is too small, or
            the number of labels is not that of the rows or columns, or `title` is no text.

    Example:

    >>> image_grid(np.zeros((6, 8, 8, 1)), columns=3).shape
    (195, 292, 1)
    """
    images = as_uint8(images)
    columns = check_int("columns", columns)
    rows = -(-len(images) // columns)
    row_labels = check_labels("row_labels", row_labels, rows, "row")
    column_labels = check_labels("column_labels", column_labels, columns, "column")
    canvas = np.full((rows * columns, *images.shape[1:]), 255, "uint8")
    canvas[: len(images)] = images
    canvas = canvas.reshape(rows, columns, *images.shape[1:])
    layout = {"padding": padding, "height": height, "title": title}
    return labelled_grid(canvas, [rows], row_labels, column_labels, **layout)


def reconstruction_grid(images, reconstructions, columns=8, **layout):
    """Draws images with their reconstructions below them, `columns` pairs side by side.

    Args:
        images: array or tensor (n, h, w, c) of floats in [0, 1], beyond which they are clipped with
            a warning, or of uint8.
        reconstructions: likewise, of the same shape.
        columns: number of pairs in a row.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: if the shapes differ, or an argument has another shape or range.

    Example:

    >>> picture = reconstruction_grid(images, model.reconstruct(images))
    """
    originals = as_uint8(images, "images")
    reconstructions = as_uint8(reconstructions, "reconstructions")
    if originals.shape != reconstructions.shape:
        raise ValueError(
            "`images` and `reconstructions` must have one shape. "
            f"Received: {originals.shape} and {reconstructions.shape}"
        )
    columns = min(check_int("columns", columns), len(originals))
    blocks = -(-len(originals) // columns)
    pairs = np.full((blocks, 2, columns, *originals.shape[1:]), 255, "uint8")
    for index, pair in enumerate(zip(originals, reconstructions, strict=True)):
        pairs[index // columns, :, index % columns] = pair
    labels = ["image", "reconstruction"] * blocks
    return labelled_grid(pairs.reshape(-1, *pairs.shape[2:]), [2] * blocks, labels, **layout)
