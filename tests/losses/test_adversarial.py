import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.special import expit, log_expit
from scipy.stats import bernoulli

from keras_disentangle.losses import (
    OBJECTIVES,
    discriminator_loss,
    generator_loss,
    r1_penalty,
    wgan_gp_penalty,
)

REAL, FAKE = (2 * np.random.default_rng(0).normal(size=(2, 6, 3, 2))).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def log_loss(r, f):
    r, f = (np.asarray(logits, "float64") for logits in (r, f))
    return -bernoulli.logpmf(1, expit(r)) - bernoulli.logpmf(0, expit(f))


EXPECTED = {
    "non_saturating": (log_loss, lambda f: -log_expit(f)),
    "saturating": (log_loss, lambda f: log_expit(-f)),
    "hinge": (lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f), lambda f: -f),
    "wasserstein": (lambda r, f: f - r, lambda f: -f),
}


def test_every_objective_is_expected():
    assert set(OBJECTIVES) == set(EXPECTED)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("shape", [(36,), (36, 1), (6, 3, 2)])
def test_losses(objective, shape):
    real, fake = REAL.reshape(shape), FAKE.reshape(shape)
    discriminator, generator = EXPECTED[objective]
    axes = tuple(range(1, len(shape)))
    value = numbers(discriminator_loss(objective, real, fake))
    np.testing.assert_allclose(value, discriminator(real, fake).mean(axis=axes), rtol=1e-5)
    value = numbers(generator_loss(objective, fake))
    np.testing.assert_allclose(value, generator(fake).mean(axis=axes), rtol=1e-5, atol=1e-6)


def test_values_at_the_optimum():
    # Where the two distributions are equal, the best discriminator gives 1/2 everywhere.
    zeros = np.zeros((4, 1), "float32")
    for objective in ("non_saturating", "saturating"):
        value = numbers(discriminator_loss(objective, zeros, zeros))
        np.testing.assert_allclose(value, 2 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(numbers(generator_loss("non_saturating", zeros)), np.log(2))
    np.testing.assert_allclose(numbers(generator_loss("saturating", zeros)), -np.log(2))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_sure_logits_are_finite(objective):
    sure = np.float32([[300.0]])
    values = [
        discriminator_loss(objective, -sure, sure),
        discriminator_loss(objective, sure, -sure),
        generator_loss(objective, sure),
        generator_loss(objective, -sure),
    ]
    assert np.isfinite([numbers(value) for value in values]).all()
    wrong, right = (numbers(value)[0] for value in values[:2])
    np.testing.assert_allclose(wrong, {"hinge": 602}.get(objective, 600))
    np.testing.assert_allclose(right, {"wasserstein": -600}.get(objective, 0), atol=1e-6)


def test_narrow_logits_are_widened():
    logits = ops.cast(REAL, "bfloat16")
    for value in (
        discriminator_loss("hinge", logits, logits),
        generator_loss("hinge", logits),
        r1_penalty(logits),
        wgan_gp_penalty(logits),
    ):
        assert tuple(value.shape) == (6,)
        assert keras.backend.standardize_dtype(value.dtype) == "float32"


def test_penalties():
    norm = np.linalg.norm(REAL.reshape(6, -1), axis=1)
    np.testing.assert_allclose(numbers(r1_penalty(REAL)), norm**2 / 2, rtol=1e-5)
    np.testing.assert_allclose(numbers(wgan_gp_penalty(REAL)), (norm - 1) ** 2, rtol=1e-5)
    np.testing.assert_allclose(numbers(wgan_gp_penalty(np.zeros((1, 2, 2)))), [1])


@pytest.mark.parametrize("start, end", [(0.0, 0.0), (0.5, 0.6)])
def test_the_gradient_penalty_is_differentiable(start, end):
    dense = layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(start))
    model = keras.Sequential([keras.Input((1,)), dense])
    model.compile(keras.optimizers.SGD(0.1), lambda _, gradients: wgan_gp_penalty(gradients))
    model.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
    np.testing.assert_allclose(numbers(dense.kernel), [[end]], rtol=1e-6)


@pytest.mark.parametrize(
    "use, message",
    [
        (
            lambda: discriminator_loss("wgan", REAL, FAKE),
            r"`objective` must be one of \('non_saturating',.*Received: objective='wgan'",
        ),
        (lambda: generator_loss(None, FAKE), "`objective` must be one of .*objective=None"),
        (
            lambda: discriminator_loss("hinge", REAL[:, 0, :1], FAKE[:, 0]),
            r"`real_logits` and `fake_logits` must .* Received: real_logits.shape=\(6, 1\), fake",
        ),
        (
            lambda: discriminator_loss("hinge", REAL[:3, 0, 0], FAKE[:, 0, 0]),
            r"Received: real_logits.shape=\(3,\), fake_logits.shape=\(6,\)",
        ),
        (lambda: discriminator_loss("hinge", 0.0, 0.0), r"Received: real_logits.shape=\(\)"),
        (lambda: generator_loss("hinge", 0.0), r"`fake_logits` must .* fake_logits.shape=\(\)"),
        (
            lambda: generator_loss("hinge", np.zeros((2, 0))),
            r"`fake_logits` must .* at least one .* fake_logits.shape=\(2, 0\)",
        ),
        (
            lambda: discriminator_loss("hinge", np.zeros((2, 0)), np.zeros((2, 0))),
            r"`real_logits` must .* at least one .* real_logits.shape=\(2, 0\)",
        ),
        (lambda: r1_penalty(np.zeros(3)), r"`gradients` must .* gradients.shape=\(3,\)"),
        (lambda: wgan_gp_penalty(np.zeros(3)), r"`gradients` must .* gradients.shape=\(3,\)"),
    ],
)
def test_bad_input_is_named(use, message):
    with pytest.raises(ValueError, match=message):
        use()
