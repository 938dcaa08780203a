"""Larger copies of small images."""

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import to_numpy


def enlarge(images, height=96):
    """Enlarges small images for display, by repeating their pixels.

    Args:
        images: array or tensor (n, h, w, c).
        height: the height to reach at least, in pixels, from 1 to 4096; larger images are left as
            they are.

    Returns:
        Array (n, f * h, f * w, c), where f is the smallest integer with f * h >= `height`.

    Raises:
        ValueError: if `images` has another shape, or `height` is out of range.

    Example:

    >>> enlarge(np.zeros((1, 28, 28, 1))).shape
    (1, 112, 112, 1)
    """
    images, height = to_numpy("images", images), check_int("height", height, maximum=4096)
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(f"`images` must be of shape (n, h, w, c). Received: shape {images.shape}")
    factor = -(-height // images.shape[1])
    return images.repeat(factor, axis=1).repeat(factor, axis=2)
