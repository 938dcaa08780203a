"""Gradients of gradient penalties through every normalisation, against differences in float64.

Each row is a critic with one such layer; the error is that of the penalty's derivative along a
random direction of all weights, relative to the derivative.
"""

import contextlib

import keras
import numpy as np
import pytest
from derivatives import value_and_gradients
from keras import layers, ops
from keras.src.backend.common import dtypes

from keras_disentangle.layers import (
    ConditionalBatchNormalization,
    MinibatchStd,
    PixelNormalization,
    SelfAttention2D,
    SpectralConv2D,
    SpectralDense,
)
from keras_disentangle.losses import r1_penalty, wgan_gp_penalty
from keras_disentangle.models import GAN
from keras_disentangle.trainers import PhasedModel

BACKEND = keras.backend.backend()
_PLAYERS = ("generator", "discriminator")
PENALTIES = {"r1": r1_penalty, "wgan_gp": wgan_gp_penalty}
NORMALIZATIONS = {
    "batch": layers.BatchNormalization,
    "layer": layers.LayerNormalization,
    "layer, all axes": lambda: layers.LayerNormalization(axis=(1, 2, 3)),
    "layer, some axes": lambda: layers.LayerNormalization(axis=(1, 3)),
    "layer, rms_scaling": lambda: layers.LayerNormalization(rms_scaling=True),
    "group": lambda: layers.GroupNormalization(2),
    "instance": lambda: layers.GroupNormalization(-1),
    "rms": layers.RMSNormalization,
    "unit": layers.UnitNormalization,
    "conditional batch": ConditionalBatchNormalization,
    "pixel": PixelNormalization,
    "minibatch std": MinibatchStd,
}
if BACKEND == "tensorflow":
    NORMALIZATIONS["batch, synchronized"] = lambda: layers.BatchNormalization(synchronized=True)
# Their power iteration moves at each call in training, and no gradient goes through it: as they
# are between two calls.
STILL = {
    "spectral": lambda: layers.SpectralNormalization(layers.Conv2D(8, 3, padding="same")),
    "spectral conv": lambda: SpectralConv2D(8, 3),
    "spectral dense": lambda: SpectralDense(8),
    "self-attention": SelfAttention2D,
}
CASES = [(name, penalty) for name in (*NORMALIZATIONS, *STILL) for penalty in PENALTIES]
if BACKEND == "jax":  # Whose derivatives are its own all along; uncompiled, it takes long.
    CASES = [(name, "r1") for name in ("batch", "layer")]


@pytest.fixture
def float64(monkeypatch):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    # With JAX and PyTorch, Keras's own results would be float32.
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    with contextlib.ExitStack() as stack:
        if BACKEND == "jax":
            import jax

            stack.enter_context(jax.enable_x64(True))
        yield
    keras.config.set_dtype_policy(before)


def critic(layer, rng):
    """Built, with weights of which none is special."""
    x = inputs = keras.Input((4, 4, 3), dtype="float64")
    for part in (layers.Conv2D(8, 3, padding="same"), layer(), layers.Activation("tanh")):
        x = part(x)
    x = layers.Activation("tanh")(layers.Conv2D(4, 3, strides=2)(x))
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))
    for weight in model.trainable_variables:
        start = 1.0 if "gamma" in weight.path else 0.0
        weight.assign(start + 0.3 * rng.normal(size=weight.shape))
    return model


def error_of(layer, penalty, training):
    rng = np.random.default_rng(5)
    network = critic(layer, rng)
    model = PhasedModel()
    model.network = network
    images = ops.convert_to_tensor(rng.normal(size=(4, 4, 4, 3)))
    for _ in range(3 if not training else 0):
        network(images, training=True)  # Until the singular vectors are those of these weights.
    state = [np.array(ops.convert_to_numpy(v)) for v in network.variables]

    def restore():
        for variable, value in zip(network.variables, state, strict=True):
            variable.assign(value)

    def loss():
        outputs, gradients = model.input_gradient(
            lambda x: (network(x, training=training),), images
        )
        return ops.mean(penalty(gradients))

    weights = network.trainable_variables
    _, gradients = value_and_gradients(loss, weights)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    directions = [rng.normal(size=weight.shape) for weight in weights]
    values = []
    for step in (1e-5, -1e-5):
        restore()
        for weight, direction in zip(weights, directions, strict=True):
            weight.assign(ops.convert_to_numpy(weight) + step * direction)
        values.append(float(ops.convert_to_numpy(loss())))
    expected = (values[0] - values[1]) / 2e-5
    found = sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))
    assert abs(expected) > 1e-4
    return abs(found - expected) / abs(expected)


@pytest.mark.parametrize("name, penalty", CASES)
def test_gradients_of_penalties_are_those_of_differences(name, penalty, float64):
    training = name in NORMALIZATIONS
    layer = NORMALIZATIONS[name] if training else STILL[name]
    error = error_of(layer, PENALTIES[penalty], training)
    print(f"{BACKEND:10} {penalty:8} {name:20} {error:.1e}")
    assert error < 1e-3


@pytest.mark.parametrize("penalty", [None, "r1", "wgan_gp"] if BACKEND != "jax" else ["r1"])
def test_a_critic_with_keras_spectral_normalization_trains(penalty):
    generator = keras.Sequential(
        [keras.Input((4,)), layers.Dense(36, "sigmoid"), layers.Reshape((6, 6, 1))]
    )
    dense = layers.SpectralNormalization(layers.Dense(1), power_iterations=3)
    critic = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.SpectralNormalization(layers.Conv2D(4, 3, strides=2)),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            dense,
        ]
    )
    model = GAN(generator, critic, gradient_penalty=penalty, seed=0)
    sgd = {f"{player}_optimizer": keras.optimizers.SGD(1e-3) for player in _PLAYERS}
    model.compile(**sgd, run_eagerly=BACKEND == "tensorflow")
    before = np.array(ops.convert_to_numpy(dense.layer.bias))
    images = np.random.default_rng(0).uniform(size=(4, 6, 6, 1)).astype("float32")
    logs = model.fit(images, batch_size=4, epochs=2, verbose=0).history
    assert all(np.isfinite(values).all() for values in logs.values())
    assert np.all(before != ops.convert_to_numpy(dense.layer.bias))
    if BACKEND != "jax":  # Where the write is forgotten, and the gradient goes through it.
        kernel = ops.convert_to_numpy(dense.layer.kernel)
        assert np.linalg.norm(kernel, 2) == pytest.approx(1, abs=0.05)
