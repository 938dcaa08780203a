"""Each distribution against SciPy's, its sums and integrals, its draws; and models of vectors."""

import keras
import numpy as np
import pytest
import scipy.stats
from derivatives import value_and_gradients
from keras import ops
from tiny_training import fit, numbers

from keras_disentangle.callbacks import LatentTraversal
from keras_disentangle.models import VAE
from keras_disentangle.observations import (
    Categorical,
    DiscretizedLogistic,
    Gaussian,
    Laplace,
    NegativeBinomial,
    Poisson,
)

ONE = pytest.mark.one_backend
N = 20_000
ROWS = 64


def nll(observation, x, prediction):
    """-log p of each row, at one prediction for all rows or one for each."""
    x = np.asarray(x, "float32")
    prediction = np.broadcast_to(np.float32(prediction), (len(x), np.shape(prediction)[-1]))
    return numbers([observation.negative_log_likelihood(x, prediction)])[0]


def decoded(kind, *logs):
    """An observation whose decoder gives both parameters, and its output for one value."""
    return kind("decoder"), list(logs)


# Likelihoods


@pytest.mark.parametrize("median, log_b", [(0.3, 0.0), (-2.0, 0.7)])
def test_laplace(median, log_b):
    observation, output = decoded(Laplace, median, log_b)
    x = np.linspace(-40, 40, 40_001)[:, None]
    found = nll(observation, x, output)
    expected = -scipy.stats.laplace.logpdf(x[:, 0], median, np.exp(log_b))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert np.trapezoid(np.exp(-found.astype("float64")), x[:, 0]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("location, log_s", [(0.5, -2.0), (0.01, -5.0), (1.2, 0.0), (0.4, -7.0)])
@pytest.mark.parametrize("levels", [2, 256])
def test_discretized_logistic(location, log_s, levels):
    observation = DiscretizedLogistic(levels, "decoder")
    x = np.linspace(0, 1, levels)[:, None]
    found = nll(observation, x, [location, log_s])
    assert np.exp(-found.astype("float64")).sum() == pytest.approx(1, abs=1e-3)
    edges = (np.arange(levels + 1) - 0.5) / (levels - 1)
    edges[[0, -1]] = -np.inf, np.inf
    logistic = scipy.stats.logistic(location, np.exp(log_s))
    # From the nearer end, so that neither difference is one of numbers close to 1.
    lower, upper = np.diff(logistic.cdf(edges)), -np.diff(logistic.sf(edges))
    expected = np.where(edges[1:] < location, lower, upper)
    known = expected > 1e-30
    np.testing.assert_allclose(found[known], -np.log(expected[known]), rtol=2e-3, atol=2e-3)
    assert np.isfinite(found).all()


def test_categorical():
    logits = np.array([0.3, -1.0, 2.0, 0.0, 0.5, -0.5])
    p = np.exp(logits.reshape(2, 3)) / np.exp(logits.reshape(2, 3)).sum(1, keepdims=True)
    each = [(i, j) for i in range(3) for j in range(3)]
    x = np.array([np.concatenate([np.eye(3)[i], np.eye(3)[j]]) for i, j in each])
    found = nll(Categorical(3), x, logits)
    expected = [-scipy.stats.multinomial.logpmf(np.eye(3)[i], 1, p[0]) for i, _ in each]
    expected += np.array([-scipy.stats.multinomial.logpmf(np.eye(3)[j], 1, p[1]) for _, j in each])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.exp(-found).sum() == pytest.approx(1, abs=1e-5)
    whole = nll(Categorical(), np.eye(6), logits)
    assert np.exp(-whole).sum() == pytest.approx(1, abs=1e-5)
    images = np.float32(logits).reshape(1, 1, 2, 3)
    (mean,) = numbers([Categorical().mean(images)])
    np.testing.assert_allclose(mean, p.reshape(1, 1, 2, 3), rtol=1e-5)


@pytest.mark.parametrize("mean", [0.01, 1.0, 30.0])
def test_poisson(mean):
    x = np.arange(400)[:, None]
    found = nll(Poisson(), x, [np.log(mean)])
    expected = -scipy.stats.poisson.logpmf(x[:, 0], np.exp(np.float64(np.float32(np.log(mean)))))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.exp(-found.astype("float64")).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("mean, r", [(3.0, 0.5), (0.1, 20.0), (50.0, 2.0), (5.0, 1e6)])
def test_negative_binomial(mean, r):
    x = np.arange(2000)[:, None]
    observation, output = decoded(NegativeBinomial, np.log(mean), np.log(r))
    found = nll(observation, x, output)
    expected = -scipy.stats.nbinom.logpmf(x[:, 0], r, r / (r + mean))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)
    assert np.exp(-found.astype("float64")).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("log_r", [15.0, 30.0, 60.0])
