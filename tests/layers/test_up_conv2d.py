import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.layers import UpConv2D


def value_and_gradients(layer, x):
    """Output, and the gradients of a weighted sum of its squares by input, kernel and bias."""
    layer.build(x.shape)
    rng = np.random.default_rng(1)
    for variable in layer.variables:
        variable.assign(rng.normal(size=variable.shape))
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        x = torch.tensor(x, requires_grad=True)
        parameters = [variable.value for variable in layer.variables]
        y = layer(x)
        gradients = torch.autograd.grad(weighted_squares(y), [x, *parameters])
    elif backend == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        parameters = [variable.value for variable in layer.variables]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = weighted_squares(y)
        gradients = tape.gradient(loss, [x, *parameters])
    else:
        import jax

        y = layer(x)

        def loss(x, parameters):
            return weighted_squares(layer.stateless_call(parameters, [], x)[0])

        by_x, by_parameters = jax.grad(loss, (0, 1))(x, [v.value for v in layer.variables])
        gradients = [by_x, *by_parameters]
    return [ops.convert_to_numpy(tensor) for tensor in (y, *gradients)]


def weighted_squares(y):
    weights = np.random.default_rng(2).random(y.shape[1:], dtype="float32")
    return ops.sum(ops.square(y) * ops.convert_to_tensor(weights))


@pytest.mark.parametrize(
    "kernel, strides, size, options",
    [
        (4, 2, (4, 4), {}),
        (4, 2, (3, 5), {"activation": "elu"}),
        (2, 2, (4, 3), {"use_bias": False}),
        (6, 2, (3, 3), {}),
        (3, 1, (4, 4), {}),
        ((4, 3), (2, 1), (3, 4), {}),
        (9, 3, (2, 3), {}),
        # Where the matrix product does not apply.
        (3, 2, (4, 4), {}),
        (4, 1, (4, 4), {}),
        (4, 2, (4, 4), {"padding": "valid"}),
        (3, 1, (4, 4), {"dilation_rate": 2}),
    ],
)
def test_equals_the_layer_of_keras(kernel, strides, size, options):
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    layers = [
        UpConv2D(5, kernel, strides=strides, **options),
        keras.layers.Conv2DTranspose(5, kernel, strides=strides, **{"padding": "same", **options}),
    ]
    received, expected = (value_and_gradients(layer, x) for layer in layers)
    assert len(received) == 4 - (options.get("use_bias") is False)
    for a, b in zip(received, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())
    assert tuple(layers[0].compute_output_shape(x.shape)) == received[0].shape
