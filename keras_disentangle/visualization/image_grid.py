import numpy as np

from keras_disentangle.visualization._pixels import as_uint8


def image_grid(images, columns, padding=1):
    """Lays images out in rows, left to right, on white.

    Args:
        images: Array (n, h, w, c) of floats in [0, 1] or of uint8; c one of 1, 3, 4.
        columns: Number of images in a row; the last row is filled up with white.
        padding: White pixels around each image.

    Returns:
        uint8 array (rows * (h + padding) + padding, columns * (w + padding) + padding, c).

    Raises:
        ValueError: If `images` has another shape or range, or `columns` or `padding` is too small.

    Example:

    >>> image_grid(np.zeros((6, 8, 8, 1)), columns=3).shape
    (19, 28, 1)
    """
    images = as_uint8(images)
    if columns < 1:
        raise ValueError(f"`columns` must be at least 1. Received: columns={columns}")
    if padding < 0:
        raise ValueError(f"`padding` must not be negative. Received: padding={padding}")
    number, height, width, channels = images.shape
    height, width = height + padding, width + padding
    rows = -(-number // columns)
    grid = np.full((rows * height + padding, columns * width + padding, channels), 255, "uint8")
    for index, image in enumerate(images):
        top = index // columns * height + padding
        left = index % columns * width + padding
        grid[top : top + image.shape[0], left : left + image.shape[1]] = image
    return grid