def test_a_negative_binomial_of_little_dispersion_is_poisson(log_r):
    x = np.arange(40)[:, None]
    observation, output = decoded(NegativeBinomial, np.log(5.0), log_r)
    expected = -scipy.stats.poisson.logpmf(x[:, 0], 5.0)
    np.testing.assert_allclose(nll(observation, x, output), expected, rtol=1e-3)


COUNTS_IN_FLOAT32 = np.float32([1, 2, 7, 1e3, 1e5, 1e6, 1e7])


@pytest.mark.parametrize(
    "log_r", [None, 12.0, *(pytest.param(x, marks=ONE) for x in (-3.0, 0.0, 16.0))]
)
def test_large_counts_are_as_precise_as_small_ones(log_r):
    """Up to three standard deviations from the mean, where large numbers nearly cancel."""
    x = COUNTS_IN_FLOAT32.astype("float64")
    r = np.inf if log_r is None else np.exp(log_r)
    for k in (-3, -1, 0, 1, 3):
        log_mean = np.log(np.maximum(x + k * np.sqrt(x + x**2 / r), 0.1)).astype("float32")
        mean = np.exp(log_mean.astype("float64"))
        if log_r is None:
            found = [Poisson().negative_log_likelihood(x[:, None], log_mean[:, None])]
            expected = -scipy.stats.poisson.logpmf(x, mean)
        else:
            output = np.stack([log_mean, np.full_like(log_mean, log_r)], axis=1)
            found = [NegativeBinomial("decoder").negative_log_likelihood(x[:, None], output)]
            expected = -scipy.stats.nbinom.logpmf(x, r, r / (r + mean))
        np.testing.assert_allclose(numbers(found)[0], expected, rtol=1e-5)


@ONE
def test_gradients_of_large_counts():
    """That of a Poisson likelihood is the difference of mean and count."""
    x = np.concatenate([[0], COUNTS_IN_FLOAT32])[:, None]
    log_mean = np.log(x + 0.5 + np.sqrt(x)).astype("float32")

    given = keras.Variable(log_mean)

    def slopes(observation, *further):
        def total():
            output = ops.concatenate([ops.convert_to_tensor(given), *further], axis=1)
            return ops.sum(observation.negative_log_likelihood(x, output))

        return value_and_gradients(total, [given])[1][0]

    mean = np.exp(log_mean.astype("float64"))
    np.testing.assert_allclose(slopes(Poisson()), mean - x, rtol=2e-3, atol=1e-5)
    log_r = np.full_like(x, 3.0)
    found = slopes(NegativeBinomial("decoder"), log_r)
    r = np.exp(3.0)
    np.testing.assert_allclose(found, r * (mean - x) / (r + mean), rtol=2e-3, atol=1e-5)


