import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.visualization._labelled_grid import check_labels, labelled_grid
from keras_disentangle.visualization._pixels import as_uint8


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
