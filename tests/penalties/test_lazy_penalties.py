"""Penalties that are evaluated at every n-th step alone."""

import keras
import numpy as np
import pytest
from penalty_table import Moments, feature_matching
from tiny_networks import IMAGE_SHAPE, IMAGES, dense, flat_networks, two_layer_generator
from tiny_training import fit, numbers

from keras_disentangle.models import GAN, VAE
from keras_disentangle.penalties import HessianPenalty, PosteriorPenalty

IS_TORCH = keras.backend.backend() == "torch"
ONE = pytest.mark.one_backend


def gan(every, weight, eager):
    keras.utils.set_random_seed(2)
    penalty = HessianPenalty(["first", "last"], weight, every, epsilon=0.5)
    discriminator = dense(IMAGE_SHAPE, 1, None)
    generator = two_layer_generator(3)
    # What a layer adds to the losses must not get out of a step that may be left out.
    generator.get_layer("first").activity_regularizer = keras.regularizers.L2(1e-3)
    model = GAN(generator, discriminator, penalties=[penalty], seed=1)
    slots = ("generator_optimizer", "discriminator_optimizer")
    # With XLA, as on a graphics card.
    how = {"run_eagerly": True} if eager or IS_TORCH else {"jit_compile": True}
    model.compile(**{slot: keras.optimizers.SGD(0.1) for slot in slots}, **how)
    return model, model.ramps["hessian_weight"], "hessian_penalty"


def vae(every, weight, eager):
    keras.utils.set_random_seed(2)
    penalty = Moments(weight, every, name="moments")
    model = VAE(**flat_networks(3), penalties=[penalty], seed=1)
    model.compile(keras.optimizers.SGD(0.01), run_eagerly=True)
    return model, model.ramps["moments_weight"], "moments"


@pytest.mark.parametrize("make", [gan, pytest.param(vae, marks=ONE)])
def test_the_gradient_is_n_times_as_large_at_each_nth_step(make, tabled_noise):
    every, weight = 3, 0.05
    model, ramp, term = make(every, weight, eager=False)
    always, _, _ = make(1, every * weight, eager=True)

    def step(model, state, number, weight=None):
        """The trained weights after a step from a state, and the logged value."""
        for variable, value in zip(model.variables, state, strict=True):
            variable.assign(value)
        model.step.assign(number)
        if weight is not None:
            ramp.set(weight, weight, 0, 0)
        logged = fit(model, epochs=1, compile_with=False)[term][0]
        return np.concatenate([w.ravel() for w in numbers(model.trainable_variables)]), logged

    state = numbers(model.variables)
    times = numbers(always.variables)
    for number in (0, 3):
        lazy, value = step(model, state, number)
        full, expected = step(always, times, number)
        without, _ = step(model, state, number, weight=0.0)
        assert np.abs(lazy - without).max() > 1e-5
        np.testing.assert_allclose(lazy - without, full - without, rtol=1e-3, atol=1e-7)
        assert value == pytest.approx(expected, rel=1e-5) and value > 0
    for number in (1, 2, 4):
        lazy, value = step(model, state, number)
        without, _ = step(model, state, number, weight=0.0)
        np.testing.assert_array_equal(lazy, without)
        assert value == 0


class Counted(PosteriorPenalty):
    """2 for every image; counts how often it is evaluated."""

    calls = 0

    def evaluate(self, z, mean, log_var):
        self.calls += 1
        return 2.0 + 0.0 * mean[:, 0]


def counted(every=3):
    penalty = Counted(weight=10.0, every=every, name="counted")
    model = VAE(**flat_networks(3), penalties=[penalty], seed=1)
    model.compile("sgd", run_eagerly=True)
    return model, penalty


@ONE
def test_the_logs_are_the_mean_over_the_steps_at_which_it_was_evaluated():
    model, penalty = counted()
    weights = np.linspace(0.5, 1.5, len(IMAGES))
    for arguments in ({}, {"sample_weight": weights}):
        history = fit(model, batch_size=4, epochs=1, compile_with=False, **arguments)
        assert history["counted"] == [pytest.approx(2.0)]
    # JAX traces what it may have to compute.
    if IS_TORCH:
        assert penalty.calls == 3  # The steps 0, 3 and 6 of 8.


@ONE
def test_what_a_penalty_trains_gets_a_gradient_of_zero_between():
    """As on JAX, so that Adam moves it on alike."""
    model = VAE(**flat_networks(3), penalties=[feature_matching(every=3)], seed=1)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    seen = []
    for _ in range(3):
        fit(model, epochs=1, compile_with=False)
        seen.append(numbers(model.penalty_layers[0].trainable_variables)[0])
    # With m = 0.1 g and v = 0.001 g², then zeros: the steps of Adam.
    m = 0.1 * 0.9 ** np.arange(3) / (1 - 0.9 ** np.arange(1, 4))
    v = 0.001 * 0.999 ** np.arange(3) / (1 - 0.999 ** np.arange(1, 4))
    expected = np.cumsum(0.01 * m / np.sqrt(v))
    for value, size in zip(seen, expected, strict=True):
        np.testing.assert_allclose(np.abs(value), size, rtol=1e-3)


@ONE
def test_outside_of_training_it_is_always_evaluated_once():
    model, _ = counted()
    model.step.assign(1)
    found = model.evaluate(IMAGES, batch_size=16, verbose=0, return_dict=True)
    assert found["counted"] == pytest.approx(2.0)
    bound = found["reconstruction"] + found["kl"]
    assert found["loss"] == pytest.approx(bound + 10.0 * 2.0, rel=1e-5)
