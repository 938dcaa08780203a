"""Grids of images."""

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._labelled_grid import check_labels, labelled_grid
from keras_disentangle.visualization._pixels import as_uint8


def enlarge(images, height=64):
    """Enlarges small images for display, by repeating their pixels.

    Args:
        images: array or tensor (n, h, w, c).
        height: the approximate height to reach, in pixels; larger images are left as they are.

    Returns:
        Array (n, f * h, f * w, c), where the integer f >= 1 brings f * h closest to `height`.

    Raises:
        ValueError: if `images` has another shape, or `height` is not a positive integer.

    Example:

    >>> enlarge(np.zeros((1, 32, 32, 1))).shape
    (1, 64, 64, 1)
    """
    images, height = to_numpy("images", images), check_int("height", height)
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(f"`images` must be of shape (n, h, w, c). Received: shape {images.shape}")
    factor = max(1, round(height / images.shape[1]))
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def image_grid(images, columns, padding=1, *, row_labels=None, column_labels=None):
    """Lays images out in rows, left to right, on white.

    Args:
        images: array or tensor (n, h, w, c) of floats in [0, 1], beyond which they are clipped with
            a warning, or of uint8; c one of 1, 3, 4.
        columns: number of images in a row; the last row is padded with white.
        padding: white pixels around each image.
        row_labels: `None`, or a text for each row, written left of it.
        column_labels: `None`, or a text for each column, written above it.

    Returns:
        `Picture`, a uint8 array (H, W, c); without labels, H = rows * (h + padding) + padding and W
        = columns * (w + padding) + padding.

    Raises:
        ValueError: if `images` has another shape or range, `columns` or `padding` is too small, or
            the number of labels is not that of the rows or columns.

    Example:

    >>> image_grid(np.zeros((6, 8, 8, 1)), columns=3).shape
    (19, 28, 1)
    """
    images = as_uint8(images)
    columns = check_int("columns", columns)
    rows = -(-len(images) // columns)
    row_labels = check_labels("row_labels", row_labels, rows, "row")
    column_labels = check_labels("column_labels", column_labels, columns, "column")
    canvas = np.full((rows * columns, *images.shape[1:]), 255, "uint8")
    canvas[: len(images)] = images
    canvas = canvas.reshape(rows, columns, *images.shape[1:])
    return labelled_grid(canvas, [rows], row_labels, padding, column_labels)


def reconstruction_grid(images, reconstructions, columns=8, padding=1):
    """Draws images with their reconstructions below them, `columns` pairs side by side.

    Args:
        images: array or tensor (n, h, w, c) of floats in [0, 1], beyond which they are clipped with
            a warning, or of uint8.
        reconstructions: likewise, of the same shape.
        columns: number of pairs in a row.
        padding: white pixels around each image.

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
    return labelled_grid(
        pairs.reshape(-1, *pairs.shape[2:]), [2] * blocks, labels=None, padding=padding
    )
