"""Gradients with respect to variables, on each backend."""

import keras
from keras import ops


def value_and_gradients(fn, variables):
    """What `fn()`, a scalar, is and its gradients with respect to variables, as NumPy."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = fn()
        gradients = tape.gradient(value, [v.value for v in variables], None, "zero")
    elif keras.backend.backend() == "torch":
        import torch

        value, values = fn(), [v.value for v in variables]
        gradients = torch.autograd.grad(value, values, allow_unused=True, materialize_grads=True)
    else:
        import jax

        def run(values):
            with keras.StatelessScope(list(zip(variables, values, strict=True)), True):
                return fn()

        value, gradients = jax.value_and_grad(run)([v.value for v in variables])
    return ops.convert_to_numpy(value), [ops.convert_to_numpy(g) for g in gradients]
