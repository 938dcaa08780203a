"""What every picture here has in common: uint8 pixels with 1, 3 or 4 channels."""

import numpy as np

CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


def as_uint8(images, name="images"):
    """Converts images (n, h, w, c) in [0, 1], or uint8, to uint8; refuses anything else."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in CHANNELS or not images.size:
        raise ValueError(
            f"`{name}` must be images of shape (n, h, w, c) with n > 0 and c in {CHANNELS}. "
            f"Received: shape {images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    images = images.astype("float32")
    # Rounding may carry a sigmoid's or a resize's result a little past the ends. Written so that
    # NaN fails the comparison too.
    if not (images.min() >= -1e-3 and images.max() <= 1 + 1e-3):
        raise ValueError(
            f"`{name}` must be uint8 or hold numbers in [0, 1]. "
            f"Received: numbers from {images.min()} to {images.max()}"
        )
    return np.rint(255 * images.clip(0, 1)).astype("uint8")


def check_picture(image, name="image"):
    """Returns `image` as an array; refuses anything but uint8 of shape (h, w, c)."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] not in CHANNELS or image.dtype != np.uint8:
        raise ValueError(
            f"`{name}` must be uint8 of shape (h, w, c) with c in {CHANNELS}. "
            f"Received: {image.dtype} of shape {image.shape}"
        )
    return image
