"""Pairs of images that differ in some factors: what differs, how often, and in which order."""

import keras
import numpy as np
import pytest
import scipy.stats

from keras_disentangle.datasets import (
    ArrayFactorDataset,
    DSprites,
    FactorDataset,
    LabelledImages,
    WeightedFactors,
    correlated_factors,
)

pytestmark = pytest.mark.one_backend
SIZES = (6, 1, 4, 3)
NAMES = ("a", "one", "b", "c")
VARIED = [0, 2, 3]
# The image's number is its grey value, so that a batch shows which images it holds.
IMAGES = np.broadcast_to(np.arange(72, dtype=np.uint8)[:, None, None, None], (72, 4, 4, 1))
DATA = ArrayFactorDataset(IMAGES, SIZES, NAMES)
N = 20_000


def differences(pairs):
    return pairs[:, 0] != pairs[:, 1]


def assert_shares(counts, expected):
    """A chi-square test of counts, of which those that are expected to be 0 are."""
    counts, expected = np.ravel(counts), np.ravel(expected)
    assert (counts[expected == 0] == 0).all()
    counts, expected = counts[expected > 0], expected[expected > 0]
    assert scipy.stats.chisquare(counts, counts.sum() * expected / expected.sum()).pvalue > 1e-4


def factors_of(batch):
    (x,) = batch
    numbers = np.rint(x[..., 0, 0, 0] * 255).astype(int)
    return DATA.factors(numbers.ravel()).reshape(*numbers.shape, -1)


@pytest.mark.parametrize("num_changed", [1, 2, 3])
def test_exactly_so_many_factors_differ(num_changed):
    pairs = DATA.sample_pairs(N, 0, num_changed)
    assert pairs.shape == (N, 2, 4) and pairs.dtype == np.int64
    assert (pairs >= 0).all() and (pairs < SIZES).all()
    differs = differences(pairs)
    assert (differs.sum(1) == num_changed).all() and not differs[:, 1].any()
    # Every factor equally often, and every other value: so both images are uniform too.
    assert_shares(differs.sum(0), np.array([1, 0, 1, 1]))
    rows = pairs[differs[:, 0], :, 0]
    assert_shares(np.histogram2d(*rows.T, bins=range(7))[0], 1 - np.eye(6))
    for side in (0, 1):
        assert_shares(np.bincount(DATA.index(pairs[:, side]), minlength=72), np.ones(72))


@pytest.mark.parametrize(
    "num_changed, counts", [(None, [1, 2]), (range(1, 4), [1, 2, 3]), ([3, 1], [1, 3])]
)
def test_a_random_number_of_factors(num_changed, counts):
    found = differences(DATA.sample_pairs(N, 0, num_changed)).sum(1)
    assert_shares(np.bincount(found, minlength=4), np.isin(range(4), counts).astype(float))


def test_a_single_factor_that_varies():
    data = ArrayFactorDataset(IMAGES[:2], (2, 1), ("a", "b"))
    assert (differences(data.sample_pairs(50, 0, None)) == [True, False]).all()


def test_batches_follow_seed_epoch_and_place():
    batches = DATA.pairs(8, seed=3, num_changed=2, steps_per_epoch=4)
    assert isinstance(batches, keras.utils.PyDataset) and len(batches) == 4
    assert len(DATA.pairs(8, seed=3)) == 9  # as many as of single images
    first = batches[2][0]
    assert first.shape == (8, 2, 4, 4, 1) and first.dtype == np.float32 and first.max() <= 1
    assert (differences(factors_of(batches[1]).reshape(8, 2, 4)).sum(1) == 2).all()
    batches.epoch = 5
    again = DATA.pairs(8, seed=3, num_changed=2, steps_per_epoch=4)
    later = batches[1][0]
    again.epoch = 5
    np.testing.assert_array_equal(again[1][0], later)  # whatever was drawn before
    again.epoch = 0
    np.testing.assert_array_equal(again[2][0], first)
    other = DATA.pairs(8, seed=4, num_changed=2, steps_per_epoch=4)
    assert (other[2][0] != first).any() and (later != first).any()
    with pytest.raises(IndexError):
        batches[4]


def test_the_images_are_those_of_the_factors():
    data = DSprites(image_size=16)
    x = data.pairs(3, seed=0)[0][0]
    pairs = data.sample_pairs(3, np.random.default_rng((0, 0)))
    images = data.images(data.index(pairs.reshape(6, 5))) / np.float32(255)
    np.testing.assert_array_equal(x, images.reshape(3, 2, 16, 16, 1))


def table_weight(factors):
    return factors[:, 0] / 10 + factors[:, 3] / 20


def test_weights_of_both_images_count():
    pairs = WeightedFactors(DATA, table_weight).sample_pairs(N, 0, 1)
    grid = DATA.factors(np.arange(72))
    weight = table_weight(grid)
    # Of a pair: its proposal, one of three factors and of its other values, times both weights.
    differs = grid[:, None] != grid[None]
    proposal = (differs / np.maximum(np.array(SIZES) - 1, 1)).sum(-1) * (differs.sum(-1) == 1)
    expected = proposal * weight[:, None] * weight[None]
    counts = np.zeros((72, 72))
    np.add.at(counts, (DATA.index(pairs[:, 0]), DATA.index(pairs[:, 1])), 1)
    assert (counts[expected == 0] == 0).all()
    # Of single cells there are too few.
    for side in (0, 1):
        assert_shares(counts.sum(side), expected.sum(side))
    assert_shares(differences(pairs).sum(0), np.einsum("ij,ijk->k", expected, differs))


