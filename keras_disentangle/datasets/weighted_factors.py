"""Factor data sets with weighted combinations of factors."""

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import to_numpy
from keras_disentangle.datasets._selection import MOST_ROWS, as_generator
from keras_disentangle.datasets.factor_dataset import FactorDataset
from keras_disentangle.datasets.image_batches import ImageBatches

_LEAST_SHARE = 1e-4  # of all combinations, below which drawing gives up


class WeightedFactors(FactorDataset):
    """A factor data set in which some combinations of factors are drawn less often, or never.

    `batches`, `sample_factors` and `sample_index` draw factors of `dataset` and keep them with
    probability `weight(factors)`: so p(factors) ∝ weight(factors), for a data set of any size.
    Pairs (`pairs`, `transitions`) are kept with the product of the weights of both.
    Indices, `images`, `factors`, `index` and `len` are those of `dataset`. `kd.evaluate` follows
    the weights for all metrics of codes and factors; `factor_vae` and `beta_vae`, which draw
    factors themselves, use all combinations.

    Batches are drawn with replacement. Batch i of epoch e depends on (seed, e, i) alone.

    Args:
        dataset: a `FactorDataset`; if it is weighted already, the weights are multiplied.
        weight: function from factor values (n, k), int64, to probabilities (n,) in [0, 1], or to
            booleans, which hold combinations out. It must be deterministic.

    Raises:
        ValueError: if `weight` does not return such numbers, or keeps so few combinations (fewer
            than about 1 in 10,000) that drawing them takes too long.

    Example:

    >>> def unseen(factors):  # hearts on the right
    ...     return (factors[:, 0] == 2) & (factors[:, 3] >= 16)
    >>> data = kd.datasets.DSprites(image_size=28)
    >>> seen = kd.datasets.WeightedFactors(data, lambda factors: ~unseen(factors))
    >>> batches = seen.batches(128, seed=0)
    >>> rest = kd.datasets.WeightedFactors(data, unseen)
    >>> kd.evaluate(model, rest, metrics=["mig", "sap"], num_samples=500)
    """

    def __init__(self, dataset, weight):
        if not isinstance(dataset, FactorDataset):
            raise ValueError(
                f"`dataset` must be a FactorDataset. Received: {type(dataset).__name__}"
            )
        if not callable(weight):
            raise ValueError(f"`weight` must be a function of factors. Received: {weight!r}")
        super().__init__(dataset.factor_names, dataset.factor_sizes, dataset.image_shape)
        self._dataset = dataset
        self._weight = weight
        self.sample_factors(1, 0)  # raises errors of `weight` at once

    def images(self, index):
        return self._dataset.images(index)

    def sample_factors(self, n, rng):
        """Factor values (n, k), int64, drawn with probabilities in proportion to their weights.

        Args:
            n: number of rows.
            rng: a `numpy.random.Generator`, or a seed for one.

        Raises:
            ValueError: if the weights are not probabilities, hardly any factors are kept, `n` is
                not an integer from 0 to 2**27, or `rng` is neither of these.
        """
        n = check_int("n", n, minimum=0, maximum=MOST_ROWS)
        return self._kept(n, as_generator(rng), self._dataset.sample_factors)

    def sample_index(self, n, rng):
        """Indices (n,) of images with factors from `sample_factors`, with replacement."""
        return self.index(self.sample_factors(n, rng))

    def batches(self, batch_size, seed, steps_per_epoch=None):
        """Batches of float32 images in [0, 1], drawn with replacement, for `Model.fit`.

        Args:
            batch_size: images in a batch.
            seed: integer >= 0; batch i of epoch e depends on (seed, e, i) alone.
            steps_per_epoch: batches in an epoch; by default, the number of full batches in the data
                set.

        Returns:
            A `keras.utils.PyDataset` of tuples `(x,)`, whose `epoch` can be set to resume.
        """
        batch_size = check_int("batch_size", batch_size, maximum=MOST_ROWS)
        if steps_per_epoch is None:
            steps_per_epoch = max(1, len(self) // batch_size)
        return _DrawnBatches(self, batch_size, seed, steps_per_epoch)

    def _sample_changed(self, n, rng, change):
        def draw(n, rng):
            return self._dataset._sample_changed(n, rng, change)

        n = check_int("n", n, minimum=0, maximum=MOST_ROWS)
        return self._kept(n, as_generator(rng), draw, "pairs of ")

    def _kept(self, n, rng, draw, of=""):
        """n rows that `draw(n, rng)` gives, factors (n, k) or pairs (n, 2, k), each kept with the
        product of its weights."""
        kept, missing, tries = [draw(0, rng)], n, 0
        most = (n + 100) / _LEAST_SHARE
        while missing > 0:
            if tries > most:
                raise ValueError(
                    f"`weight` must keep at least about 1 in {round(1 / _LEAST_SHARE):,} {of}"
                    f"combinations. Received: a weight that kept {n - missing} of {tries:,}"
                )
            factors = draw(min(max(4 * missing, 1024), 2**18), rng)
            weight = self._checked_weight(factors.reshape(-1, factors.shape[-1]))
            weight = weight.reshape(len(factors), -1).prod(axis=1)
            keep = rng.random(len(factors)) < weight
            kept.append(factors[keep][:missing])
            missing -= len(kept[-1])
            tries += len(factors)
        return np.concatenate(kept)

    def _checked_weight(self, factors):
        weight = to_numpy("weight(factors)", self._weight(factors))
        if weight.shape != (len(factors),) or weight.dtype.kind not in "biuf":
            raise ValueError(
                f"`weight` must return numbers of shape ({len(factors)},) for factors of shape "
                f"{factors.shape}. Received: shape={weight.shape}, dtype={weight.dtype}"
            )
        outside = ~((weight >= 0) & (weight <= 1))  # true for NaN as well
        if outside.any():
            i = outside.argmax()
            raise ValueError(
                "`weight` must return probabilities in [0, 1]. "
                f"Received: {weight[i]} for the factors {factors[i].tolist()}"
            )
        return weight


class _DrawnBatches(ImageBatches):
    """Each batch is a pass of its own, drawn from the distribution."""

    def __init__(self, dataset, batch_size, seed, steps_per_epoch):
        super().__init__(dataset.images, batch_size, batch_size, seed, steps_per_epoch)
        self._dataset = dataset
        self._all = dataset.images, len(dataset)

    def _pass_order(self, number):
        rng = np.random.default_rng((self.seed, number))
        return self._dataset.index(self._dataset.sample_factors(self.batch_size, rng))
