"""The backends' normalisation in a form that can be differentiated twice, and put back after."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_disentangle.losses import _second_derivative
from keras_disentangle.losses._second_derivative import twice_differentiable

PARTS = [
    layers.BatchNormalization,
    layers.LayerNormalization,
    lambda: layers.LayerNormalization(axis=(1, 2), center=False, scale=False),
    lambda: layers.GroupNormalization(2),
]


def own():
    module = _second_derivative._module
    return module and getattr(module, _second_derivative._name)


@pytest.mark.parametrize("part", PARTS)
def test_values_stay_what_they_are(part):
    x, layer = np.random.default_rng(0).normal(3, 2, (4, 2, 6)).astype("float32"), part()
    expected = layer(x, training=True) if part is PARTS[0] else layer(x)
    with twice_differentiable():
        found = layer(x, training=True) if part is PARTS[0] else layer(x)
    np.testing.assert_allclose(
        *map(ops.convert_to_numpy, map(ops.stop_gradient, (found, expected))), atol=1e-5
    )


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="nothing is replaced there")
def test_the_last_one_out_puts_back_what_was_there():
    before, first, second = own(), twice_differentiable(), twice_differentiable()
    first.__enter__()
    second.__enter__()
    assert own() is not before
    first.__exit__(None, None, None)
    assert own() is not before
    second.__exit__(None, None, None)
    assert own() is before
    with pytest.raises(KeyError), twice_differentiable():
        raise KeyError
    assert own() is before
