"""Second derivatives along a direction by automatic differentiation, on each backend."""

import keras

from keras_disentangle.losses._normalization import twice_differentiable

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    def jvp(fn, primals, tangents):
        # J v is the derivative of u -> J^T u, which is linear, towards v: two gradients. Nested
        # `ForwardAccumulator`s give other gradients with respect to the weights, or none.
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
            # None is right for what does not depend on z.
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
else:
    from torch.func import jvp


def second_derivative(fn, z, direction):
    """The second derivative of `fn(z + t direction)` with respect to t, at t = 0.

    It can be differentiated again, with respect to what `fn` uses.

    Args:
        fn: function from a tensor like `z` to a list of float tensors.
        z: float tensor.
        direction: tensor like `z`.

    Returns:
        List of tensors like those of `fn(z)`.

    Raises:
        ValueError: on TensorFlow, if an output is behind an operation that it cannot
            differentiate so often.
    """

    def derivative(z):
        return list(jvp(fn, (z,), (direction,))[1])

    with twice_differentiable():
        return list(jvp(derivative, (z,), (direction,))[1])
