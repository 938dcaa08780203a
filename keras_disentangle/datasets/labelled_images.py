"""Images with factors that do not form a full grid."""

import numpy as np

from keras_disentangle._files import open_npz
from keras_disentangle._tensors import to_numpy
from keras_disentangle.datasets._grid import grid_order
from keras_disentangle.datasets._image_arrays import as_uint8_images
from keras_disentangle.datasets._selection import as_path, check_index, check_names, draw_index
from keras_disentangle.datasets.array_factor_dataset import ArrayFactorDataset
from keras_disentangle.datasets.image_batches import ImageBatches


class LabelledImages:
    """Images with factors or attributes that do not form a full grid, such as CelebA's.

    `kd.evaluate` takes it for every metric of codes and factors. Metrics that hold one factor fixed
    while others change, `factor_vae` and `beta_vae`, need a `FactorDataset`.

    Args:
        images: array (n, h, w, c) or (n, h, w): uint8 in 0…255 or floats in [0, 1]. Images
            of a memory map or an h5py data set are read when they are accessed.
        factors: integer array (n, k), or (n,) for a single factor: the index of its value.
        factor_names: names of the factors; by default factor_1, factor_2, …

    Raises:
        ValueError: if `images` are not images, `factors` are not integers, or the numbers of
            images, factors and names do not match.

    Example:

    >>> images, digits = kd.datasets.load_images("mnist", data_dir="data")
    >>> bold = images.mean(axis=(1, 2, 3)) > np.median(images.mean(axis=(1, 2, 3)))
    >>> factors = np.stack([digits, bold], axis=1)
    >>> kd.evaluate(model, kd.datasets.LabelledImages(images, factors, ("digit", "bold")))
    """

    def __init__(self, images, factors, factor_names=None):
        self._images = as_uint8_images(images, "images", stay_in_file=True)
        self._factors = _check_factors(factors, len(self._images))
        self.factor_names = _check_names(factor_names, self._factors.shape[1])
        self.image_shape = self._images.shape[1:]

    def __len__(self):
        return len(self._images)

    def images(self, index):
        """The images (n, h, w, c), uint8, with these indices (n,)."""
        return self._images[check_index(index, len(self))]

    def factors(self, index):
        """The factors (n, k), int64, of the images with these indices (n,)."""
        return self._factors[check_index(index, len(self))]

    def sample_index(self, n, rng):
        """Indices (n,) of images drawn without replacement; fewer if the data set is smaller.

        Args:
            n: number of images.
            rng: a `numpy.random.Generator`, or a seed for one.

        Raises:
            ValueError: if `n` is not an integer from 0 to 2**27, or `rng` is neither of these.
        """
        return draw_index(n, len(self), rng)

    def batches(self, batch_size, seed, steps_per_epoch=None):
        """Shuffled batches of float32 images in [0, 1], as from a `FactorDataset`."""
        return ImageBatches(self.images, len(self), batch_size, seed, steps_per_epoch)

    def pairs(self, *args, **kwargs):
        """Raises a ValueError: images that differ in some factors alone exist in a grid."""
        raise ValueError(
            "`data` must be a `FactorDataset` for pairs: without a full grid of factors, an image "
            f"that differs in some of them alone may not exist. Received: {type(self).__name__} of "
            f"{len(self)} images"
        )

    transitions = pairs


def load_labelled_images(path):
    """Reads images and their factors from an npz file.

    Args:
        path: a file with arrays `images` (n, h, w) or (n, h, w, c), uint8 or floats in [0, 1], and
            `factors` (n, k) or (n,), integers; optionally `factor_names` (k,).

    Returns:
        An `ArrayFactorDataset`, for which every metric is available, if each combination of the
        factors' values occurs once, in any order; otherwise `LabelledImages`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, an array is missing, or as `LabelledImages`.

    Example:

    >>> factors = np.indices((4, 8)).reshape(2, -1).T  # one row for each of the 32 images
    >>> np.savez("mine.npz", images=images, factors=factors, factor_names=["hue", "size"])
    >>> kd.evaluate(model, kd.datasets.load_labelled_images("mine.npz"))
    """
    path = as_path("path", path)
    if not path.is_file():
        raise FileNotFoundError(f"`path`: there is no file {path}")
    with open_npz(path) as arrays:
        if not {"images", "factors"} <= set(arrays):
            raise ValueError(f"{path} must hold images and factors. Received: {sorted(arrays)}")
        images, factors, names = (
            arrays.get(name) for name in ("images", "factors", "factor_names")
        )
    try:
        return _labelled(images, factors, names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _labelled(images, factors, names):
    images = as_uint8_images(images, "images")
    factors = _check_factors(factors, len(images))
    names = _check_names(names, factors.shape[1])
    values = [np.unique(factor, return_inverse=True) for factor in factors.T]
    sizes = [len(found) for found, _ in values]
    try:
        order = grid_order(np.stack([number for _, number in values], axis=1), sizes)
    except ValueError:
        return LabelledImages(images, factors, names)
    return ArrayFactorDataset(images[order], sizes, names)


def _check_factors(factors, num_images):
    factors = to_numpy("factors", factors)
    if factors.ndim == 1:
        factors = factors[:, None]
    if factors.ndim != 2 or len(factors) != num_images or 0 in factors.shape:
        raise ValueError(
            f"`factors` must be of shape ({num_images}, k), a row for each image. "
            f"Received: factors.shape={factors.shape}"
        )
    if factors.dtype.kind not in "biu":
        raise ValueError(
            "`factors` must be integers, the index of each factor's value: for a column of values, "
            "np.unique(values, return_inverse=True)[1], or np.digitize if it is continuous. "
            f"Received: factors.dtype={factors.dtype}"
        )
    return factors.astype(np.int64)


def _check_names(names, width):
    if names is None:
        return tuple(f"factor_{k}" for k in range(1, width + 1))
    names = check_names("factor_names", names)
    if len(names) != width:
        raise ValueError(
            f"`factor_names` must be {width} names, one for each factor. Received: {names}"
        )
    return names
