import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.layers import QHead

SPACE = LatentSpace([Normal(3), Categorical(4), Uniform(2)])
FEATURES = np.random.default_rng(0).normal(size=(6, 2, 2, 3)).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def negative_log_likelihood(z, params):
    return -sum(SPACE.log_likelihood(params, z).values())


def test_it_is_dense_normalised_leaky_dense():
    head = QHead(SPACE, hidden=5)
    value = numbers(head(FEATURES, training=True))
    kernel, gamma, beta, moving_mean, moving_variance, last, bias = map(numbers, head.weights)
    assert kernel.shape == (12, 5) and last.shape == (5, SPACE.num_params)

    hidden = FEATURES.reshape(6, 12) @ kernel
    mean, variance = hidden.mean(axis=0), hidden.var(axis=0)
    np.testing.assert_allclose(moving_mean, 0.1 * mean, rtol=1e-4, atol=1e-6)
    expected = gamma * (hidden - mean) / np.sqrt(variance + 1e-5) + beta
    expected = np.where(expected > 0, expected, 0.1 * expected) @ last + bias
    np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-5)

    expected = (hidden - moving_mean) / np.sqrt(moving_variance + 1e-5)
    expected = np.where(expected > 0, expected, 0.1 * expected) @ last + bias
    np.testing.assert_allclose(numbers(head(FEATURES)), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "arguments, shapes",
    [
        ({"hidden": None}, [(12, 8), (8,)]),
        ({"hidden": 5, "batch_normalization": False}, [(12, 5), (5,), (5, 8), (8,)]),
        ({"hidden": 5}, [(12, 5), *[(5,)] * 4, (5, 8), (8,)]),
    ],
)
def test_weights(arguments, shapes):
    head = QHead(SPACE, **arguments)
    head.build((None, 2, 2, 3))
    assert [tuple(variable.shape) for variable in head.weights] == shapes
    assert tuple(head(FEATURES).shape) == head.compute_output_shape(FEATURES.shape) == (6, 8)


def test_kernels_are_small():
    head = QHead(SPACE, hidden=128)
    head.build((None, 1024))
    for layer in (head.weights[0], head.weights[-2]):
        np.testing.assert_allclose(numbers(layer).std(), 0.02, rtol=0.1)
    assert (numbers(head.weights[-1]) == 0).all()


def test_mixed_precision_gives_float32():
    features = keras.Input((7,))
    head = QHead(SPACE, hidden=5, dtype="mixed_bfloat16")
    output = head(features)
    assert output.dtype == "float32" and output.shape == (None, 8)
    value = head(np.ones((2, 7), "float32"))
    assert keras.backend.standardize_dtype(value.dtype) == "float32"


@pytest.mark.parametrize("arguments", [{}, {"hidden": None}, {"batch_normalization": False}])
def test_it_trains_and_loads(arguments, tmp_path):
    features = keras.Input((2, 2, 3))
    model = keras.Model(features, QHead(SPACE, **{"hidden": 5, "name": "q", **arguments})(features))
    z = SPACE.sample(6, seed=0)
    model.compile(
        keras.optimizers.Adam(1e-2),
        negative_log_likelihood,
    )
    before = [numbers(variable) for variable in model.trainable_variables]
    history = model.fit(FEATURES, numbers(z), batch_size=6, epochs=2, verbose=0).history["loss"]
    assert history[1] < history[0]
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert (numbers(variable) != old).any(), variable.path

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert loaded.get_layer("q").space.names == SPACE.names
    np.testing.assert_array_equal(
        loaded.predict(FEATURES, verbose=0), model.predict(FEATURES, verbose=0)
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"space": None}, "`space` must be a `LatentSpace` with an .* Received: space=None"),
        ({"space": LatentSpace([Normal(2)])}, "informative code. Received: .*Normal"),
        ({"hidden": 0}, "`hidden` must be an integer >= 1. Received: hidden=0"),
        ({"hidden": 2.5}, "`hidden` must be an integer >= 1. Received: hidden=2.5"),
        ({"negative_slope": -0.1}, "`negative_slope` must be a finite number >= 0. Rec.*-0.1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        QHead(**{"space": SPACE, **arguments})
