from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from model_table import VAES
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from tiny_networks import IMAGE_SHAPE, IMAGES, dense
from tiny_training import assign_by_hand, fit, weights

from keras_disentangle.metrics import importance_nll
from keras_disentangle.models import VAE

SHAPE = (3, 2, 2)
UNITS = 12
N, D = 11, 3
LOG_STD = -0.5


class LinearGaussian:
    """x = W z + b + noise, with the best diagonal posterior; nothing but NumPy."""

    def __init__(self, orthogonal=False, widen=0.0):
        rng = np.random.default_rng(0)
        self.w, self.b = rng.normal(size=(D, UNITS)), rng.normal(size=UNITS)
        if orthogonal:
            self.w = np.linalg.qr(self.w.T)[0].T * np.array([[0.5], [1.0], [2.0]])
        precision = np.eye(D) + self.w @ self.w.T * np.exp(-2 * LOG_STD)
        self.covariance = np.linalg.inv(precision)
        self.gain = self.w.T @ self.covariance * np.exp(-2 * LOG_STD)
        self.log_var = widen - np.log(np.diag(precision))
        self.evidence = multivariate_normal(
            self.b, self.w.T @ self.w + np.exp(2 * LOG_STD) * np.eye(UNITS)
        )
        self.x = self.evidence.rvs(N, random_state=rng).reshape(N, *SHAPE).astype("float32")
        self.seen = []

    def encode(self, x):
        self.seen.append(x.shape)
        mean = (x.reshape(-1, UNITS) - self.b) @ self.gain
        return mean, np.tile(self.log_var, (len(x), 1))

    def log_likelihood(self, x, z):
        self.seen.append(x.shape)
        assert x.dtype == z.dtype == np.float32
        error = (x.reshape(-1, UNITS) - self.b - z @ self.w) * np.exp(-LOG_STD)
        return -0.5 * (error**2).sum(axis=1) - UNITS * (LOG_STD + 0.5 * np.log(2 * np.pi))

    def nll(self):
        """The exact value, in nats per image."""
        return -self.evidence.logpdf(self.x.reshape(N, UNITS)).mean()

    def gap(self):
        """KL(q(z|x) || p(z|x)): what the evidence lower bound lacks."""
        precision, var = np.linalg.inv(self.covariance), np.exp(self.log_var)
        log_det = np.linalg.slogdet(self.covariance)[1] - self.log_var.sum()
        return 0.5 * (np.diag(precision) @ var - D + log_det)

    def as_vae(self):
        model = VAE(
            dense(SHAPE, 2 * D, None), dense((D,), UNITS, None, SHAPE), observation="gaussian"
        )
        kernel = np.concatenate([self.gain, np.zeros((UNITS, D))], axis=1)
        bias = np.concatenate([-self.b @ self.gain, self.log_var])
        model.encoder.set_weights([kernel, bias])
        model.decoder.set_weights([self.w, self.b])
        model.log_std.assign(LOG_STD)
        return model


def test_exact_posterior_needs_one_sample():
    linear = LinearGaussian(orthogonal=True)
    for model in (linear, linear.as_vae()):
        for num_samples in (1, 10):
            result = importance_nll(model, linear.x, num_samples)
            assert result["nll"] == pytest.approx(linear.nll() / UNITS, rel=1e-5)
            assert result["effective_samples"] == pytest.approx(num_samples, rel=1e-4)
    # The standard error is then that of the images alone.
    each = linear.evidence.logpdf(linear.x.reshape(N, UNITS)) / UNITS
    assert result["standard_error"] == pytest.approx(each.std(ddof=1) / np.sqrt(N), rel=1e-4)


def test_approximate_posterior():
    linear = LinearGaussian()
    exact, model = linear.nll(), linear.as_vae()
    result = importance_nll(model, linear.x)
    assert all(type(value) is float for value in result.values())
    assert result["nll"] == pytest.approx(exact / UNITS, abs=0.01)
    assert 1 < result["effective_samples"] < 100
    in_nats = importance_nll(model, linear.x, per_unit=False)
    assert in_nats["nll"] == pytest.approx(UNITS * result["nll"], rel=1e-12)
    assert in_nats["standard_error"] == pytest.approx(UNITS * result["standard_error"], rel=1e-12)


def test_between_the_value_and_the_evidence_lower_bound():
    linear = LinearGaussian(widen=1.0)
    exact, bound = linear.nll(), linear.nll() + linear.gap()
    assert bound > exact + 1
    x = np.tile(linear.x, (40, 1, 1, 1))  # many draws for each image
    estimates = [
        importance_nll(linear, x, k, per_unit=False, batch_size=4000)["nll"] for k in (1, 5, 50)
    ]
    # The standard error is 0.13.
    assert estimates[0] == pytest.approx(bound, abs=0.3)
    assert exact - 0.05 < estimates[2] < estimates[1] < estimates[0]


