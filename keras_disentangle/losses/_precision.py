"""Layers that compute in half precision, for once in float32."""

import contextlib

import keras

_HALF = ("bfloat16", "float16")


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
    changes = []
    for layer in layers:
        if layer.compute_dtype in _HALF and layer.dtype_policy.quantization_mode is None:
            changes.append((layer, "_dtype_policy", _Float32(layer.variable_dtype)))
        # What models that are parts of others cast their inputs to.
        is_model = isinstance(layer, keras.Model)
        inputs = [layer, *((is_model and getattr(layer, "inputs", None)) or ())]
        changes += [(x, "_dtype", "float32") for x in inputs if getattr(x, "_dtype", None) in _HALF]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    for change in changes:
        setattr(*change)
    try:
        yield
    finally:
        for change in before:
            setattr(*change)
