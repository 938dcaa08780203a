"""Checks of image arrays, and their conversion to a shape."""

import numpy as np
from PIL import Image

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import read_rows, to_numpy

_LARGEST_SIDE = 2**16
_ROWS = 1024  # images read or converted at once, so that the working memory stays small


def check_image_shape(image_shape, channels=(1, 3)):
    """`image_shape` as a tuple (height, width, channels), with any channels for `None`."""
    try:
        shape = tuple(check_int("image_shape", size, maximum=_LARGEST_SIDE) for size in image_shape)
    except (TypeError, ValueError):
        shape = ()
    if len(shape) != 3 or (channels and shape[2] not in channels):
        raise ValueError(
            f"`image_shape` must be (height, width, channels){' with 1 or 3' * bool(channels)} "
            f"channels, sizes up to {_LARGEST_SIDE}. Received: image_shape={image_shape!r}"
        )
    return shape


def as_uint8_images(images, name, stay_in_file=False):
    """Checks an array of images and returns it as uint8 of shape (n, h, w, c), c = 1 or 3.

    It also takes (n, h, w). Floats must lie in [0, 1], integers in 0…255. Booleans, and integers
    that are only 0 and 1 (as in the original dSprites file), are black and white: 1 becomes 255.
    With `stay_in_file`, a memory map or an h5py data set becomes `StoredImages`.
    """
    if stay_in_file and (isinstance(images, np.memmap) or hasattr(images, "read_direct")):
        return StoredImages(images, name)
    images = to_numpy(name, images)
    check_images(images, name)
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype.kind != "f":
        images = images.astype(np.uint8, copy=False)
        return images * np.uint8(255) if images.max() == 1 else images
    # In slices, so that a large data set is never held twice as floats.
    out = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), _ROWS):
        part = slice(start, start + _ROWS)
        out[part] = np.rint(images[part] * 255)
    return out


class StoredImages:
    """Images in a file, read when they are accessed, converted as by `as_uint8_images`.

    On creation, all images are read once, in batches, for the range of their values.
    """

    def __init__(self, images, name):
        self._highest = check_images(images, name)
        self._images = images
        rank = len(images.shape)
        self.shape = (*images.shape, 1) if rank == 3 else tuple(images.shape)

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index):
        """The images with the indices `index`, int64 (n,): uint8 (n, h, w, c)."""
        if not len(index):
            return np.empty((0, *self.shape[1:]), np.uint8)
        images = read_rows(self._images, index).reshape(-1, *self.shape[1:])
        if images.dtype.kind == "f":
            return np.rint(images * 255).astype(np.uint8)
        return images.astype(np.uint8) * np.uint8(255 if self._highest == 1 else 1)


def check_images(images, name):
    """Checks that an array holds images; returns the largest value of a pixel.

    Args:
        images: a sliceable object with `shape` and `dtype`.
        name: name of the argument in errors.

    Raises:
        ValueError: if the shape, the dtype or the range does not fit, or all pixels are equal.
    """
    shape, dtype = tuple(images.shape), images.dtype
    received = f"Received: shape={shape}, dtype={dtype}"
    if len(shape) != 3 and not (len(shape) == 4 and shape[-1] in (1, 3)):
        raise ValueError(
            f"`{name}` must be images of shape (n, height, width) or (n, height, width, channels) "
            f"with 1 or 3 channels. {received}"
        )
    if 0 in shape:
        raise ValueError(f"`{name}` must hold at least one image. {received}")
    if dtype.kind not in "buif":
        raise ValueError(f"`{name}` must be numbers. {received}")
    parts = (images[start : start + _ROWS] for start in range(0, len(images), _ROWS))
    low, high = np.array([(part.min(), part.max()) for part in parts]).T
    low, high = low.min(), high.max()  # NaN if there is one
    limit = 1 if dtype.kind in "bf" else 255
    if not (low >= 0 and high <= limit):  # false for NaN as well
        raise ValueError(
            f"`{name}` must lie in {'[0, 1], as floats do' if limit == 1 else '0…255'}, without "
            f"NaN. {received}, from {low} to {high}"
        )
    if low == high:
        raise ValueError(f"`{name}` must not be constant. {received}, every pixel is {low}")
    return high


def fit_picture(picture, image_shape):
    """A Pillow image as a uint8 array of `image_shape`: centre crop to the aspect, then resize."""
    height, width, channels = image_shape
    picture = picture.convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        scale = min(picture.width / width, picture.height / height)
        left = (picture.width - scale * width) / 2
        top = (picture.height - scale * height) / 2
        box = (left, top, left + scale * width, top + scale * height)
        # Cropped first, because `resize(box=…)` would include pixels outside the box.
        left, top, right, bottom = (round(edge) for edge in box)
        picture = picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture).reshape(image_shape)


def fit_images(images, image_shape):
    """Crops and resizes uint8 images (n, h, w, c) to `image_shape`, as `fit_picture` does."""
    if image_shape is None or images.shape[1:] == image_shape:
        return images
    out = np.empty((len(images), *image_shape), np.uint8)
    for i, image in enumerate(images):
        out[i] = fit_picture(
            Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image), image_shape
        )
    return out
