"""Images to explore: of a data set, an array, or a file that someone uploads."""

import numpy as np
from PIL import UnidentifiedImageError

from keras_disentangle.datasets import _pictures
from keras_disentangle.datasets._image_arrays import as_uint8_images, fit_picture

MOST_BYTES = 20_000_000  # of a file


class Pictures:
    """The data given to an explorer, as uint8 images of the model's shape.

    Attributes:
        factor_names: tuple of the factors' names; empty if there are none.

    Args:
        data: `None`, an array of images, or a data set with `images` and perhaps `factors`.
        image_shape: (h, w, c) of the model's images.

    Raises:
        ValueError: if it is neither, or the images have other channels.
    """

    def __init__(self, data, image_shape):
        self._data, self._shape, self.factor_names = data, tuple(image_shape), ()
        if data is None:
            return
        if hasattr(data, "images") and hasattr(data, "image_shape"):
            shape = tuple(data.image_shape)
            if hasattr(data, "factors"):
                self.factor_names = tuple(data.factor_names)
        else:
            self._data = as_uint8_images(data, "data")
            shape = self._data.shape[1:]
        if shape != self._shape:
            raise ValueError(
                f"`data` must hold images of the model's shape, {self._shape}. "
                f"Received: images of {shape}"
            )

    def __len__(self):
        return 0 if self._data is None else len(self._data)

    def images(self, index):
        return self._data.images(index) if hasattr(self._data, "images") else self._data[index]

    def factors(self, index):
        return self._data.factors(index)

    def sample(self, number, seed):
        """Indices of images, drawn as the data set says."""
        return np.asarray(self._data.sample_index(number, np.random.default_rng(seed)))

    def read(self, content):
        """The bytes of an image file as uint8 (h, w, c)."""
        if len(content) > MOST_BYTES:
            raise ValueError(
                f"The file must have at most {MOST_BYTES // 10**6} MB. "
                f"Received: {len(content) / 1e6:.1f} MB"
            )
        try:
            picture, _ = _pictures.decode(content)
        except Exception as error:  # Pillow raises many kinds.
            what = "bytes that are none" if isinstance(error, UnidentifiedImageError) else error
            raise ValueError(
                f"The file must be a PNG, JPEG or another common image. Received: {what}"
            ) from error
        return fit_picture(picture, self._shape)
