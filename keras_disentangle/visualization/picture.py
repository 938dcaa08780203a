"""The type of all pictures."""

import numpy as np

from keras_disentangle.visualization._pixels import CHANNELS
from keras_disentangle.visualization.files import encode_png


class Picture(np.ndarray):
    """A picture as a NumPy array that notebooks display as an image.

    In all other respects it is an array: results computed from it are plain arrays, as is
    `numpy.asarray` of it. All pictures of this library have this type; `array.view(Picture)`
    converts any other.

    Example:

    >>> grid = kd.visualization.image_grid(np.zeros((6, 8, 8, 1)), columns=3)
    >>> grid
    <Picture of 195 × 292 pixels, 1 channel>
    >>> int(grid.max())
    255
    """

    @property
    def _is_shown(self):
        # A slice of a picture, such as one channel, may not be a picture.
        is_image = self.ndim == 3 and self.shape[-1] in CHANNELS and self.size
        return bool(is_image) and self.dtype == np.uint8

    def _repr_png_(self):
        return encode_png(self) if self._is_shown else None

    def __repr__(self):
        if not self._is_shown:
            return repr(np.asarray(self))
        height, width, channels = self.shape
        plural = "s" if channels > 1 else ""
        return f"<Picture of {height} × {width} pixels, {channels} channel{plural}>"

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return np.asarray(array)[()] if return_scalar else np.asarray(array)
