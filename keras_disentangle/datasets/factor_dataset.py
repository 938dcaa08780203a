"""The base class of data sets with known factors of variation."""

import math

import numpy as np

from keras_disentangle._arguments import check_int, listed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.datasets._image_arrays import check_image_shape
from keras_disentangle.datasets._selection import (
    MOST_ROWS,
    as_generator,
    check_index,
    check_names,
    draw_index,
)
from keras_disentangle.datasets.image_batches import ImageBatches


class FactorDataset:
    """Images of every combination of a few known factors of variation.

    Images are indexed in C order: the last factor varies fastest. A subclass implements
    `images(index)`; `ArrayFactorDataset` stores them in an array, `DSprites` renders them.

    Args:
        factor_names: names of the k factors, strings.
        factor_sizes: number of values of each factor; factor values are integers from 0.
        image_shape: (height, width, channels).

    Raises:
        ValueError: if names and sizes do not match, a size is not a positive integer, or there are
            2**63 combinations or more.

    Example:

    >>> data = kd.datasets.DSprites()
    >>> x = data.images(data.index([[2, 5, 0, 16, 16]]))  # one large heart in the middle
    >>> batches = data.batches(128, seed=0)
    """

    def __init__(self, factor_names, factor_sizes, image_shape):
        self.factor_names = check_names("factor_names", factor_names)
        try:
            sizes = listed(factor_sizes)
        except TypeError as error:
            raise ValueError(
                f"`factor_sizes` must be integers. Received: factor_sizes={factor_sizes!r}"
            ) from error
        self.factor_sizes = tuple(check_int("factor_sizes", size) for size in sizes)
        if math.prod(self.factor_sizes) >= 2**63:
            raise ValueError(
                "`factor_sizes` must have a product below 2**63. "
                f"Received: factor_sizes={self.factor_sizes}"
            )
        self.image_shape = check_image_shape(image_shape, channels=None)
        if not sizes or len(self.factor_names) != len(sizes):
            raise ValueError(
                "`factor_names` and `factor_sizes` must have one entry for each factor. Received: "
                f"factor_names={self.factor_names}, factor_sizes={self.factor_sizes}"
            )

    def __len__(self):
        return math.prod(self.factor_sizes)

    def factors(self, index):
        """The factor values (n, k), int64, of the images with these indices (n,)."""
        index = self._checked_index(index)
        return np.stack(np.unravel_index(index, self.factor_sizes), axis=-1)

    def index(self, factors):
        """The indices (n,), int64, of the images with these factor values (n, k).

        Raises:
            ValueError: if the values are not integers, not (n, k), or out of range.
        """
        factors = to_numpy("factors", factors)
        width = len(self.factor_sizes)
        if factors.ndim != 2 or factors.shape[1] != width or factors.dtype.kind not in "iu":
            raise ValueError(
                f"`factors` must be integers of shape (n, {width}), one column for each of "
                f"{self.factor_names}. Received: shape={factors.shape}, dtype={factors.dtype}"
            )
        outside = (factors < 0) | (factors >= np.array(self.factor_sizes))
        if outside.any():
            row = factors[outside.any(axis=1)][0]
            raise ValueError(
                f"`factors` must lie in 0…size-1 for the sizes {self.factor_sizes} of "
                f"{self.factor_names}. Received: {row.tolist()}"
            )
        return np.ravel_multi_index(tuple(factors.T), self.factor_sizes).astype(np.int64)

    def images(self, index):
        """The images (n, h, w, c), uint8 in 0…255, with these indices (n,)."""
        raise NotImplementedError

    def sample_factors(self, n, rng):
        """Factor values (n, k), int64, each factor uniform and independent.

        Args:
            n: number of rows.
            rng: a `numpy.random.Generator`, or a seed for one.

        Raises:
            ValueError: if `n` is not an integer from 0 to 2**27, or `rng` is neither of these.
        """
        n = check_int("n", n, minimum=0, maximum=MOST_ROWS)
        return as_generator(rng).integers(self.factor_sizes, size=(n, len(self.factor_sizes)))

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
        """Shuffled batches of float32 images in [0, 1], for `Model.fit`.

        Args:
            batch_size: images in a batch.
            seed: integer >= 0; batch i of epoch e depends on (seed, e, i) alone.
            steps_per_epoch: batches in an epoch; the next epoch continues the pass through the
                data. By default, all full batches of one pass.

        Returns:
            A `keras.utils.PyDataset` of tuples `(x,)`, whose `epoch` can be set to resume.
        """
        return ImageBatches(self.images, len(self), batch_size, seed, steps_per_epoch)

    def _checked_index(self, index):
        return check_index(index, len(self))
