"""What counts as images, and bringing them to a shape."""

import operator

import numpy as np
from PIL import Image


def check_image_shape(image_shape, name="image_shape"):
    """`image_shape` as a tuple (height, width, channels), channels 1 or 3."""
    try:
        shape = tuple(operator.index(size) for size in image_shape)
    except TypeError:
        shape = ()
    if len(shape) != 3 or min(shape) < 1 or shape[2] not in (1, 3):
        raise ValueError(
            f"`{name}` must be (height, width, channels) with 1 or 3 channels. "
            f"Received: {name}={image_shape!r}"
        )
    return shape


def as_uint8_images(images, name):
    """Checks an array of images and returns it as uint8 of shape (n, h, w, c), c = 1 or 3.

    Takes (n, h, w) too. Floats must lie in [0, 1], integers in 0…255. Integers that are only 0
    and 1 (as in the original dSprites file) and booleans are black and white: 1 becomes 255.
    """
    images = np.asanyarray(images)
    received = f"Received: shape={images.shape}, dtype={images.dtype}"
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"`{name}` must be images of shape (n, height, width) or (n, height, width, channels) "
            f"with 1 or 3 channels. {received}"
        )
    if images.size == 0:
        raise ValueError(f"`{name}` must hold at least one image. {received}")
    if images.dtype.kind not in "buif":
        raise ValueError(f"`{name}` must be numbers. {received}")
    low, high = images.min(), images.max()
    limit = 1 if images.dtype.kind in "bf" else 255
    if not (low >= 0 and high <= limit):  # false for NaN as well
        raise ValueError(
            f"`{name}` must lie in {'[0, 1], as floats do' if limit == 1 else '0…255'}, without "
            f"NaN. {received}, from {low} to {high}"
        )
    if low == high:
        raise ValueError(f"`{name}` must not be constant. {received}, every pixel is {low}")
    if images.dtype.kind == "f":
        # In slices, so that a large data set is never held twice as floats.
        out = np.empty(images.shape, np.uint8)
        for start in range(0, len(images), 1024):
            part = slice(start, start + 1024)
            out[part] = np.rint(images[part] * 255)
        return out
    images = images.astype(np.uint8, copy=False)
    return images * np.uint8(255) if high == 1 else images


def fit_picture(picture, image_shape):
    """A Pillow image as a uint8 array of `image_shape`: centre crop to the aspect, then resize."""
    height, width, channels = image_shape
    picture = picture.convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        scale = min(picture.width / width, picture.height / height)
        left = (picture.width - scale * width) / 2
        top = (picture.height - scale * height) / 2
        box = (left, top, left + scale * width, top + scale * height)
        # Cropped first: `resize(box=…)` would let pixels outside the box shine through.
        picture = picture.crop([round(edge) for edge in box])
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture).reshape(image_shape)


def fit_images(images, image_shape):
    """uint8 images (n, h, w, c) brought to `image_shape`, as `fit_picture` does."""
    if image_shape is None or images.shape[1:] == image_shape:
        return images
    out = np.empty((len(images), *image_shape), np.uint8)
    for i, image in enumerate(images):
        out[i] = fit_picture(
            Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image), image_shape
        )
    return out
