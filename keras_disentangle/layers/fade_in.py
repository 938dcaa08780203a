"""Blends a newly grown part of a network in."""

import keras


@keras.saving.register_keras_serializable("keras_disentangle")
class FadeIn(keras.layers.Layer):
    """`alpha * new + (1 - alpha) * old`; without `old`, `alpha * new`.

    `alpha` is a scalar in [0, 1], usually the value of a `Ramp`. Without `old` this is the
    fade-in of pro-VLAE (Li et al., 2020, eq. 9), with it the one of progressive GANs.

    Example:

    >>> FadeIn()(np.ones((1, 2)), alpha=0.25)   # [[0.25, 0.25]]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def call(self, new, alpha, old=None):
        alpha = keras.ops.cast(alpha, self.compute_dtype)
        return alpha * new if old is None else alpha * new + (1 - alpha) * old

    def compute_output_shape(self, new_shape):
        return new_shape
