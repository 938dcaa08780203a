"""Layers with spectral normalisation are those of Keras with a kernel that is divided in use."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.layers import SpectralConv2D, SpectralDense

RNG = np.random.default_rng(0)
PIXELS = RNG.normal(size=(2, 5, 4, 3)).astype("float32")
VECTORS = PIXELS.reshape(2, -1)

# Our layer, that of Keras with the same arguments, and an input.
ROWS = {
    "dense": (SpectralDense, keras.layers.Dense, {"units": 6}, VECTORS),
    "dense_without_bias": (
        SpectralDense,
        keras.layers.Dense,
        {"units": 6, "use_bias": False, "activation": "tanh"},
        VECTORS,
    ),
    "conv": (
        SpectralConv2D,
        keras.layers.Conv2D,
        {"filters": 6, "kernel_size": 3, "padding": "same", "activation": "tanh"},
        PIXELS,
    ),
    "conv_strided": (
        SpectralConv2D,
        keras.layers.Conv2D,
        {"filters": 2, "kernel_size": (3, 1), "strides": 2, "padding": "valid"},
        PIXELS,
    ),
}


def numbers(x):
    return ops.convert_to_numpy(x)


def make(row):
    """Both layers, built, and the input."""
    ours, keras_s, arguments, x = ROWS[row]
    ours, other = ours(**arguments), keras_s(**arguments)
    for layer in (ours, other):
        layer.build(x.shape)
    if ours.use_bias:
        ours.bias.assign(np.linspace(-1, 1, ours.bias.shape[0]))
    return ours, other, x


def state(layer):
    return [numbers(variable) for variable in layer.variables]


def matrix(layer):
    """W^T in float64."""
    kernel = numbers(layer.kernel).astype("float64")
    return kernel.reshape(-1, kernel.shape[-1])


def unit(vector):
    return vector / np.linalg.norm(vector)


def iterated(layer):
    """`left` and `right` after one more power iteration."""
    w = matrix(layer)
    right = unit(w @ numbers(layer.left))
    return unit(right @ w), right


def expected_output(layer, other, x, left, right):
    sigma = right @ matrix(layer) @ left
    other.set_weights([numbers(layer.kernel) / sigma, *map(numbers, layer.weights[1:-2])])
    return numbers(other(x))


@pytest.mark.parametrize("row", ROWS)
def test_inference_uses_the_stored_vectors_and_writes_nothing(row):
    layer, other, x = make(row)
    for variable in (layer.left, layer.right):
        variable.assign(unit(RNG.normal(size=variable.shape)))
    before = state(layer)
    left, right = numbers(layer.left), numbers(layer.right)
    assert [variable.name for variable in layer.non_trainable_variables] == ["left", "right"]
    y = numbers(layer(x))
    assert y.shape == layer.compute_output_shape(x.shape)
    np.testing.assert_allclose(
        y, expected_output(layer, other, x, left, right), rtol=1e-3, atol=1e-5
    )
    np.testing.assert_allclose(
        numbers(layer.sigma()), right @ matrix(layer) @ left, rtol=1e-3, atol=1e-6
    )
    for a, b in zip(state(layer), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("row", ROWS)
def test_training_iterates_once_and_keeps_the_vectors(row):
    layer, other, x = make(row)
    for _ in range(2):
        left, right = iterated(layer)
        y = numbers(layer(x, training=True))
        np.testing.assert_allclose(numbers(layer.left), left, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(numbers(layer.right), right, rtol=1e-4, atol=1e-5)
        expected = expected_output(layer, other, x, left, right)
        np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(y, numbers(layer(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("row", ["dense", "conv"])
def test_it_converges_to_the_largest_singular_value(row):
    layer, _, x = make(row)
    largest = np.linalg.svd(matrix(layer), compute_uv=False)[0]
    # From the start the vectors fit each other.
    np.testing.assert_allclose(
        numbers(layer.right), unit(matrix(layer) @ numbers(layer.left)), rtol=1e-4, atol=1e-6
    )
    before = numbers(layer.sigma())
    assert 0 < before < largest
    for _ in range(100):
        layer(x, training=True)
    np.testing.assert_allclose(numbers(layer.sigma()), largest, rtol=1e-4)
    for vector in (layer.left, layer.right):
        np.testing.assert_allclose(np.linalg.norm(numbers(vector)), 1.0, rtol=1e-5)


def test_the_gradient_goes_through_sigma():
    """In closed form: with W̄ = W / σ, dL/dW = (dL/dW̄ - <dL/dW̄, W̄> u v^T) / σ."""
    layer, _, x = make("dense")
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    w, bias, (left, right) = matrix(layer), numbers(layer.bias), iterated(layer)
    sigma, target = right @ w @ left, RNG.normal(size=(2, 6)).astype("float32")
    by_output = 2 * (x @ w / sigma + bias - target) / target.size
    by_normalized = x.T @ by_output
    along = (by_normalized * w).sum() / sigma
    expected = (by_normalized - along * np.outer(right, left)) / sigma
    assert abs(along * np.outer(right, left)).max() > 0.02 * abs(by_normalized).max()

    model.fit(x, target, batch_size=2, verbose=0)
    np.testing.assert_allclose(w - matrix(layer), expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(bias - numbers(layer.bias), by_output.sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(numbers(layer.left), left, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numbers(layer.right), right, rtol=1e-4, atol=1e-5)


def test_a_frozen_layer_stays_as_it_is():
    layer, _, x = make("conv")
    layer.trainable = False
    before, y = state(layer), numbers(layer(x))
    np.testing.assert_array_equal(numbers(layer(x, training=True)), y)
    for a, b in zip(state(layer), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_epsilon_is_the_least_length_to_divide_by():
    layer = SpectralDense(6, use_bias=False, epsilon=0.5)
    layer.build((None, 4))
    kernel, left = 0.1 * np.eye(4, 6), np.eye(6)[0]
    layer.set_weights([kernel, left, np.zeros(4)])
    layer(np.ones((1, 4), "float32"), training=True)
    np.testing.assert_allclose(numbers(layer.right), [0.2, 0, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(numbers(layer.left), 0.04 * left, rtol=1e-5)
    np.testing.assert_allclose(numbers(layer.sigma()), 0.2 * 0.1 * 0.04, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e25, 1e-25])
def test_kernels_of_any_size_become_one(scale):
    """Whose squares float32 does not hold."""
    layer = SpectralDense(4, use_bias=False)
    layer.build((None, 5))
    kernel = np.random.default_rng(1).normal(size=(5, 4))
    layer.kernel.assign(scale * kernel)
    for _ in range(50):
        layer.sigma(training=True)
    largest = np.linalg.norm(kernel, 2)
    np.testing.assert_allclose(numbers(layer.sigma()) / scale, largest, rtol=1e-5)
    found = numbers(layer.normalized_kernel())
    np.testing.assert_allclose(found, kernel / largest, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("row", ROWS)
def test_everything_is_saved(row, tmp_path):
    layer, _, x = make(row)
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for a, b in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(numbers(a), numbers(b))
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("row", ["dense", "conv"])
def test_half_precision_leaves_sigma_in_float32(row):
    whole, _, x = make(row)
    kind, _, arguments, _ = ROWS[row]
    half = kind(**arguments, dtype="mixed_bfloat16")
    half.build(x.shape)
    half.set_weights(whole.get_weights())
    # As in a model, whose variables are all read in its own precision.
    inputs = keras.Input(x.shape[1:])
    y = keras.Model(inputs, half(inputs), name="model")(x, training=True)
    whole(x, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    for a, b in zip(half.weights, whole.weights, strict=True):
        assert a.dtype == "float32"
        np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-4, atol=1e-6)
    assert keras.backend.standardize_dtype(half.sigma().dtype) == "float32"
    y = numbers(ops.cast(y, "float32"))
    np.testing.assert_allclose(y, numbers(whole(x)), rtol=0.05, atol=0.05)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="not on TensorFlow's CPUs")
def test_channels_may_come_first():
    layer, _, x = make("conv")
    first = SpectralConv2D(6, 3, activation="tanh", data_format="channels_first")
    first.build((None, 3, 5, 4))
    first.set_weights(layer.get_weights())
    y = numbers(first(np.moveaxis(x, -1, 1)))
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), numbers(layer(x)), rtol=1e-4, atol=1e-5)


def test_a_convolution_keeps_the_size():
    assert SpectralConv2D(2, 3)(PIXELS).shape == (2, 5, 4, 2)


def test_bad_arguments_are_named():
    for layer, arguments in ((SpectralDense, [2]), (SpectralConv2D, [2, 3])):
        with pytest.raises(ValueError, match="`epsilon` must be a finite .* Received: epsilon=-1"):
            layer(*arguments, epsilon=-1)
