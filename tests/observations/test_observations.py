"""Observations by themselves and in models, those of a user's own among them."""

import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops
from model_table import VAES
from tiny_networks import IMAGE_SHAPE, dense, flat_networks
from tiny_training import fit, numbers

from keras_disentangle.losses import FeatureMatchingLoss
from keras_disentangle.models import VAE, DiscriminativeVAE
from keras_disentangle.observations import Bernoulli, Gaussian, Observation

RNG = np.random.default_rng(0)
X = RNG.random((3, *IMAGE_SHAPE), "float32")
PREDICTION = RNG.normal(size=X.shape).astype("float32")
N = 20_000
FIVE_ERRORS = 5 / N**0.5


@keras.saving.register_keras_serializable("test_observations")
class Laplace(Observation):
    """One that learns its scale, takes arguments and logs."""

    in_unit_interval = True

    def __init__(self, start=1.0):
        self.start = start

    def add_weights(self, model, image_shape):
        start = keras.initializers.Constant(self.start)
        self.scale = model.add_weight(shape=image_shape[-1:], initializer=start, name="scale")

    def negative_log_likelihood(self, x, prediction):
        each = ops.abs(x - prediction) / self.scale + ops.log(2 * self.scale)
        return ops.sum(each, axis=(1, 2, 3))

    def sample(self, prediction, seed=None):
        noise = keras.random.uniform(ops.shape(prediction), -0.5, 0.5, seed=seed)
        return prediction - self.scale * ops.sign(noise) * ops.log(1 - 2 * ops.abs(noise))

    def logged(self):
        return {"scale": ops.mean(self.scale)}

    def get_config(self):
        return {"start": self.start}


@pytest.mark.parametrize("observation", [Bernoulli(), Gaussian("channel", -2.0), Laplace(0.5)])
def test_config(observation):
    config = keras.saving.serialize_keras_object(observation)
    loaded = keras.saving.deserialize_keras_object(config)
    assert type(loaded) is type(observation) and repr(loaded) == repr(observation)


def test_bernoulli():
    bernoulli = Bernoulli()
    p = 1 / (1 + np.exp(-PREDICTION.astype("float64")))
    np.testing.assert_allclose(numbers([bernoulli.mean(PREDICTION)])[0], p, rtol=1e-5)
    expected = -(X * np.log(p) + (1 - X) * np.log1p(-p)).sum((1, 2, 3))
    (found,) = numbers([bernoulli.negative_log_likelihood(X, PREDICTION)])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    logits = np.full((N, 1, 1, 1), np.log(3.0), "float32")
    draws, same, other = numbers([bernoulli.sample(logits, seed=s) for s in (1, 1, 2)])
    assert set(np.unique(draws)) == {0, 1} and abs(draws.mean() - 0.75) < FIVE_ERRORS
    np.testing.assert_array_equal(draws, same)
    assert (draws != other).any()


