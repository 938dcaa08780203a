"""What every layer makes of zeros, of kernels of zeros, and of the policy float64."""

import keras
import numpy as np
import pytest
from derivatives import value_and_gradients
from keras import ops

from keras_disentangle.latents import Categorical, LatentSpace, Normal
from keras_disentangle.layers import (
    ConditionalBatchNormalization,
    EqualizedConv2D,
    EqualizedDense,
    FadeIn,
    GaussianSampling,
    LatentDirections,
    MinibatchStd,
    PixelNormalization,
    QHead,
    SelfAttention2D,
    SpectralConv2D,
    SpectralDense,
    Truncation,
    UpConv2D,
)

MAPS, VECTORS = (2, 4, 4, 8), (2, 6)
ZERO = {"kernel_initializer": "zeros"}
SPACE = LatentSpace([Normal(3), Categorical(4)])
# Layer, shapes of what it is called with, shape of what it gives.
CASES = {
    "batch": (lambda: ConditionalBatchNormalization(), [MAPS], MAPS),
    "conditional batch": (lambda: ConditionalBatchNormalization(**ZERO), [MAPS, VECTORS], MAPS),
    "equalized conv": (lambda: EqualizedConv2D(3, 3, **ZERO), [MAPS], (2, 4, 4, 3)),
    "equalized dense": (lambda: EqualizedDense(3, **ZERO), [VECTORS], (2, 3)),
    "sampling": (lambda: GaussianSampling(seed=0), [VECTORS, VECTORS], VECTORS),
    "directions": (lambda: LatentDirections(9, 6), [VECTORS], (2, 9)),
    "minibatch std": (lambda: MinibatchStd(), [MAPS], (2, 4, 4, 9)),
    "pixel": (lambda: PixelNormalization(), [MAPS], MAPS),
    "q head": (lambda: QHead(SPACE), [VECTORS], (2, 4)),
    "attention": (lambda: SelfAttention2D(**ZERO), [MAPS], MAPS),
    "spectral conv": (lambda: SpectralConv2D(3, 3, **ZERO), [MAPS], (2, 4, 4, 3)),
    "spectral dense": (lambda: SpectralDense(3, **ZERO), [VECTORS], (2, 3)),
    "truncation": (lambda: Truncation(5), [VECTORS], (1, 5)),
    "up conv": (lambda: UpConv2D(3, 4, strides=2, **ZERO), [MAPS], (2, 8, 8, 3)),
}


def call(layer, inputs):
    takes_training = "training" in layer._call_signature.parameters
    return layer(*inputs, **({"training": True} if takes_training else {}))


@pytest.mark.parametrize("name", [name for name in CASES if name != "truncation"])
def test_zeros_give_finite_values_and_gradients(name):
    make, shapes, expected = CASES[name]
    layer, inputs = make(), [keras.Variable(np.zeros(shape)) for shape in shapes]

    def outputs():
        return call(layer, [x.value for x in inputs])

    assert tuple(outputs().shape) == expected
    value, gradients = value_and_gradients(
        lambda: ops.mean(ops.square(outputs() + 1.0)), [*layer.trainable_variables, *inputs]
    )
    assert np.isfinite(value) and all(np.isfinite(gradient).all() for gradient in gradients)
    assert all(np.isfinite(ops.convert_to_numpy(v)).all() for v in layer.variables)


@pytest.mark.parametrize("name", CASES)
def test_the_policy_float64(name):
    make, shapes, expected = CASES[name]
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        layer = make()
    finally:
        keras.config.set_dtype_policy(before)
    rng = np.random.default_rng(0)
    outputs = call(layer, [rng.normal(size=shape) for shape in shapes])
    assert tuple(outputs.shape) == expected
    assert np.isfinite(ops.convert_to_numpy(ops.stop_gradient(outputs))).all()


def test_fading_in_under_the_policy_float64():
    x = np.ones((1, 2))
    y = FadeIn(dtype="float64")(x, alpha=ops.convert_to_tensor(0.25), old=0 * x)
    np.testing.assert_allclose(ops.convert_to_numpy(y), [[0.25, 0.25]])
