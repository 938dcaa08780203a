"""Normalisation of the feature vector of each pixel."""

import keras
from keras import ops

from keras_disentangle._arguments import check_number
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._tensors import as_floats, check_rank


@keras.saving.register_keras_serializable("keras_disentangle")
class PixelNormalization(keras.layers.Layer):
    r"""Scales the feature vector of each pixel, or a latent vector, to a mean square of 1.

    $$y = x / \sqrt{\tfrac1C \sum_c x_c^2 + \epsilon}$$

    It has no weights. It is computed in float32 even under mixed precision, in which epsilon would
    vanish.

    Args:
        epsilon: number added to the mean square, > 0, so that a vector of zeros stays zero.

    Call arguments:
        x: tensor (..., channels).

    Raises:
        ValueError: if `epsilon` is not positive; if Keras's `image_data_format` is
            "channels_first".

    Example:

    >>> kd.layers.PixelNormalization()(np.array([[3.0, 4.0]]))   # [[3, 4]] / sqrt(12.5)

    Reference: Karras et al., 2018 (progressive GANs), section 4.2.
    """

    def __init__(self, epsilon=1e-8, **kwargs):
        check_channels_last("`PixelNormalization`")
        super().__init__(**kwargs)
        self.epsilon = check_number("epsilon", epsilon, above=0)
        self.built = True

    def call(self, x):
        check_rank("x", x, 1)
        wide = as_floats(x=x)
        mean_square = ops.mean(ops.square(wide), axis=-1, keepdims=True)
        return ops.cast(wide * ops.rsqrt(mean_square + self.epsilon), x.dtype)

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