def test_bernoulli_against_integration():
    model = VAE(dense(SHAPE, 4), dense((2,), UNITS, None, SHAPE))
    assign_by_hand(model)
    x = np.random.default_rng(1).integers(0, 2, (4, *SHAPE)).astype("float32")
    axis, step = np.linspace(-6, 6, 61, retstep=True)
    z = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    log_prior = -0.5 * (z**2).sum(axis=1) - np.log(2 * np.pi) + 2 * np.log(step)
    exact = []
    for image in x:
        likelihood = model.log_likelihood(np.tile(image, (len(z), 1, 1, 1)), z.astype("float32"))
        exact.append(-logsumexp(ops.convert_to_numpy(likelihood) + log_prior))
    result = importance_nll(model, x, 400, per_unit=False)
    assert result["nll"] == pytest.approx(np.mean(exact), abs=0.02)
    posterior = [ops.convert_to_numpy(part).astype("float64") for part in model.encode(x)]
    code = posterior[0] + np.exp(0.5 * posterior[1]) * np.random.default_rng(2).normal(
        size=(200, 4, 2)
    )
    nll = [-ops.convert_to_numpy(model.log_likelihood(x, c.astype("float32"))) for c in code]
    kl = 0.5 * (posterior[0] ** 2 + np.exp(posterior[1]) - 1 - posterior[1]).sum(axis=1)
    assert result["nll"] < np.mean(nll) + kl.mean()


@pytest.mark.parametrize("num_samples", [1, 30])
def test_the_same_on_every_backend_and_in_batches_of_any_size(num_samples):
    linear = LinearGaussian()
    mean, log_var = linear.encode(linear.x)
    log_weights = []
    for i, image in enumerate(linear.x):
        noise = np.random.default_rng((7, i)).standard_normal((num_samples, D))
        z = mean[i] + np.exp(0.5 * log_var[i]) * noise
        log_ratio = 0.5 * (noise**2 - z**2 + log_var[i]).sum(axis=1)
        images = np.tile(image, (num_samples, 1, 1, 1))
        log_weights.append(linear.log_likelihood(images, z.astype("float32")) + log_ratio)
    expected = np.log(num_samples) - logsumexp(log_weights, axis=1)
    shares = np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True))

    def check(model, batch_size):
        result = importance_nll(
            model, linear.x, num_samples, per_unit=False, seed=7, batch_size=batch_size
        )
        assert result["nll"] == pytest.approx(expected.mean(), rel=1e-5)
        assert result["standard_error"] == pytest.approx(expected.std(ddof=1) / N**0.5, rel=1e-4)
        assert result["effective_samples"] == pytest.approx(
            (1 / (shares**2).sum(axis=1)).mean(), rel=1e-4
        )

    for batch_size in (1, 4, 7, 11, 64, 1000):
        linear.seen.clear()
        check(linear, batch_size)
        # No more than asked for, and of one size when encoded, of one when decoded.
        assert max(shape[0] for shape in linear.seen) <= batch_size
        assert len(set(linear.seen)) <= 2
    check(linear.as_vae(), 64)


def test_the_seed_decides():
    linear = LinearGaussian()
    first, same, other = (importance_nll(linear, linear.x, 5, seed=s) for s in (0, 0, 1))
    assert first == same != other


