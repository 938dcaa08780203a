"""Layers that compute in half precision, for once in float32."""

from keras_disentangle._keras_graph import in_float32


def full_precision(fn, layers):
    """`fn`, during which the layers among `layers` that compute in half precision use float32.

    Rounding in bfloat16 is as large as second differences are. What the weights are stored in
    stays as it is.

    Args:
        fn: function that calls the layers.
        layers: all layers that it uses, parts of parts too: `all_layers`.
    """

    def wide(*args):
        with in_float32(layers):
            return fn(*args)

    return wide
