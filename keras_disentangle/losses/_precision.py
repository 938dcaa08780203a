"""Layers that compute in half precision, for once in float32."""

import contextlib

import keras


def full_precision(fn, layers):
    """`fn`, during which the layers among `layers` that compute in half precision use float32.

    Rounding in bfloat16 is as large as second differences are. What the weights are stored in
    stays as it is.

    Args:
        fn: function that calls the layers.
        layers: all layers that it uses, parts of parts too (Keras's `_flatten_layers()`).
    """

    def wide(*args):
        with _in_float32(layers):
            return fn(*args)

    return wide


class _Float32(keras.DTypePolicy):
    """Float32, with variables stored in another dtype: Keras casts them where they are used."""

    def __init__(self, variable_dtype):
        super().__init__("float32")
        self._stored = variable_dtype

    @property
    def variable_dtype(self):
        return self._stored


@contextlib.contextmanager
def _in_float32(layers):
    changed = [
        (layer, layer._dtype_policy)
        for layer in layers
        if layer.compute_dtype in ("bfloat16", "float16")
        and layer.dtype_policy.quantization_mode is None
    ]
    for layer, _ in changed:
        layer._dtype_policy = _Float32(layer.variable_dtype)
    try:
        yield
    finally:
        for layer, policy in changed:
            layer._dtype_policy = policy