def test_the_second_parameter_may_be_learnt():
    x = np.float32([[1, 2, 3]])
    prediction = np.float32([[0.5, 1.5, 2.5]])
    for kind, name, argument in (
        (Laplace, "log_scale", "scale"),
        (DiscretizedLogistic, "log_scale", "scale"),
        (NegativeBinomial, "log_dispersion", "dispersion"),
    ):
        networks = vectors(3)
        model = VAE(**networks, observation=kind(**{argument: "channel"}))
        weight = getattr(model.observation, name)
        assert weight.shape == (3,) and any(v is weight for v in model.trainable_variables)
        weight.assign([0.0, -0.5, -1.0])
        both = np.concatenate([prediction, [[0.0, -0.5, -1.0]]], axis=1).astype("float32")
        x = x / 3 if kind is DiscretizedLogistic else x
        found = numbers([model.observation.negative_log_likelihood(x, prediction)])[0]
        given = numbers([kind(**{argument: "decoder"}).negative_log_likelihood(x, both)])[0]
        np.testing.assert_allclose(found, given, rtol=1e-5)
        assert getattr(kind(), argument) == "scalar" and getattr(kind(), name) == 0.0


# Draws


@pytest.mark.parametrize(
    "observation, output, distribution",
    [
        (Laplace("decoder"), [0.5, -1.0], scipy.stats.laplace(0.5, np.exp(-1))),
        (Poisson(), [np.log(4.0)], scipy.stats.poisson(4)),
        (NegativeBinomial("decoder"), [np.log(4.0), np.log(2.0)], scipy.stats.nbinom(2, 1 / 3)),
        (DiscretizedLogistic(256, "decoder"), [0.5, -4.0], scipy.stats.logistic(0.5, np.exp(-4))),
    ],
)
def test_draws(observation, output, distribution):
    prediction = np.tile(np.float32(output), (N, 1))
    draws, same, other = numbers([observation.sample(prediction, seed=s) for s in (1, 1, 2)])
    assert draws.shape == (N, 1) and draws.dtype == np.float32
    assert draws.mean() == pytest.approx(distribution.mean(), abs=5 * distribution.std() / N**0.5)
    assert draws.std() == pytest.approx(distribution.std(), rel=0.06)
    np.testing.assert_array_equal(draws, same)
    assert (draws != other).any()
    seeds = keras.random.SeedGenerator(1)
    first, second = numbers([observation.sample(prediction[:50], seed=seeds) for _ in range(2)])
    assert (first != second).any()
    (mean,) = numbers([observation.mean(prediction[:1])])
    assert mean == pytest.approx(distribution.mean(), abs=1e-4)


def test_draws_of_categories_and_levels():
    logits = np.tile(np.float32([np.log(3), 0, 0, np.log(8)]), (N, 1))
    (draws,) = numbers([Categorical(2).sample(logits, seed=0)])
    assert set(np.unique(draws)) == {0, 1} and (draws.reshape(N, 2, 2).sum(2) == 1).all()
    np.testing.assert_allclose(draws.mean(0), [3 / 4, 1 / 4, 1 / 9, 8 / 9], atol=5 / N**0.5)
    levels = DiscretizedLogistic(3, "decoder")
    (draws,) = numbers([levels.sample(np.tile(np.float32([0.5, 0.0]), (N, 1)), seed=0)])
    expected = np.exp(-nll(levels, [[0], [0.5], [1]], [0.5, 0.0]))
    shares = [(draws == value).mean() for value in (0, 0.5, 1)]
    np.testing.assert_allclose(shares, expected, atol=5 / N**0.5)


# Models


def vectors(features=5, channels=None, latent_dim=2):
    """An encoder and a decoder of vectors (features,)."""
    encoder = keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(8, "tanh"),
            keras.layers.Dense(2 * latent_dim),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            keras.layers.Dense(8, "tanh"),
            keras.layers.Dense(channels or features),
        ]
    )
    return {"encoder": encoder, "decoder": decoder}


RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(20, (ROWS, 5)).astype("float32")
UNIT = RNG.random((ROWS, 5), "float32")
DATA = {
    "gaussian": (Gaussian("channel"), 50 * UNIT - 25, 5),
    "laplace": (Laplace("decoder"), 50 * UNIT - 25, 10),
    "levels": (DiscretizedLogistic(scale="channel"), np.round(255 * UNIT) / 255, 5),
    "categorical": (Categorical(5), np.eye(5, dtype="float32")[RNG.integers(5, size=ROWS)], 5),
    "poisson": (Poisson(), COUNTS, 5),
    "negative_binomial": (NegativeBinomial("decoder"), COUNTS, 10),
}


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n == "laplace" else ONE) for n in DATA]
)
def test_models_of_vectors(name, tmp_path):
    observation, x, channels = DATA[name]
    model = VAE(**vectors(5, channels), observation=observation, seed=1)
    logs = fit(model, images=x, compile_with={"run_eagerly": True} if name != "laplace" else {})
    assert np.isfinite(logs["loss"]).all() and logs["loss"][-1] != logs["loss"][0]
    z, _ = model.encode(x[:3])
    assert model.decode(z).shape == model.reconstruct(x[:3]).shape == (3, 5)
    assert model.sample(4, seed=0).shape == (4, 5)
    assert model.interpolate(x[:2], x[2:4], steps=3).shape == (2, 3, 5)
    (likelihood,) = numbers([model.log_likelihood(x[:3], z)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert repr(loaded.observation) == repr(observation)
    np.testing.assert_allclose(numbers([loaded.log_likelihood(x[:3], z)])[0], likelihood, rtol=1e-6)


@ONE
@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: Laplace("pixel"),
            r"`scale` must be one of .*'decoder'\). Received: scale='pixel'",
        ),
        (lambda: NegativeBinomial("pixel"), "`dispersion` must be one of .* dispersion='pixel'"),
        (lambda: Laplace(min_log_scale=1), "`min_log_scale` must be None or .*=1"),
        (lambda: NegativeBinomial(min_log_dispersion=1), "`min_log_dispersion` must be None"),
        (lambda: DiscretizedLogistic(1), "`num_levels` must be an integer >= 2"),
        (lambda: Categorical(1), "`num_categories` must be an integer >= 2"),
        (lambda: Poisson().sample(COUNTS, seed=-1), "`seed` must be"),
        (
            lambda: nll(Laplace("decoder"), UNIT, UNIT),
            "`prediction` must have an even number of cha",
        ),
        (
            lambda: nll(Laplace(), UNIT, UNIT[:, :4]),
            "`x` and `prediction` must have the same shape",
        ),
        (lambda: nll(Categorical(3), UNIT, UNIT), "must have groups of 3 numbers along its last"),
        (
            lambda: VAE(**vectors(5), observation=Laplace("decoder")),
            r"The output of `decoder` must have the shape \(10,\). Received: \(5,\)",
        ),
        (
            lambda: VAE(**vectors(5, 10), observation=Poisson()),
            r"The output of `decoder` must have the shape \(5,\). Received: \(10,\)",
        ),
        (
            lambda: trained(Poisson(), COUNTS - 30),
            "`x` must hold counts, .* Poisson obs.*Received: -",
        ),
        (lambda: trained(NegativeBinomial(), UNIT), "`x` must hold counts, whole numbers >= 0"),
        (lambda: trained(Categorical(), UNIT), "`x` must hold one-hot vectors, groups"),
        (lambda: trained(DiscretizedLogistic(), COUNTS), r"`x` must lie in \[0, 1\] for Discreti"),
        (lambda: trained(Poisson(), COUNTS[:, :4]), r"shape \('n', 5\)"),
        (
            lambda: VAE(**vectors(5), observation=Poisson()).encode(-COUNTS),
            "`x` must hold counts",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def trained(observation, x, **arguments):
    model = VAE(**vectors(5), observation=observation)
    model.compile("adam", run_eagerly=True)
    model.fit(x, verbose=0, **arguments)


@ONE
def test_there_are_no_pictures_of_vectors(tmp_path):
    with pytest.raises(ValueError, match=r"there are no pictures of vectors. Received: .*\(1, 5\)"):
        trained(Poisson(), COUNTS, callbacks=[LatentTraversal(tmp_path)])
