from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import to_numpy


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
