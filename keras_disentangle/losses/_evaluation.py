"""Calls of networks without side effects."""

import keras


class Evaluation(keras.layers.Layer):
    """Calls `fn` with the current values of variables and without side effects.

    A layer, because a layer that is called outside of any other layer discards the losses that it
    has added before.
    """

    def __init__(self, fn):
        super().__init__(dtype="float32", autocast=False, name="evaluation")
        # Wrapped, so that Keras does not track `fn` as a part of this layer.
        self._fn = lambda z: fn(z)
        self.built = True

    def call(self, z):
        with _Unwritten():
            return self._fn(z)


class _Unwritten(keras.StatelessScope):
    """A scope in which variables keep their values and updates are discarded."""

    def __enter__(self):
        super().__enter__()
        if self.original_scope is not None:
            # With JAX, the scope of a train step contains the values that it differentiates.
            self.state_mapping.update(self.original_scope.state_mapping)
        return self
