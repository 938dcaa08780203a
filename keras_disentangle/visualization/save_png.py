from keras_disentangle._files import write_whole
from keras_disentangle.visualization._files import encode_png


def save_png(path, image):
    """Writes an image as a PNG file, whole or not at all.

    Args:
        path: Where to; missing folders are made.
        image: uint8 array (h, w, c), c one of 1, 3, 4.

    Raises:
        ValueError: If `image` is not such an array.

    Example:

    >>> save_png("pictures/grid.png", kd.visualization.image_grid(images, columns=8))
    """
    write_whole(path, encode_png(image))
