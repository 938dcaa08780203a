"""Models that train on pairs: their objectives in NumPy, what they take, and what they are."""

import keras
import numpy as np
import pytest
import scipy.stats
from factor_images import factor_images
from keras import ops
from scipy.special import log_expit
from tabled_random import noise_table
from tiny_networks import IMAGE_SHAPE, IMAGES, dense, flat_networks
from tiny_training import assign_by_hand, fit, numbers

import keras_disentangle as kd
from keras_disentangle.callbacks import FactorMetrics, InformationFlow, LatentTraversal
from keras_disentangle.datasets import ArrayFactorDataset
from keras_disentangle.losses import adaptive_posteriors
from keras_disentangle.models import VAE, AdaGVAE, AdaMLVAE, SlowVAE
from keras_disentangle.penalties import HessianPenalty

# A few steps each; the compiled ones are those of the shared table.
pytestmark = pytest.mark.compiled(False)
PAIRS = IMAGES.reshape(8, 2, *IMAGE_SHAPE)
MODELS = (AdaGVAE, AdaMLVAE, SlowVAE)


def flat():
    pixels = int(np.prod(IMAGE_SHAPE))
    return dense(IMAGE_SHAPE, 8, None), dense((4,), pixels, None, reshape=IMAGE_SHAPE)


def posteriors(model):
    kernel, bias = (ops.convert_to_numpy(w).astype("float64") for w in model.encoder.weights)
    return np.split(IMAGES.reshape(16, -1) @ kernel + bias, 2, axis=1)


def bound(model, mean, log_var):
    """Reconstruction and KL of each image, (16,), at the tabled noise."""
    z = mean + np.exp(log_var / 2) * noise_table(4)[:16]
    kernel, bias = (ops.convert_to_numpy(w).astype("float64") for w in model.decoder.weights)
    logits, x = z @ kernel + bias, IMAGES.reshape(16, -1)
    reconstruction = -(x * log_expit(logits) + (1 - x) * log_expit(-logits)).sum(1)
    return reconstruction, 0.5 * (mean**2 + np.exp(log_var) - log_var - 1).sum(1)


@pytest.mark.parametrize("kind", [AdaGVAE, AdaMLVAE])
def test_adaptive_objective(kind, evaluate, assert_terms):
    model = kind(*flat(), beta=3.0)
    assign_by_hand(model)
    mean, log_var = posteriors(model)
    var, shared = np.exp(log_var), np.zeros((16, 4), bool)
    mean_of, log_var_of = mean.copy(), log_var.copy()
    for i in range(0, 16, 2):  # one pair after the other
        a, b = slice(i, i + 1), slice(i + 1, i + 2)
        delta = var[a] / var[b] + (mean[a] - mean[b]) ** 2 / var[b] - 1 + log_var[b] - log_var[a]
        shared[a] = shared[b] = delta < (delta.min() + delta.max()) / 2
        if kind is AdaGVAE:
            average, variance = (mean[a] + mean[b]) / 2, (var[a] + var[b]) / 2
        else:
            variance = 2 * var[a] * var[b] / (var[a] + var[b])
            average = (mean[a] / var[a] + mean[b] / var[b]) * variance / 2
        for rows in (a, b):
            mean_of[rows] = np.where(shared[rows], average, mean[rows])
            log_var_of[rows] = np.where(shared[rows], np.log(variance), log_var[rows])
    assert shared.any(1).all() and (~shared).any(1).all()
    reconstruction, kl = (part.mean() for part in bound(model, mean_of, log_var_of))
    expected = {"loss": reconstruction + 3 * kl, "reconstruction": reconstruction, "kl": kl}
    assert_terms(evaluate(model, PAIRS), {**expected, "beta": 3.0})


def laplace_divergence(mean, log_var, location, rate):
    std = np.exp(log_var / 2)
    # The mean of a folded normal distribution is that of the distance.
    folded = scipy.stats.foldnorm(np.abs(mean - location) / std, scale=std).mean()
    entropy = scipy.stats.norm(0, std).entropy()
    return (rate * folded - np.log(rate / 2) - entropy).sum(1)


def test_slow_objective(evaluate, assert_terms):
    model = SlowVAE(*flat(), beta=3.0, gamma=5.0, rate=2.0)
    assign_by_hand(model)
    mean, log_var = posteriors(model)
    other = mean.reshape(8, 2, 4)[:, ::-1].reshape(16, 4)
    laplace = laplace_divergence(mean, log_var, other, 2.0).mean()
    reconstruction, kl = (part.mean() for part in bound(model, mean, log_var))
    expected = {
        "loss": reconstruction + 3 / 2 * kl + 5 / 2 * laplace,
        "reconstruction": reconstruction,
        "kl": kl,
        "kl_laplace": laplace,
        "beta": 3.0,
        "gamma": 5.0,
    }
    assert_terms(evaluate(model, PAIRS), expected)


def test_weights_of_pairs(evaluate):
    model = AdaGVAE(*flat())
    assign_by_hand(model)
    first = evaluate(model, PAIRS[:4])
    weight = np.repeat([1.0, 0.0], 4).astype("float32")
    found = model.test_on_batch(PAIRS, sample_weight=weight, return_dict=True)
    assert found["reconstruction"] == pytest.approx(first["reconstruction"], rel=1e-5)
    assert found["loss"] == pytest.approx(first["loss"] / 2, rel=1e-5)  # as Keras weights losses


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    keras.utils.set_random_seed(0)
    model = request.param(**flat_networks(3), seed=1)
    history = fit(model, epochs=1, validation_data=(PAIRS,), batch_size=4)
    assert all(np.isfinite(values).all() for values in history.values())
    assert "val_loss" in history and int(model.step) == 2
    return model


