"""Derivatives along a direction by automatic differentiation, on each backend."""

import contextlib
import threading
from functools import partial

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    def _moments(x, axes, shift=None, keepdims=False, name=None):
        mean = tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
        return (mean if keepdims else tf.squeeze(mean, axes)), variance

    # TensorFlow's own function, with which Keras implements batch, layer and group normalisation,
    # treats the mean in the variance as constant: first derivatives are correct, second are not.
    _module, _name, _right = tf.nn, "moments", _moments

    def jvp(fn, primals, tangents):
        # J v is the derivative of the linear map u -> J^T u along v: two gradients. Nested
        # `ForwardAccumulator`s return wrong gradients with respect to the weights, or none.
        (z,), (direction,) = primals, tangents
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            with tf.GradientTape(persistent=True, watch_accessed_variables=False) as inner:
                inner.watch(z)
                outputs = fn(z)
            u = [tf.ones_like(y) for y in outputs]
            outer.watch(u)
            zero = tf.UnconnectedGradients.ZERO
            pulled = inner.gradient(outputs, z, u, unconnected_gradients=zero)
        found = []
        for y, dy in zip(outputs, outer.gradient(pulled, u, direction), strict=True):
            # None is correct for an output that does not depend on z.
            if dy is None and inner.gradient(y, z) is not None:
                raise ValueError(
                    '`method` must be "finite_difference" where TensorFlow cannot differentiate '
                    "the gradient of an operation again, such as that of resizing with "
                    "interpolation. Received: method='exact', an output of shape "
                    f"{tuple(y.shape)} behind one"
                )
            found.append(tf.zeros_like(y) if dy is None else dy)
        return outputs, found

elif keras.backend.backend() == "jax":
    from jax import jvp

    _module = None

else:
    import torch
    from torch.func import jvp

    def _layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
        axes = tuple(range(-len(normalized_shape), 0))
        x = x - x.mean(axes, keepdim=True)
        y = x * torch.rsqrt(x.square().mean(axes, keepdim=True) + eps)
        y = y if weight is None else y * weight
        return y if bias is None else y + bias

    # In forward mode, PyTorch's own function treats mean and variance as constant.
    _module, _name, _right = torch.nn.functional, "layer_norm", _layer_norm

_lock, _inside = threading.Lock(), []
_own = None if _module is None else getattr(_module, _name)


@contextlib.contextmanager
def twice_differentiable():
    """A context in which normalisations have correct second derivatives; values do not change.

    A function of the backend, which Keras's layers call, is replaced. Replicas compute in threads,
    which may enter and leave in any order: the last one to leave restores the original.
    """
    if _module is None:
        yield
        return
    with _lock:
        _inside.append(True)
        setattr(_module, _name, _right)
    try:
        yield
    finally:
        with _lock:
            _inside.pop()
            if not _inside:
                setattr(_module, _name, _own)


def second_derivative(fn, z, direction):
    """The second derivative of `fn(z + t direction)` with respect to t, at t = 0.

    The result is differentiable with respect to the variables that `fn` uses.

    Args:
        fn: function from a tensor like `z` to a list of float tensors.
        z: float tensor.
        direction: tensor like `z`.

    Returns:
        List of tensors like those of `fn(z)`.

    Raises:
        ValueError: on TensorFlow, if an output depends on an operation that is not twice
            differentiable.
    """

    derivative = partial(directional_derivative, fn, direction=direction)
    return directional_derivative(derivative, z, direction)


def directional_derivative(fn, z, direction):
    """The first derivative of `fn(z + t direction)` with respect to t, at t = 0.

    Arguments and result are those of `second_derivative`.
    """
    with twice_differentiable():
        return list(jvp(fn, (z,), (direction,))[1])