def test_variants_of_variants():
    data = correlated_factors(WeightedFactors(DATA, lambda f: f[:, 2] > 0), ("a", "b"), 0.2)
    pairs = data.sample_pairs(4000, 0, None)
    assert (pairs[..., 2] > 0).all() and (differences(pairs).sum(1) >= 1).all()
    for side in (0, 1):
        assert np.corrcoef(pairs[:, side, 0], pairs[:, side, 2])[0, 1] > 0.7
    x = data.transitions(4, seed=0)[0][0]
    assert x.shape == (4, 2, 4, 4, 1) and (factors_of((x,))[..., 2] > 0).all()


def laplace(size, at, rate):
    p = scipy.stats.laplace.pdf(np.arange(size), loc=at, scale=np.log(size) / rate)
    return p / p.sum()


def test_transitions_are_laplace_steps():
    rate = 1.5
    pairs = DATA.sample_transitions(N, 0, rate)
    assert pairs.shape == (N, 2, 4) and differences(pairs).any(1).all()
    # Of pairs in which another factor moved, the step of this one is that of its own.
    for i, j in ((0, 2), (2, 0)):
        rows = pairs[differences(pairs)[:, j]]
        for value in (0, 2):
            after = rows[rows[:, 0, i] == value, 1, i]
            # The chance that only j moved because nothing else did is in these rows too.
            expected = laplace(SIZES[i], value, rate)
            found = np.bincount(after, minlength=SIZES[i])
            moved = np.arange(SIZES[i]) != value
            assert_shares(found[moved], expected[moved])


def test_where_nothing_moves_one_factor_does():
    pairs = DATA.sample_transitions(N, 0, rate=500.0, fixed="c")
    differs = differences(pairs)
    assert (differs.sum(1) == 1).all()
    assert_shares(differs.sum(0), np.array([1, 0, 1, 0]))
    # By a single step, which is up or down with equal probability where both are there.
    steps = pairs[:, 1] - pairs[:, 0]
    assert (np.abs(steps).sum(1) == 1).all()
    inner = (pairs[:, 0, 0] > 0) & (pairs[:, 0, 0] < 5) & differs[:, 0]
    assert_shares(np.bincount(steps[inner, 0] + 1, minlength=3), np.array([1, 0, 1]))


def test_rates_of_each_pair():
    steps = [
        np.abs(np.diff(DATA.sample_transitions(N, 0, rate), axis=1)).mean()
        for rate in (1, None, 10)
    ]
    assert steps[0] > 1.2 * steps[1] > 1.2 * steps[2]


@pytest.mark.parametrize(
    "num_changed, message",
    [
        (0, "`num_changed` must be an integer >= 1. Received: num_changed=0"),
        (1.5, "`num_changed` must be an integer >= 1. Received: num_changed=1.5"),
        (True, "`num_changed` must be an integer >= 1. Received: num_changed=True"),
        (4, "`num_changed` must be at most 3, the number of factors .*num_changed=4"),
        ([1, 5], r"`num_changed` must be at most 3.* num_changed=\[1, 5\]"),
        ([], r"`num_changed` must be a number of factors, several .*num_changed=\[\]"),
        ("two", "`num_changed` must be a number of factors, several .*num_changed='two'"),
        (range(3), "`num_changed` must be an integer >= 1. Received: num_changed=0"),
    ],
)
def test_bad_numbers_of_factors_are_named(num_changed, message):
    for call in (lambda n: DATA.pairs(4, 0, n), lambda n: DATA.sample_pairs(4, 0, n)):
        with pytest.raises(ValueError, match=message):
            call(num_changed)


constant = FactorDataset(("a", "b"), (1, 1), (4, 4, 1))
alone = WeightedFactors(DATA, lambda f: (f == [2, 0, 1, 1]).all(1))
labelled = LabelledImages(IMAGES, np.arange(72) % 5)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: constant.pairs(4, 0), r"a factor must have two values.*factor_sizes=\(1, 1\)"),
        (lambda: constant.transitions(4, 0), "a factor must have two values"),
        (lambda: alone.pairs(4, 0), "`weight` must keep .* pairs of combinations. .* kept 0 of"),
        (lambda: labelled.pairs(4, 0), "`data` must be a `FactorDataset` .*LabelledImages of 72"),
        (lambda: labelled.transitions(4, seed=0), "`data` must be a `FactorDataset` for pairs"),
        (lambda: DATA.pairs(0, 0), "`batch_size` must be an integer >= 1"),
        (lambda: DATA.pairs(4, None), "`seed` must be an integer >= 0"),
        (lambda: DATA.pairs(4, 0, steps_per_epoch=0), "`steps_per_epoch` must be an integer >= 1"),
        (lambda: DATA.sample_pairs(-1, 0), "`n` must be an integer >= 0"),
        (lambda: DATA.sample_pairs(1, "x"), "`rng` must be"),
        (lambda: DATA.transitions(4, 0, rate=0), "`rate` must be a finite number > 0"),
        (lambda: DATA.transitions(4, 0, fixed="d"), "`fixed` must be names of factors.*fixed='d'"),
        (lambda: DATA.transitions(4, 0, fixed=3), "`fixed` must be names of factors.*fixed=3"),
        (lambda: DATA.transitions(4, 0, fixed="abc"), "`fixed` must be names .*fixed='abc'"),
        (lambda: DATA.transitions(4, 0, fixed=NAMES), "`fixed` must leave a factor with two"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
