import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.layers import ConditionalBatchNormalization

RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 2.0, size=(4, 3, 2, 5)).astype("float32")
CONDITION = RNG.normal(size=(4, 6)).astype("float32")
ROWS = np.array([[0.25, 0.0, 0.75]], "float32")


def numbers(x):
    return ops.convert_to_numpy(x)


def make(num_statistics=1, condition=CONDITION, **settings):
    """A built layer whose weights and statistics are all different."""
    layer = ConditionalBatchNormalization(num_statistics, **settings)
    layer.build(X.shape, None if condition is None else condition.shape)
    layer.moving_mean.assign(RNG.normal(size=(num_statistics, 5)))
    layer.moving_variance.assign(RNG.uniform(0.5, 2.0, size=(num_statistics, 5)))
    if condition is None:
        layer.gamma.assign(RNG.normal(size=5))
        layer.beta.assign(RNG.normal(size=5))
    return layer


def expected(layer, x, mean, variance, condition=CONDITION, epsilon=1e-5):
    if condition is None:
        gain, bias = numbers(layer.gamma), numbers(layer.beta)
    else:
        gain, bias = (
            (condition @ (numbers(dense.kernel) / numbers(dense.sigma())))[:, None, None]
            for dense in (layer.gain, layer.bias)
        )
        gain = 1 + gain
    return (x - mean) / np.sqrt(variance + epsilon) * gain + bias


def batch_statistics(x=X):
    return x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))


def assert_close(a, b, rtol=1e-4, atol=1e-5):
    np.testing.assert_allclose(numbers(a), b, rtol=rtol, atol=atol)


@pytest.mark.parametrize("condition", [CONDITION, None])
def test_inference_uses_the_stored_statistics(condition):
    layer = make(condition=condition, epsilon=0.1)
    before = [numbers(variable) for variable in layer.variables]
    mean, variance = numbers(layer.moving_mean)[0], numbers(layer.moving_variance)[0]
    y = layer(X, condition)
    assert_close(y, expected(layer, X, mean, variance, condition, epsilon=0.1))
    for variable, old in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(numbers(variable), old)


@pytest.mark.parametrize("condition", [CONDITION, None])
def test_weights(condition):
    layer = ConditionalBatchNormalization(3)
    layer.build(X.shape, None if condition is None else condition.shape)
    names = {variable.path: tuple(variable.shape) for variable in layer.trainable_variables}
    shapes = [(5,), (5,)] if condition is None else [(6, 5), (6, 5)]
    assert list(names.values()) == shapes
    assert tuple(layer.moving_mean.shape) == tuple(layer.moving_variance.shape) == (3, 5)
    # As long as nothing is learned, only a condition changes anything.
    y = layer(X, condition, statistics_weights=ROWS)
    mean, variance = np.zeros(5), np.ones(5)
    assert_close(y, expected(layer, X, mean, variance, condition))
    if condition is None:
        assert_close(y, X / np.sqrt(1 + 1e-5))
    else:
        assert abs(numbers(layer.gain.kernel) - numbers(layer.bias.kernel)).max() > 0.01


def test_the_rows_are_mixed():
    layer = make(3)
    mean, variance = ((ROWS @ numbers(t))[0] for t in (layer.moving_mean, layer.moving_variance))
    assert_close(layer(X, CONDITION, ROWS), expected(layer, X, mean, variance))


@pytest.mark.parametrize("condition", [CONDITION, None])
def test_training_uses_the_batch_and_moves_the_averages(condition):
    layer = make(condition=condition, momentum=0.75)
    old = numbers(layer.moving_mean)[0], numbers(layer.moving_variance)[0]
    y = layer(X, condition, training=True)
    assert_close(y, expected(layer, X, *batch_statistics(), condition))
    for table, before, now in zip(
        (layer.moving_mean, layer.moving_variance), old, batch_statistics(), strict=True
    ):
        assert_close(table, 0.75 * before[None] + 0.25 * now[None])


def test_each_row_moves_in_proportion_to_its_weight():
    layer = make(3, momentum=0.5)
    old = numbers(layer.moving_mean)
    layer(X, CONDITION, ROWS, training=True)
    change = 0.5 * ROWS.T
    assert_close(layer.moving_mean, old + change * (batch_statistics()[0] - old))
    np.testing.assert_array_equal(numbers(layer.moving_mean)[1], old[1])


def test_a_frozen_layer_normalises_as_in_inference():
    layer = make()
    layer.trainable = False
    before, y = [numbers(variable) for variable in layer.variables], numbers(layer(X, CONDITION))
    np.testing.assert_array_equal(numbers(layer(X, CONDITION, training=True)), y)
    for variable, old in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(numbers(variable), old)


