import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_disentangle.layers import MinibatchStd


def appended(x, group_size):
    """The layer's last channel, after a look at the others."""
    y = ops.convert_to_numpy(MinibatchStd(group_size)(x))
    assert y.shape == (*x.shape[:-1], x.shape[-1] + 1)
    np.testing.assert_array_equal(y[..., :-1], x)
    return y[..., -1]


@pytest.mark.parametrize(
    "n, group_size, groups",
    [
        (8, 4, [slice(0, 4), slice(4, 8)]),
        (6, 2, [slice(0, 2), slice(2, 4), slice(4, 6)]),
        (4, 1, [slice(i, i + 1) for i in range(4)]),
        # What does not come out even is one group.
        (6, 4, [slice(0, 6)]),
        (3, 4, [slice(0, 3)]),
        (1, 4, [slice(0, 1)]),
    ],
)
def test_against_numpy(n, group_size, groups):
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(n, 2, 3, 5)).astype("float32")
    extra = appended(x, group_size)
    for group in groups:
        std = np.sqrt(x[group].var(axis=0) + 1e-8).mean()
        np.testing.assert_allclose(extra[group], std, rtol=1e-5)


def test_equal_images_do_not_vary():
    x = np.repeat(np.random.default_rng(0).normal(size=(1, 2, 2, 3)), 4, axis=0).astype("float32")
    np.testing.assert_allclose(appended(x, 4), 1e-4, rtol=1e-4)


def test_equal_images_have_a_finite_gradient():
    model = keras.Sequential([keras.Input((2, 2, 3)), layers.Conv2D(3, 1), MinibatchStd()])
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.1), loss=lambda y, y_pred: ops.mean(y_pred))
    model.fit(np.ones((4, 2, 2, 3)), np.zeros((4, 1)), verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert np.isfinite(new).all() and (new != old).all()


def test_batches_of_unknown_size():
    # Compiled with TensorFlow, only one graph serves both batches: two groups of 4, one of 6.
    x = np.random.default_rng(0).normal(size=(14, 2, 3, 5)).astype("float32")
    model = keras.Sequential([keras.Input((2, 3, 5)), MinibatchStd(4)])
    expected = [ops.convert_to_numpy(MinibatchStd(4)(part)) for part in (x[:8], x[8:])]
    found = model.predict(x, batch_size=8, verbose=0)
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("n", [8, 6, 1])
def test_where_the_number_of_images_has_no_value(n, dtype):
    """Sums with weights, for JAX's symbolic shapes, in which `ops.shape` gives no number."""
    x = np.random.default_rng(0).normal(2, 3, size=(n, 2, 3, 5)).astype(dtype)
    layer = MinibatchStd(4, dtype=dtype)
    found, expected = (
        ops.convert_to_numpy(fn(ops.convert_to_tensor(x))) for fn in (layer._of_any_number, layer)
    )
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-3)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="symbolic shapes are JAX's own")
def test_one_export_of_jax_serves_batches_of_every_size():
    import jax

    layer = MinibatchStd(4)
    (n,) = jax.export.symbolic_shape("n")
    shape = jax.ShapeDtypeStruct((n, 2, 3, 5), "float32")
    exported = jax.export.export(jax.jit(layer.call))(shape)
    for size in (8, 6, 1):
        x = np.random.default_rng(0).normal(2, 3, size=(size, 2, 3, 5)).astype("float32")
        np.testing.assert_allclose(exported.call(x), layer(x), rtol=1e-5)


@pytest.mark.parametrize("group_size", [0, 2.5, "four"])
def test_bad_arguments_are_named(group_size):
    with pytest.raises(ValueError, match="`group_size` must be an integer >= 1. Received: group_s"):
        MinibatchStd(group_size)
