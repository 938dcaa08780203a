"""The base class of data sets with known factors of variation."""

import math

import numpy as np

from keras_disentangle._arguments import check_int, listed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.datasets._image_arrays import check_image_shape
from keras_disentangle.datasets._pairs import PairBatches, change_of, transition_of
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

    def sample_pairs(self, n, rng, num_changed=1):
        """Factor values (n, 2, k), int64, of pairs that differ in exactly `num_changed` factors.

        Which factors change is drawn uniformly, and so is each new value, which is never the old
        one. Factors with a single value do not count. In a `WeightedFactors`, the probability of a
        pair is also in proportion to the product of the two weights.

        Args:
            n: number of pairs.
            rng: a `numpy.random.Generator`, or a seed for one.
            num_changed: number of factors that differ; or several such numbers, of which one is
                drawn for each pair (`range(1, 4)`); or `None`, for all from 1 to k - 1.

        Raises:
            ValueError: if an argument is out of range, no factor has two values, or hardly any
                such pair has a positive weight.
        """
        return self._sample_changed(n, rng, change_of(self.factor_sizes, num_changed))

    def sample_transitions(self, n, rng, rate=1.0, fixed=()):
        """Factor values (n, 2, k), int64, of pairs of neighbouring frames.

        From one frame to the next each factor makes a step with a probability in proportion to
        exp(-|step| rate / log(size)): most are small, any number of factors moves, and at least
        one does. In a `WeightedFactors`, the probability of a pair is also in proportion to the
        product of the two weights.

        Args:
            n: number of pairs.
            rng: a `numpy.random.Generator`, or a seed for one.
            rate: a positive number; or `None`, for one of each pair that is uniform in [1, 10].
            fixed: names of factors that do not move, such as a shape, whose values have no order.

        Raises:
            ValueError: as `sample_pairs`.

        Reference: Klindt et al., 2021 (SlowVAE), the transitions of its data sets LAP.
        """
        change = transition_of(self.factor_names, self.factor_sizes, rate, fixed)
        return self._sample_changed(n, rng, change)

    def pairs(self, batch_size, seed, num_changed=1, steps_per_epoch=None):
        """Batches of pairs of images that differ in a few factors, for weak supervision.

        Args:
            batch_size: pairs in a batch.
            seed: integer >= 0; batch i of epoch e depends on (seed, e, i) alone.
            num_changed: as in `sample_pairs`; `None` is the k = rnd of Locatello et al.
            steps_per_epoch: batches in an epoch; by default, as many as of single images.

        Returns:
            A `keras.utils.PyDataset` of tuples `(x,)`, x float32 of shape (batch_size, 2, h, w, c)
            in [0, 1], whose `epoch` can be set to resume.

        Raises:
            ValueError: as `sample_pairs`.

        Reference: Locatello et al., 2020 (Weakly-supervised disentanglement without compromises).
        """
        change = change_of(self.factor_sizes, num_changed)
        return self._pair_batches(change, batch_size, seed, steps_per_epoch)

    def transitions(self, batch_size, seed, rate=1.0, fixed=(), steps_per_epoch=None):
        """Batches of pairs of neighbouring frames, in which most factors move little: for SlowVAE.

        Args:
            batch_size, seed, steps_per_epoch: as in `pairs`.
            rate, fixed: as in `sample_transitions`.

        Returns:
            As `pairs`.

        Raises:
            ValueError: as `sample_transitions`.
        """
        change = transition_of(self.factor_names, self.factor_sizes, rate, fixed)
        return self._pair_batches(change, batch_size, seed, steps_per_epoch)

    def _pair_batches(self, change, batch_size, seed, steps_per_epoch):
        def draw(n, rng):
            return self._sample_changed(n, rng, change)

        return PairBatches(self, draw, batch_size, seed, steps_per_epoch)

    def _sample_changed(self, n, rng, change):
        """Factors (n, 2, k): drawn ones, and those that `change` makes of them."""
        rng = as_generator(rng)
        first = self.sample_factors(n, rng)
        return np.stack([first, change(first, rng)], axis=1)

    def _checked_index(self, index):
        return check_index(index, len(self))