def test_plain_averages():
    layer = make()
    left = numbers(layer.gain.left)
    batches = [X, 2 * X + 1, X[:2] - 3]
    for i, x in enumerate(batches):
        layer.batches_averaged = i
        y = layer(x, CONDITION[: len(x)])
        assert_close(y, expected(layer, x, *batch_statistics(x), CONDITION[: len(x)]))
    layer.batches_averaged = None
    mean, variance = (np.mean(v, axis=0) for v in zip(*map(batch_statistics, batches), strict=True))
    assert_close(layer.moving_mean, mean[None])
    assert_close(layer.moving_variance, variance[None])
    np.testing.assert_array_equal(numbers(layer.gain.left), left)
    assert_close(layer(X, CONDITION), expected(layer, X, mean, variance))


def test_vectors():
    x = X.reshape(-1, 5)
    layer = ConditionalBatchNormalization()
    y = numbers(layer(x, training=True))
    assert_close(y, (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5))


def test_half_precision_keeps_statistics_in_float32():
    whole = make(3)
    half = ConditionalBatchNormalization(3, dtype="mixed_bfloat16")
    half.build(X.shape, CONDITION.shape)
    half.set_weights(whole.get_weights())
    condition = ops.cast(CONDITION, "bfloat16")
    inputs = keras.Input(X.shape[1:], dtype="bfloat16"), keras.Input((6,), dtype="bfloat16")
    model = keras.Model(inputs, half(*inputs, statistics_weights=ROWS))
    y = model([ops.cast(X, "bfloat16"), condition], training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    whole(ops.cast(X, "bfloat16"), condition, ROWS, training=True)
    for a, b in zip(half.weights, whole.weights, strict=True):
        assert a.dtype == "float32"
        assert_close(a, numbers(b))


def test_it_trains_and_loads(tmp_path):
    x, condition = keras.Input(X.shape[1:]), keras.Input((6,))
    layer = ConditionalBatchNormalization(
        momentum=0.5, spectral_epsilon=1e-4, kernel_initializer="orthogonal", name="norm"
    )
    model = keras.Model([x, condition], layer(x, condition))
    model.compile("sgd", "mse")
    moving = [*model.trainable_variables, layer.moving_mean, layer.moving_variance]
    before = [numbers(variable) for variable in moving]
    model.fit([X, CONDITION], np.ones(X.shape), batch_size=4, verbose=0)
    for variable, old in zip(moving, before, strict=True):
        assert (numbers(variable) != old).any(), variable.path

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("norm").get_config() == layer.get_config()
    assert loaded.get_layer("norm").gain.epsilon == 1e-4
    np.testing.assert_array_equal(
        loaded.predict([X, CONDITION], verbose=0), model.predict([X, CONDITION], verbose=0)
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_statistics": 0}, "`num_statistics` must be an integer >= 1. Received: .*=0"),
        ({"momentum": 1.5}, r"`momentum` must be in \[0, 1\]. Received: momentum=1.5"),
        ({"momentum": -0.1}, "`momentum` must be a finite number >= 0. Received: momentum=-0.1"),
        ({"epsilon": 0}, "`epsilon` must be a finite number > 0. Received: epsilon=0"),
        ({"spectral_epsilon": -1}, "`spectral_epsilon` must be a finite .* Received: .*=-1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConditionalBatchNormalization(**arguments)


@pytest.mark.parametrize("rows, received", [(None, "None"), (ROWS[:, :2], r"the shape \(1, 2\)")])
def test_the_rows_have_to_be_given(rows, received):
    message = rf"`statistics_weights` must have the shape \(1, 3\). Received: {received}"
    with pytest.raises(ValueError, match=message):
        make(3)(X, CONDITION, rows)


def test_all_calls_have_a_condition_or_none():
    with pytest.raises(ValueError, match="`condition` must be given .* Received: no condition"):
        make()(X)
    with pytest.raises(ValueError, match="`condition` must be given .* Received: a condition"):
        make(condition=None)(X, CONDITION)


class BothWays(keras.Model):
    """Uses a layer as at inference and then as in training within one step."""

    def __init__(self):
        super().__init__()
        self.norm = make()
        self.built = True

    def call(self, inputs):
        return self.norm(*inputs) + self.norm(*inputs, training=True)


def test_inference_and_training_in_one_step():
    model = BothWays()
    before = [numbers(variable) for variable in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit([X, CONDITION], np.zeros_like(X), batch_size=4, verbose=0)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.isfinite(numbers(variable)).all() and (numbers(variable) != old).any()
