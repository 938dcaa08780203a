"""Grids of images."""

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._labelled_grid import check_labels, labelled_grid
from keras_disentangle.visualization._pixels import as_uint8


def enlarge(images, height=64):
    """Repeats the pixels of small images, for people to see them.

    Args:
        images: Array or tensor (n, h, w, c).
        height: The height to come near to, in pixels; larger images are left as they are.

    Returns:
        Array (n, f * h, f * w, c) with the whole number f that brings h next to `height`.

    Raises:
        ValueError: If `images` has another shape, or `height` is no positive integer.

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
        images: Array or tensor (n, h, w, c) of floats in [0, 1], beyond which they are clipped with
            a warning, or of uint8; c one of 1, 3, 4.
        columns: Number of images in a row; the last row is filled up with white.
        padding: White pixels around each image.
        row_labels: None, or a text for each row, which stands left of it.
        column_labels: None, or a text for each column, which stands above it.

    Returns:
        `Picture`, a uint8 array (H, W, c): without labels, of (rows * (h + padding) + padding,
        columns * (w + padding) + padding, c).

    Raises:
        ValueError: If `images` has another shape or range, `columns` or `padding` is too small, or
            there are more or fewer labels than rows or columns.

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
        images: Array or tensor (n, h, w, c) of floats in [0, 1], beyond which they are clipped with
            a warning, or of uint8.
        reconstructions: Likewise, of the same shape.
        columns: Number of pairs in a row.
        padding: White pixels around each image.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: If the shapes differ, or an argument has another shape or range.

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
