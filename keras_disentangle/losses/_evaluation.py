"""Calls of networks that leave no trace."""

import keras


class Evaluation(keras.layers.Layer):
    """`fn`, with the variables as they are and no trace left.

    A layer, because a layer that is called from outside of any other forgets what it has added to
    the losses before.
    """

    def __init__(self, fn):
        super().__init__(dtype="float32", autocast=False, name="evaluation")
        # Keras must not take what `fn` is for a part of this layer.
        self._fn = lambda z: fn(z)
        self.built = True

    def call(self, z):
        with _Unwritten():
            return self._fn(z)


class _Unwritten(keras.StatelessScope):
    """Where variables have the values that they have outside, and what is written is forgotten."""

    def __enter__(self):
        super().__enter__()
        if self.original_scope is not None:
            # With JAX, a train step's scope holds the values that it differentiates.
            self.state_mapping.update(self.original_scope.state_mapping)
        return self