def test_to_the_outside_it_is_a_vae(model, tmp_path):
    plain = VAE(model.encoder, model.decoder)
    for a, b in zip(numbers(model.encode(IMAGES)), numbers(plain.encode(IMAGES)), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in (
        (m.reconstruct(IMAGES) for m in (model, plain)),
        (m.sample(2, seed=0) for m in (model, plain)),
    ):
        np.testing.assert_array_equal(*numbers([a, b]))
    assert model.predict(IMAGES, verbose=0)["mean"].shape == (16, 3)
    # Of pairs, images that lie next to each other.
    mean = ops.convert_to_numpy(model(ops.convert_to_tensor(PAIRS))["mean"])
    own = ops.convert_to_numpy(model.encode(IMAGES)[0])
    assert mean.shape == (16, 3) and np.isclose(mean, own, atol=1e-5).any(1).all()
    if isinstance(model, AdaGVAE):
        assert (mean[::2] == mean[1::2]).any(1).all() and not np.allclose(mean, own)


def test_metrics_and_callbacks_take_it(model, tmp_path):
    data = factor_images()
    scores = kd.evaluate(model, data, metrics=["mig"], num_samples=40)
    assert np.isfinite(scores["mig"])
    images = (255 * IMAGES).astype("uint8")
    callbacks = [
        FactorMetrics(data, metrics=["mig"], num_samples=40),
        LatentTraversal(tmp_path, images=images[:2], steps=2),
        InformationFlow(tmp_path, images),
    ]
    x = data.pairs(4, seed=0, steps_per_epoch=1)
    history = model.fit(x, callbacks=callbacks, verbose=0).history
    assert np.isfinite(history["mig"]).all()
    pictures = {path.name for path in (tmp_path / "pictures").glob("*.png")}
    assert "information_flow.png" in pictures and len(pictures) > 1


def test_penalties_take_both_images():
    model = AdaGVAE(**flat_networks(3), penalties=[HessianPenalty(weight=0.5)], seed=1)
    history = fit(model, epochs=1)
    assert history["hessian_penalty"][0] > 0


def test_configurations_come_back():
    for model in (
        AdaMLVAE(**flat_networks(3), beta=2.0, symmetric=True),
        SlowVAE(**flat_networks(3), gamma=2.0, rate=3.0),
    ):
        again = type(model).from_config(model.get_config())
        assert type(again) is type(model)
        for name in ("beta", "symmetric", "gamma", "rate"):
            assert getattr(again, name, None) == getattr(model, name, None)


def test_the_symmetric_divergence_is_used():
    model = AdaGVAE(**flat_networks(3), symmetric=True)
    mean, log_var = np.random.default_rng(0).normal(size=(2, 40, 3)).astype("float32")
    parts = (mean[::2], log_var[::2], mean[1::2], log_var[1::2])
    (first, _), (second, _) = adaptive_posteriors(*parts, symmetric=True)
    found = ops.convert_to_numpy(model.pair_up(ops.convert_to_tensor(mean), log_var)[0])
    np.testing.assert_array_equal(found[::2], ops.convert_to_numpy(first))
    np.testing.assert_array_equal(found[1::2], ops.convert_to_numpy(second))
    assert (
        found != ops.convert_to_numpy(AdaGVAE(**flat_networks(3)).pair_up(mean, log_var)[0])
    ).any()


def batches_of_images():
    return ArrayFactorDataset(IMAGES, (4, 4), ("a", "b")).batches(4, seed=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_images_in_place_of_pairs(method, model):
    message = r"`x` must .*'n', 2, 8, 8, 1.*pairs of images, as `data.pairs\(...\)` gives them"
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(IMAGES)
    if method == "fit":
        with pytest.raises(ValueError, match=message):
            model.fit(batches_of_images())
        with pytest.raises(ValueError, match=message.replace("x", "validation_data", 1)):
            model.fit(PAIRS, validation_data=(IMAGES,))


def test_pairs_in_place_of_images(model):
    plain = VAE(model.encoder, model.decoder)
    plain.compile("adam")
    message = r"`x` must .*'n', 8, 8, 1.*single images .*`fit` of `AdaGVAE`"
    for call in (plain.fit, plain.train_on_batch, plain.encode, model.encode, model.predict):
        with pytest.raises(ValueError, match=message):
            call(PAIRS)
    with pytest.raises(ValueError, match=message):
        plain.fit(ArrayFactorDataset(IMAGES, (4, 4), ("a", "b")).pairs(4, seed=0))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: AdaGVAE(**flat_networks(3), symmetric=1), "`symmetric` must be True or False"),
        (lambda: AdaMLVAE(**flat_networks(3), beta=-1), "`beta` must be .* beta=-1"),
        (lambda: SlowVAE(**flat_networks(3), gamma=-1), "`gamma` must be .* gamma=-1"),
        (lambda: SlowVAE(**flat_networks(3), rate=0), "`rate` must be .*> 0. Received: rate=0"),
        (lambda: AdaGVAE(**flat_networks(3), labels=3), "`AdaGVAE` cannot be conditional"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