@pytest.mark.compiled(True)
def test_a_compiled_model_is_traced_once_and_left_as_it_was():
    linear = LinearGaussian()
    model, calls = linear.as_vae(), []
    inner = model.generate
    model.generate = lambda codes, training=False: calls.append(training) or inner(codes, training)
    before = weights(model)
    importance_nll(model, linear.x, 10, batch_size=8)
    batches = 22 * (keras.backend.backend() == "torch")
    assert 1 <= len(calls) <= max(2, batches) and not any(calls)
    for a, b in zip(weights(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_while_training():
    def history(measure):
        model = VAE(dense(IMAGE_SHAPE, 4), dense((2,), 64, None, IMAGE_SHAPE), seed=1)
        assign_by_hand(model)
        values = []
        callback = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: values.append(
                importance_nll(model, IMAGES, 2)["nll"] if measure else None
            )
        )
        callback.set_model(model)
        return fit(model, epochs=2, callbacks=[callback])["loss"], values

    (loss, values), (expected, _) = history(True), history(False)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert np.isfinite(values).all() and len(set(values)) == 2


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a strategy of TensorFlow")
def test_of_a_model_under_a_strategy():
    import tensorflow as tf

    linear = LinearGaussian()
    expected = importance_nll(linear, linear.x, 10)["nll"]
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = linear.as_vae()
        inside = importance_nll(model, linear.x, 10)["nll"]
    outside = importance_nll(model, linear.x, 10)["nll"]
    assert inside == pytest.approx(expected, rel=1e-5) == outside


@pytest.mark.parametrize("name", ["vae_gaussian", "progressive_ladder_vae"])
def test_log_likelihood_of_models(name):
    model = VAES[name].build()
    z = np.random.default_rng(0).normal(size=(16, model.latent_dim)).astype("float32")
    value = ops.convert_to_numpy(model.log_likelihood(IMAGES, z))
    assert value.shape == (16,) and value.dtype == np.float32
    image = ops.convert_to_numpy(model.decode(z)).astype("float64")
    if model.observation.in_unit_interval:
        each = IMAGES * np.log(image) + (1 - IMAGES) * np.log1p(-image)
    else:
        log_std = float(ops.convert_to_numpy(model.log_std))
        error = (IMAGES - image) * np.exp(-log_std)
        each = -0.5 * error**2 - log_std - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(value, each.sum(axis=(1, 2, 3)), rtol=1e-4)
    assert np.isfinite(importance_nll(model, IMAGES[:3], 3)["nll"])


BITS = np.random.default_rng(0).integers(0, 2, (4, *SHAPE)).astype("float32")


def with_pixel(value):
    images = BITS.copy()
    images[3, 1, 0, 1] = value
    return images


@pytest.fixture(scope="module")
def bernoulli():
    return VAE(dense(SHAPE, 4), dense((2,), UNITS, None, SHAPE))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"model": None}, "`model` must have a method `encode`. Received: model=None"),
        (
            {"model": SimpleNamespace(encode=lambda x: x)},
            "`model` must have a method `log_likelihood`",
        ),
        ({"num_samples": 0}, "`num_samples` must be an integer >= 1. Received: num_samples=0"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1"),
        ({"seed": None}, "`seed` must be an integer >= 0. Received: seed=None"),
        ({"x": None}, "`x` must be an array of numbers. Received: x=None"),
        ({"x": BITS[:0]}, r"`x` must be a non-empty .* Received: x.shape=\(0, 3, 2, 2\)"),
        ({"x": BITS[:, :2]}, r"`x` must have the shape .*3, 2, 2.* Received: .*\(4, 2, 2, 2\)"),
        ({"x": BITS.astype(str)}, "`x` must be an array of numbers. Received: x="),
        ({"x": with_pixel(np.nan)}, "`x` must hold finite numbers. Received: NaN or infinity"),
        ({"x": with_pixel(-np.inf)}, "`x` must hold finite numbers"),
        ({"x": with_pixel(1.5)}, r"`x` must lie in \[0, 1\].* Received: values in \[0, 1.5\]"),
        ({"x": 255 * BITS.astype("uint8")}, r"divide uint8 images by 255.* values in \[0, 255\]"),
    ],
)
def test_bad_input_is_named(bernoulli, arguments, message):
    with pytest.raises(ValueError, match=message):
        importance_nll(**{"model": bernoulli, "x": BITS, "num_samples": 2, **arguments})


@pytest.mark.parametrize(
    "encode, log_likelihood, message",
    [
        (lambda x: np.zeros((len(x), 4)), None, r"`model.encode\(x\)` must return a pair"),
        (lambda x: np.zeros((2, 3, 2)), None, "the mean and the log variance of each of 4 images"),
        (lambda x: (0.0, 1.0), None, r"must return a pair.* Received: \[\(\), \(\)\]"),
        (lambda x: 2 * [np.full((4, 2), np.nan)], None, r"`model.encode\(x\)\[0\]` must be finite"),
        (
            lambda x: (np.zeros((4, 2)), np.zeros((4, 1))),
            None,
            r"two arrays of one shape. Received: \(4, 2\) and \(4, 1\)",
        ),
        (None, lambda x, z: np.zeros(3), "must be 8 finite numbers, one for each image"),
        (None, lambda x, z: np.zeros((8, 1)), "must be 8 finite numbers"),
        (None, lambda x, z: np.full(8, np.nan), "must be 8 finite numbers.* Received: .*nan"),
    ],
)
def test_what_a_model_returns_is_checked(encode, log_likelihood, message):
    model = SimpleNamespace(
        encode=encode or (lambda x: (np.zeros((4, 2)), np.zeros((4, 2)))),
        log_likelihood=log_likelihood,
    )
    if log_likelihood is None:
        model.log_likelihood = lambda x, z: np.zeros(len(z))
    with pytest.raises(ValueError, match=message):
        importance_nll(model, BITS, 2)


def test_log_likelihood_takes_a_code_for_each_image(bernoulli):
    codes = np.zeros((4, 2), "float32")
    with pytest.raises(ValueError, match=r"`x` must have the shape"):
        bernoulli.log_likelihood(BITS[..., :1], codes)
    with pytest.raises(
        ValueError, match=r"`z` must have the shape \('n', 2\). Received: .*\(4, 1\)"
    ):
        bernoulli.log_likelihood(BITS, codes[:, :1])
    with pytest.raises(ValueError, match="one code for each image. Received: .*z.shape=\\(3, 2"):
        bernoulli.log_likelihood(BITS, codes[:3])


def test_one_image_has_no_standard_error(bernoulli):
    result = importance_nll(bernoulli, BITS[:1], 3)
    assert np.isfinite(result["nll"]) and np.isnan(result["standard_error"])
