"""Blends a newly grown part of a network in."""

import keras

from keras_disentangle._tensors import as_floats, check_rank, check_same_shape


@keras.saving.register_keras_serializable("keras_disentangle")
class FadeIn(keras.layers.Layer):
    """`alpha * new + (1 - alpha) * old`; without `old`, `alpha * new`.

    `alpha` is a scalar in [0, 1], usually the value of a `Ramp`. Without `old` this is the
    fade-in of pro-VLAE (Li et al., 2020, eq. 9), with it the one of progressive GANs.

    Raises:
        ValueError: if `alpha` is not a scalar, or the shapes of `old` and `new` differ.

    Example:

    >>> kd.layers.FadeIn()(np.ones((1, 2)), alpha=0.25)   # [[0.25, 0.25]]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def call(self, new, alpha, old=None):
        alpha = as_floats(alpha=alpha)
        if tuple(alpha.shape) != ():
            raise ValueError(
                f"`alpha` must be a scalar. Received: alpha.shape={tuple(alpha.shape)}"
            )
        check_rank("new", new, 1)
        if old is not None:
            check_rank("old", old, 1)
            check_same_shape("new", new, "old", old)
        alpha, new = (keras.ops.cast(x, self.compute_dtype) for x in (alpha, new))
        if old is None:
            return alpha * new
        return alpha * new + (1 - alpha) * keras.ops.cast(old, self.compute_dtype)

    def compute_output_shape(self, new_shape):
        return new_shape
