"""Pixels of pictures: uint8, with 1, 3 or 4 channels."""

import warnings

import numpy as np

from keras_disentangle._tensors import to_numpy

CHANNELS = (1, 3, 4)  # grey, RGB, RGBA
# Larger numbers are on another scale, usually 0 to 255.
_LARGEST = 16


def as_uint8(images, name="images"):
    """Converts images (n, h, w, c), floats on the scale [0, 1] or uint8, to uint8.

    Numbers outside [0, 1], such as the means of a Gaussian decoder, are clipped with a warning.

    Raises:
        ValueError: if `images` is anything else; if a number is not finite, or its magnitude is
            above 16.
    """
    images = to_numpy(name, images)
    if images.ndim != 4 or images.shape[-1] not in CHANNELS or not images.size:
        is_first = images.ndim == 4 and images.shape[1] in CHANNELS
        raise ValueError(
            f"`{name}` must be images of shape (n, h, w, c) with n > 0 and c in {CHANNELS}. "
            f"Received: shape {images.shape}" + " (channels must come last)" * is_first
        )
    if images.dtype == np.uint8:
        return images
    images = images.astype("float32")
    low, high = images.min(), images.max()
    # Written so that NaN fails the comparison too.
    if not max(-low, high) <= _LARGEST:
        raise ValueError(
            f"`{name}` must be uint8 or hold numbers in [0, 1]. "
            f"Received: numbers from {low} to {high}"
        )
    # By rounding, the result of a sigmoid or of resizing may lie slightly outside.
    if low < -1e-3 or high > 1 + 1e-3:
        warnings.warn(
            f"`{name}` holds numbers from {low:.3g} to {high:.3g}: shown clipped to [0, 1]",
            stacklevel=3,
        )
    return np.rint(255 * images.clip(0, 1)).astype("uint8")


def check_picture(image, name="image"):
    """Returns `image` as an array; a ValueError for anything but uint8 of shape (h, w, c)."""
    image = to_numpy(name, image)
    if (
        image.ndim != 3
        or image.shape[-1] not in CHANNELS
        or image.dtype != np.uint8
        or not image.size
    ):
        raise ValueError(
            f"`{name}` must be uint8 of shape (h, w, c) with c in {CHANNELS}. "
            f"Received: {image.dtype} of shape {image.shape}"
        )
    return image
