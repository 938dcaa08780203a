import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.layers import SelfAttention2D
from keras_disentangle.losses import HessianPenaltyLoss

X = np.random.default_rng(0).normal(size=(2, 4, 6, 16)).astype("float32")


def numbers(x):
    return ops.convert_to_numpy(x)


def make(gamma=0.5, **settings):
    layer = SelfAttention2D(**settings)
    layer.build(X.shape)
    layer.gamma.assign(gamma)
    return layer


def pooled(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def expected(layer, x):
    theta, phi, g, o = (
        numbers(conv.kernel)[0, 0] / numbers(conv.sigma())
        for conv in (layer.theta, layer.phi, layer.g, layer.o)
    )
    found = []
    for image in x:
        query = (image @ theta).reshape(-1, 2)
        key, value = (
            pooled((image @ kernel)[None]).reshape(-1, kernel.shape[1]) for kernel in (phi, g)
        )
        scores = np.exp(query @ key.T)
        attention = scores / scores.sum(axis=1, keepdims=True)
        found.append((attention @ value @ o).reshape(image.shape))
    return x + numbers(layer.gamma) * np.stack(found)


def test_it_is_attention_to_pooled_pixels():
    layer = make()
    assert [layer.theta.filters, layer.phi.filters, layer.g.filters, layer.o.filters] == [
        2,
        2,
        8,
        16,
    ]
    assert [tuple(v.shape) for v in layer.trainable_variables] == [
        (),
        *[(1, 1, 16, 2)] * 2,
        (1, 1, 16, 8),
        (1, 1, 8, 16),
    ]
    y = numbers(layer(X))
    np.testing.assert_allclose(y, expected(layer, X), rtol=1e-4, atol=1e-5)
    assert abs(y - X).max() > 0.01


def test_at_first_it_does_nothing():
    np.testing.assert_array_equal(numbers(SelfAttention2D()(X)), X)


def test_images_of_any_size():
    x = keras.Input((None, None, 16))
    layer = make()
    model = keras.Model(x, layer(x))
    np.testing.assert_allclose(
        model.predict(X, verbose=0), expected(layer, X), rtol=1e-4, atol=1e-5
    )


def test_it_trains_and_loads(tmp_path):
    x = keras.Input(X.shape[1:])
    layer = make(epsilon=1e-4, kernel_initializer="orthogonal", name="attention")
    model = keras.Model(x, layer(x))
    model.compile("sgd", "mse")
    before = [numbers(variable) for variable in model.trainable_variables]
    left = numbers(layer.o.left)
    model.fit(X, np.zeros(X.shape), batch_size=2, verbose=0)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert (numbers(variable) != old).any(), variable.path
    assert (numbers(layer.o.left) != left).any()

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("attention").theta.epsilon == 1e-4
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_frozen_layer_stays_as_it_is():
    layer = make()
    layer.trainable = False
    before, y = [numbers(variable) for variable in layer.variables], numbers(layer(X))
    np.testing.assert_array_equal(numbers(layer(X, training=True)), y)
    for variable, old in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(numbers(variable), old)


def test_its_second_derivatives():
    """Differences and automatic differentiation give one Hessian Penalty, away from the kinks."""
    z = keras.Input((3,))
    x = keras.layers.Dense(2 * 4 * 16)(z)
    x = make(2.0)(keras.layers.Reshape((2, 4, 16))(x))
    model = keras.Model(z, keras.layers.Activation("tanh")(x))
    rng = np.random.default_rng(1)
    model.set_weights([0.5 * rng.normal(size=weight.shape) for weight in model.weights])
    codes = rng.normal(size=(1, 3)).astype("float32")
    directions = np.array([[[1, 1, 1], [1, 1, -1]]], "float32")
    found = [
        numbers(HessianPenaltyLoss(model, method=method, epsilon=0.005)(codes, directions))
        for method in ("exact", "finite_difference")
    ]
    assert found[0] > 0.01
    np.testing.assert_allclose(*found, rtol=0.02)


def test_half_precision():
    x = keras.Input(X.shape[1:])
    layer = make(dtype="mixed_bfloat16")
    y = keras.Model(x, layer(x))(X)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    y = numbers(ops.cast(y, "float32"))
    np.testing.assert_allclose(y, expected(layer, X), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("shape", [(2, 3, 4, 16), (2, 4, 3, 16), (2, 4, 4, 7), (2, 4, 16)])
def test_bad_inputs_are_named(shape):
    with pytest.raises(ValueError, match=r"`x` must have the shape .* Received: x.shape=\(2, "):
        SelfAttention2D().build(shape)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="`epsilon` must be a finite .* Received: epsilon=-1"):
        SelfAttention2D(epsilon=-1)
