import keras
import numpy as np
import pytest

from keras_disentangle.datasets import ArrayFactorDataset, Clevr
from keras_disentangle.datasets.correlated_factors import correlated_factors
from keras_disentangle.datasets.weighted_factors import WeightedFactors

SIZES = (6, 4, 3)
# The image's number is its grey value, so that a batch shows which images it holds.
IMAGES = np.broadcast_to(np.arange(72, dtype=np.uint8)[:, None, None, None], (72, 4, 4, 1))
DATA = ArrayFactorDataset(IMAGES, SIZES, ("a", "b", "c"))
GRID = DATA.factors(np.arange(72))


def table_weight(factors):
    return factors[:, 0] / 10 + factors[:, 1] / 20


def unseen(factors):
    return (factors[:, 0] >= 4) & (factors[:, 1] == 0)


def shares(data, n=40_000):
    drawn = data.sample_factors(n, np.random.default_rng(0))
    assert drawn.shape == (n, len(data.factor_sizes)) and drawn.dtype == np.int64
    return np.bincount(data.index(drawn), minlength=len(data)) / n


def numbers(batch):
    return np.rint(batch[0][:, 0, 0, 0] * 255).astype(int).tolist()


def epoch(batches):
    batches.on_epoch_begin()
    drawn = [numbers(batches[i]) for i in range(len(batches))]
    batches.on_epoch_end()
    return drawn


def test_draws_in_proportion_to_the_weights():
    weight = table_weight(GRID)
    expected = weight / weight.sum()
    found = shares(WeightedFactors(DATA, table_weight))
    np.testing.assert_allclose(found, expected, atol=5 * (expected.max() / 40_000) ** 0.5)
    assert (found[weight == 0] == 0).all()


def test_all_else_is_that_of_the_data_set():
    data = WeightedFactors(DATA, unseen)
    assert len(data) == 72 and data.factor_names == ("a", "b", "c") and data.factor_sizes == SIZES
    np.testing.assert_array_equal(data.images([3, 70]), DATA.images([3, 70]))
    np.testing.assert_array_equal(data.factors(np.arange(72)), GRID)
    np.testing.assert_array_equal(data.index(GRID), np.arange(72))


def test_held_out_combinations_are_never_drawn():
    out = unseen(GRID)
    seen = shares(WeightedFactors(DATA, lambda factors: ~unseen(factors)))
    assert (seen[out] == 0).all() and (seen[~out] > 0).all()
    only = shares(WeightedFactors(DATA, unseen), n=600)
    assert (only[~out] == 0).all() and (only[out] > 0).all()


def test_weights_multiply():
    twice = WeightedFactors(WeightedFactors(DATA, table_weight), lambda f: 1 / (1 + f[:, 2]))
    weight = table_weight(GRID) / (1 + GRID[:, 2])
    np.testing.assert_allclose(shares(twice), weight / weight.sum(), atol=0.004)


def test_rare_combinations_are_found():
    last = WeightedFactors(DATA, lambda factors: (factors == (5, 3, 2)).all(axis=1) / 50)
    np.testing.assert_array_equal(last.sample_factors(30, 0), [[5, 3, 2]] * 30)


def test_sampling_is_seeded():
    data = WeightedFactors(DATA, table_weight)
    np.testing.assert_array_equal(data.sample_factors(9, 7), data.sample_factors(9, 7))
    rng = np.random.default_rng(7)
    assert (data.sample_factors(9, rng) != data.sample_factors(9, rng)).any()
    assert data.sample_factors(0, 0).shape == (0, 3)


def test_batches_depend_on_seed_epoch_and_step_alone():
    data = WeightedFactors(DATA, lambda factors: ~unseen(factors))
    batches = data.batches(5, seed=0, steps_per_epoch=3)
    epochs = [epoch(batches) for _ in range(5)]
    drawn = np.concatenate(epochs).ravel()
    assert len(np.unique(drawn)) > 30 and not unseen(GRID[drawn]).any()
    resumed = data.batches(5, seed=0, steps_per_epoch=3)
    resumed.epoch = 3
    assert numbers(resumed[2]) == epochs[3][2]
    assert [epoch(resumed), epoch(resumed)] == epochs[3:]
    assert epoch(data.batches(5, seed=1, steps_per_epoch=3)) != epochs[0]
    assert len(data.batches(5, seed=0)) == 14
    assert len(data.batches(100, seed=0)) == 1  # with replacement: larger than the data


