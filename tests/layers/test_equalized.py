"""Layers with an equalised learning rate are those of Keras with a kernel that is scaled in use."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.layers import EqualizedConv2D, EqualizedDense

PIXELS = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("float32")
VECTORS = PIXELS.reshape(2, -1)

# Our layer, that of Keras with the same arguments, an input and its fan in.
ROWS = {
    "dense": (EqualizedDense, keras.layers.Dense, {"units": 6}, VECTORS, 60),
    "dense_without_bias": (
        EqualizedDense,
        keras.layers.Dense,
        {"units": 6, "use_bias": False},
        VECTORS,
        60,
    ),
    "conv": (
        EqualizedConv2D,
        keras.layers.Conv2D,
        {"filters": 6, "kernel_size": 3, "padding": "same"},
        PIXELS,
        27,
    ),
    "conv_strided": (
        EqualizedConv2D,
        keras.layers.Conv2D,
        {"filters": 2, "kernel_size": (3, 1), "strides": 2, "padding": "valid"},
        PIXELS,
        9,
    ),
}


@pytest.mark.parametrize("gain", [2**0.5, 0.25])
@pytest.mark.parametrize("row", ROWS)
def test_equals_the_layer_of_keras(row, gain, tmp_path):
    ours, keras_s, arguments, x, fan_in = ROWS[row]
    ours, other = ours(**arguments, gain=gain), keras_s(**arguments)
    for layer in (ours, other):
        layer.build(x.shape)
    np.testing.assert_allclose(ours.scale, gain / fan_in**0.5)
    kernel, *bias = map(ops.convert_to_numpy, ours.weights)
    assert all((b == 0).all() for b in bias)
    bias = [np.linspace(-1, 1, b.size) for b in bias]
    ours.set_weights([kernel, *bias])
    other.set_weights([gain / fan_in**0.5 * kernel, *bias])
    y, expected = (ops.convert_to_numpy(layer(x)) for layer in (ours, other))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)

    # What is saved are the kernels as they were drawn.
    model = keras.Sequential([keras.Input(x.shape[1:]), ours])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], kernel)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_weights_are_standard_normal_and_outputs_of_one_size():
    """He's initialisation in effect: with the gain of a ReLU, outputs have twice the variance."""
    x = np.random.default_rng(0).normal(size=(64, 400)).astype("float32")
    layer = EqualizedDense(500)
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(ops.convert_to_numpy(layer.kernel).std(), 1.0, rtol=0.02)
    np.testing.assert_allclose(y.std(), 2**0.5, rtol=0.05)
    assert (ops.convert_to_numpy(layer.bias) == 0).all()


def test_a_convolution_keeps_the_size():
    assert EqualizedConv2D(2, 3)(PIXELS).shape == (2, 5, 4, 2)


def test_bad_arguments_are_named():
    for layer, arguments in ((EqualizedDense, [2]), (EqualizedConv2D, [2, 3])):
        with pytest.raises(ValueError, match="`gain` must be a finite .* Received: gain=-1"):
            layer(*arguments, gain=-1)