def test_gaussian():
    gaussian = Gaussian()
    np.testing.assert_array_equal(numbers([gaussian.mean(PREDICTION)])[0], PREDICTION)
    expected = -scipy.stats.norm.logpdf(X, PREDICTION).sum((1, 2, 3))
    (found,) = numbers([gaussian.negative_log_likelihood(X, PREDICTION)])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    model = VAE(**flat_networks(3), observation=Gaussian("full", min_log_std=-1.0))
    taken = model.observation
    log_std = np.linspace(-2, 1, 64).reshape(IMAGE_SHAPE)
    taken.log_std.assign(log_std)
    means = np.full((N // 4, *IMAGE_SHAPE), 0.5, "float32")
    draws, same = numbers([taken.sample(means, seed=s) for s in (1, 1)])
    std = np.exp(np.maximum(log_std, -1.0))
    assert draws.dtype == np.float32
    np.testing.assert_allclose(draws.mean(0), 0.5, atol=6 * std.max() / (N // 4) ** 0.5)
    np.testing.assert_allclose(draws.std(0), std, rtol=6 / (N // 2) ** 0.5)
    np.testing.assert_array_equal(draws, same)


@pytest.mark.parametrize(
    "shorthand, observation",
    [
        ({"observation": "bernoulli"}, Bernoulli()),
        (
            {"observation": "gaussian", "pixel_scale": "full", "min_log_std": -2},
            Gaussian("full", -2),
        ),
    ],
)
def test_shorthands_are_the_same_model(shorthand, observation):
    networks = flat_networks(3)
    models = [VAE(**networks, **shorthand), VAE(**networks, observation=observation)]
    assert repr(models[0].observation) == repr(models[1].observation) == repr(observation)
    configs = [model.get_config() for model in models]
    for name in ("observation", "pixel_scale", "min_log_std"):
        assert configs[0][name] == configs[1][name], name
    assert configs[0]["observation"] == shorthand["observation"]
    paths = [[v.path.split("/", 1)[1] for v in m.weights[:2]] for m in models]
    assert paths[0] == paths[1]


def test_each_model_has_weights_of_its_own():
    gaussian = Gaussian()
    first, second = (VAE(**flat_networks(3), observation=gaussian) for _ in range(2))
    first.log_std.assign(-1.0)
    again = VAE(**flat_networks(3), observation=first.observation)
    assert numbers([second.log_std, again.log_std]) == [0.0, 0.0] and gaussian.log_std == 0.0
    assert first.log_std is first.observation.log_std


def test_one_of_a_users_own(tmp_path):
    encoder, decoder = dense(IMAGE_SHAPE, 6, None), dense((3,), 64, None, reshape=IMAGE_SHAPE)
    model = VAE(encoder, decoder, observation=Laplace(0.5), seed=1)
    assert any(v is model.observation.scale for v in model.trainable_variables)
    assert not hasattr(model, "log_std")
    logs = fit(model)
    (scale,) = numbers([model.observation.scale])
    assert scale[0] != 0.5 and np.isfinite(logs["loss"]).all() and "scale" in logs
    z = np.zeros((3, 3), "float32")
    expected = scipy.stats.laplace.logpdf(X, numbers([model.decode(z)])[0], scale=scale)
    (found,) = numbers([model.log_likelihood(X, z)])
    np.testing.assert_allclose(found, expected.sum((1, 2, 3)), rtol=1e-5)
    with pytest.raises(ValueError, match=r"in \[0, 1\] for Laplace observations"):
        model.encode(2 * X + 1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert repr(loaded.observation) == "Laplace(start=0.5)"
    np.testing.assert_array_equal(numbers([loaded.log_likelihood(X, z)])[0], found)


def test_discriminative_vae_takes_one():
    classifier = dense(IMAGE_SHAPE, 3)
    classifier.trainable = False
    loss = FeatureMatchingLoss(classifier, [classifier.layers[-1].name])
    for observation in (Bernoulli(), Gaussian("channel"), Laplace()):
        model = DiscriminativeVAE(**flat_networks(3), feature_loss=loss, observation=observation)
        assert repr(model.observation) == repr(observation)
        again = DiscriminativeVAE.from_config(model.get_config())
        assert repr(again.observation) == repr(observation)


@pytest.mark.parametrize("name", VAES)
def test_every_model_observes(name):
    model = VAES[name].build()
    z = np.zeros((2, model.latent_dim), "float32")
    draws = model.observation.sample(model.generate(model.split(ops.convert_to_tensor(z))), seed=0)
    assert tuple(draws.shape) == (2, *model.image_shape)


class Wrong(Gaussian):
    def negative_log_likelihood(self, x, prediction):
        return ops.square(x - prediction)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Gaussian("pixel"), "`scale` must be one of .* scale='pixel'"),
        (lambda: Gaussian(min_log_std=0.5), "`min_log_std` must be None or .*=0.5"),
        (lambda: Bernoulli().sample(PREDICTION, seed=-1), "`seed` must be .* seed=-1"),
        (lambda: vae(Gaussian), "`observation` must be .* an `Observation`. .*Gaussian"),
        (lambda: vae(Gaussian(), pixel_scale="full"), "`pixel_scale` .* must be left out.*'full'"),
        (lambda: vae(Bernoulli(), min_log_std=-1.0), "`min_log_std` must be left out.*-1.0"),
        (
            lambda: vae(Wrong()).log_likelihood(X, np.zeros((3, 3), "float32")),
            r"must give a number for each image, \(batch,\). Received: \(3, 8, 8, 1\) from Wrong",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def vae(observation, **arguments):
    return VAE(**flat_networks(3), observation=observation, **arguments)


def test_what_takes_logits_wants_no_activation():
    @keras.saving.register_keras_serializable("test_observations")
    class Binomial(Bernoulli):
        pass

    networks = {**flat_networks(3), "decoder": dense((3,), 64, "sigmoid", reshape=IMAGE_SHAPE)}
    with pytest.raises(ValueError, match="must give logits for Binomial observations"):
        VAE(**networks, observation=Binomial())
    assert VAE(**networks, observation=Gaussian()).decode(np.zeros((1, 3))).shape[0] == 1