def test_batches_train_a_model():
    class Model(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            assert y is None
            return keras.ops.mean(keras.ops.square(y_pred))

    model = Model([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd")
    batches = WeightedFactors(DATA, table_weight).batches(5, seed=0, steps_per_epoch=4)
    model.fit(batches, epochs=3, verbose=0)
    assert batches.epoch == 3


def test_too_many_images_to_count():
    data = Clevr("complex", image_size=8)
    assert len(data) > 2**31
    left = WeightedFactors(data, lambda factors: factors[:, 3] < 4)
    assert left.sample_factors(100, 0)[:, 3].max() == 3
    (x,) = left.batches(2, seed=0, steps_per_epoch=3)[0]
    assert x.shape == (2, 8, 8, 3)


@pytest.mark.parametrize(
    "weight, message",
    [
        (0.5, "weight.*0.5"),
        (lambda f: f[:, 0], r"\[0, 1\].*Received: [2-5] for the factors"),
        (lambda f: -f[:, 0] / 5, r"\[0, 1\].*Received: -"),
        (lambda f: np.full(len(f), np.nan), r"\[0, 1\].*Received: nan"),
        (lambda f: np.ones((len(f), 1)), r"shape=\(1024, 1\)"),
        (lambda f: True, r"shape=\(\)"),
        (lambda f: None, "weight.factors.*None"),
        (lambda f: f[:, 0] > 5, "1 in 10,000.*kept 0 of 1,0"),
    ],
)
def test_bad_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        WeightedFactors(DATA, weight)


def test_bad_calls():
    with pytest.raises(ValueError, match="dataset.*ndarray"):
        WeightedFactors(IMAGES, unseen)
    data = WeightedFactors(DATA, unseen)
    for options in ({"batch_size": 0}, {"seed": None}, {"steps_per_epoch": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            data.batches(**({"batch_size": 2, "seed": 0} | options))


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.7, float("inf")])
def test_correlated(sigma):
    """p(a, c) against its closed form; b stays uniform."""
    a, _, c = (GRID / (5, 3, 2)).T
    density = np.exp(-((a - c) ** 2) / (2 * sigma**2))
    found = shares(correlated_factors(DATA, ("a", "c"), sigma))
    np.testing.assert_allclose(found, density / density.sum(), atol=0.006)


def test_correlations_add_up():
    data = correlated_factors(correlated_factors(DATA, ("a", "b"), 0.2), ("b", "c"), 0.4)
    a, b, c = (GRID / (5, 3, 2)).T
    density = np.exp(-((a - b) ** 2) / (2 * 0.2**2) - (b - c) ** 2 / (2 * 0.4**2))
    np.testing.assert_allclose(shares(data), density / density.sum(), atol=0.006)


def test_a_factor_of_one_value():
    data = ArrayFactorDataset(IMAGES, (72, 1), ("a", "b"))
    assert correlated_factors(data, ("a", "b"), 0.1).sample_factors(200, 0)[:, 0].max() < 36


@pytest.mark.parametrize(
    "pair, sigma, message",
    [
        (("a", "d"), 0.2, r"pair.*\('a', 'b', 'c'\).*'d'"),
        (("a", "a"), 0.2, "pair"),
        (("a",), 0.2, "pair"),
        (("a", "b"), 0, "sigma.*0"),
        (("a", "b"), -1, "sigma.*-1"),
        (("a", "b"), np.nan, "sigma.*nan"),
        (("a", "b"), "0.2", "sigma.*'0.2'"),
    ],
)
def test_bad_correlations(pair, sigma, message):
    with pytest.raises(ValueError, match=message):
        correlated_factors(DATA, pair, sigma)
