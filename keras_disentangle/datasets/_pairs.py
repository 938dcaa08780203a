"""Pairs of images of which some factors differ: how factors change, and batches of pairs."""

import numpy as np

from keras_disentangle._arguments import check_int, check_number, is_choice, listed
from keras_disentangle.datasets._selection import MOST_ROWS
from keras_disentangle.datasets.image_batches import ImageBatches


def change_of(factor_sizes, num_changed):
    """A function (factors (n, k), rng) to factors (n, k) that differ in exactly `num_changed`.

    Which factors change, and to which of their other values, is drawn uniformly.

    Args:
        factor_sizes: number of values of each factor; those with a single value never change.
        num_changed: a number of factors, several of which one is drawn for each pair, or `None`
            for all from one to all factors but one.

    Raises:
        ValueError: if a number is out of range, or no factor has two values.
    """
    sizes = np.array(factor_sizes)
    varied = _varied(sizes)
    if num_changed is None:
        counts = np.arange(1, max(2, len(varied)))
    else:
        counts = _checked_counts(num_changed, len(varied))

    def change(factors, rng):
        n = len(factors)
        count = counts[rng.integers(len(counts), size=n)]
        rank = rng.random((n, len(varied))).argsort(axis=1).argsort(axis=1)
        # At least 1 and below the size, modulo the size: every other value is equally likely.
        shift = np.where(rank < count[:, None], rng.integers(1, sizes[varied], size=rank.shape), 0)
        changed = factors.copy()
        changed[:, varied] = (changed[:, varied] + shift) % sizes[varied]
        return changed

    return change


def transition_of(factor_names, factor_sizes, rate, fixed):
    """A function (factors (n, k), rng) to the factors (n, k) of the next frames.

    Each factor makes a step from a Laplace distribution on its values, of scale log(size) / rate.
    Where none moved, one moves that is drawn uniformly.

    Args:
        factor_names, factor_sizes: those of the data set.
        rate: a positive number, or `None` for a rate of each pair that is uniform in [1, 10].
        fixed: names of factors that do not move.

    Raises:
        ValueError: if `rate` is not positive, `fixed` are not names of factors, or no factor with
            two values is left.
    """
    sizes = np.array(factor_sizes)
    if rate is not None:
        rate = check_number("rate", rate, above=0)
    names = _checked_fixed(fixed, factor_names)
    moving = [i for i in _varied(sizes) if factor_names[i] not in names]
    if not moving:
        raise ValueError(
            "`fixed` must leave a factor with two values or more. "
            f"Received: fixed={fixed!r} of {factor_names} with {tuple(factor_sizes)} values"
        )

    def transition(factors, rng):
        n = len(factors)
        rates = np.full(n, rate) if rate is not None else rng.uniform(1, 10, n)
        after = factors.copy()
        for i in moving:
            after[:, i] = _laplace_step(factors[:, i], sizes[i], rates, rng)
        chosen = np.array(moving)[rng.integers(len(moving), size=n)]
        still = (after == factors).all(axis=1)
        for i in moving:
            rows = still & (chosen == i)
            after[rows, i] = _laplace_step(factors[rows, i], sizes[i], rates[rows], rng, True)
        return after

    return transition


class PairBatches(ImageBatches):
    """Batches `(x,)` of pairs of float32 images in [0, 1], x of shape (batch_size, 2, h, w, c).

    Batch i of epoch e depends on (seed, e, i) alone. `epoch` is as in `ImageBatches`.

    Args:
        dataset: a `FactorDataset`.
        draw: function (n, rng) to factor values (n, 2, k).
        batch_size: pairs in a batch.
        seed: integer >= 0.
        steps_per_epoch: batches in an epoch; by default, as many as of single images.

    Raises:
        ValueError: if a number is out of range; as `draw`.
    """

    def __init__(self, dataset, draw, batch_size, seed, steps_per_epoch=None):
        batch_size = check_int("batch_size", batch_size, maximum=MOST_ROWS)
        if steps_per_epoch is None:
            steps_per_epoch = max(1, len(dataset) // batch_size)

        def images(index):
            return dataset.images(index.ravel())

        # Each batch is a pass of its own.
        super().__init__(images, batch_size, batch_size, seed, steps_per_epoch)
        self._dataset, self._draw_factors = dataset, draw
        self._all = dataset.images, len(dataset)
        draw(1, np.random.default_rng(0))  # raises its errors at once

    def __getitem__(self, i):
        (images,) = super().__getitem__(i)
        return (images.reshape(-1, 2, *images.shape[1:]),)

    def _pass_order(self, number):
        factors = self._draw_factors(self.batch_size, np.random.default_rng((self.seed, number)))
        index = self._dataset.index(factors.reshape(-1, factors.shape[-1]))
        return index.reshape(-1, 2)


def _varied(sizes):
    varied = np.flatnonzero(sizes > 1)
    if not len(varied):
        raise ValueError(
            "Pairs must differ, so a factor must have two values or more. "
            f"Received: factor_sizes={tuple(sizes.tolist())}"
        )
    return varied


def _checked_counts(num_changed, most):
    """Numbers of factors from 1 to `most`, as an array, of one number or several."""
    try:
        given = listed(num_changed)
    except TypeError:
        given = [num_changed]
    if not given or isinstance(num_changed, (str, bytes, dict)):
        raise ValueError(
            "`num_changed` must be a number of factors, several to draw one from, or None. "
            f"Received: num_changed={num_changed!r}"
        )
    if most < max((x for x in given if isinstance(x, (int, np.integer))), default=0):
        raise ValueError(
            f"`num_changed` must be at most {most}, the number of factors with two values or more. "
            f"Received: num_changed={num_changed!r}"
        )
    return np.array([check_int("num_changed", x, maximum=most) for x in given])


def _checked_fixed(fixed, factor_names):
    given = [fixed] if isinstance(fixed, str) else fixed
    try:
        given = listed(given)
    except TypeError:
        given = [given]
    if not all(is_choice(name, factor_names) and name is not None for name in given):
        raise ValueError(
            f"`fixed` must be names of factors, of {tuple(factor_names)}. Received: fixed={fixed!r}"
        )
    return given


def _laplace_step(values, size, rates, rng, moves=False):
    """Draws the next of `size` values: p ∝ exp(-|next - value| rate / log(size)).

    Args:
        values: present values (n,).
        size: number of values of the factor, at least 2.
        rates: the rate of each, (n,).
        rng: generator of random numbers.
        moves: whether the present value is ruled out.
    """
    distance = np.abs(np.arange(size) - values[:, None]).astype("float64")
    if moves:
        # Relative to the nearest other value, whose probability does not underflow.
        distance = np.where(distance == 0, np.inf, distance - 1)
    p = np.exp(-distance * (rates / np.log(size))[:, None])
    total = p.cumsum(axis=1)
    drawn = rng.random(len(values))[:, None] * total[:, -1:]
    return (total <= drawn).sum(axis=1)
