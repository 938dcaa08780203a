"""Calls in float32 of layers that otherwise compute in half precision."""

from keras_disentangle._keras_graph import in_float32


def full_precision(fn, layers):
    """`fn`, with those of `layers` that compute in half precision set to float32 during the call.

    Rounding errors in bfloat16 are as large as second differences. The dtype in which weights are
    stored does not change.

    Args:
        fn: function that calls the layers.
        layers: all layers that it uses, including nested ones: `all_layers`.
    """

    def wide(*args):
        with in_float32(layers):
            return fn(*args)

    return wide
