"""Images in an array, one for each combination of factors."""

import math

from keras_disentangle.datasets._image_arrays import as_uint8_images
from keras_disentangle.datasets.factor_dataset import FactorDataset


class ArrayFactorDataset(FactorDataset):
    """A factor data set with images in one array, in C order of their factors.

    Args:
        images: array (n, h, w, c) or (n, h, w), n the product of the sizes; uint8 in 0…255 or
            floats in [0, 1]. Integers that are only 0 and 1 are black and white (1 becomes 255).
            Images of a memory map or an h5py data set are read when they are accessed.
        factor_sizes: number of values of each factor; the last factor varies fastest.
        factor_names: names of the factors.

    Raises:
        ValueError: if the images are empty, constant, NaN, out of range, of the wrong rank, or not
            one for each combination of factors.

    Example:

    >>> images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype="uint8")
    >>> data = kd.datasets.ArrayFactorDataset(images, (4, 10), factor_names=("colour", "angle"))
    """

    def __init__(self, images, factor_sizes, factor_names):
        self._array = as_uint8_images(images, "images", stay_in_file=True)
        super().__init__(factor_names, factor_sizes, self._array.shape[1:])
        if len(self) != len(self._array):
            raise ValueError(
                f"`images` must hold {math.prod(self.factor_sizes)} images, one for each "
                f"combination of factor_sizes={self.factor_sizes}. Received: {len(self._array)}"
            )

    def images(self, index):
        return self._array[self._checked_index(index)]
