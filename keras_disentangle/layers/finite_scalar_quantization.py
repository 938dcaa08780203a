"""Codes quantised to fixed, evenly spaced values."""

import keras
from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle.latents import Quantized
from keras_disentangle.layers._quantization import nearest_levels, straight_through
from keras_disentangle.layers.latent_quantization import check_codes


@keras.saving.register_keras_serializable("keras_disentangle")
class FiniteScalarQuantization(keras.layers.Layer):
    """Bounds each dimension of a code by tanh, then rounds it to evenly spaced values in [-1, 1].

    The output holds these values exactly; its gradient is that of the tanh (straight-through). It
    has no weights and needs no loss of its own. A code that is not finite gives NaN, except for
    infinities, which give -1 and 1.

    Args:
        num_levels: number of values of each dimension, >= 2.

    Call arguments:
        z: codes (batch, d).

    Raises:
        ValueError: if `num_levels` is out of range, or codes are not (batch, d).

    Example:

    >>> layer = kd.layers.FiniteScalarQuantization(num_levels=3)
    >>> layer(np.array([[0.1, 2.0]]))   # [[0.0, 1.0]]

    References: Mentzer et al., 2024 (Finite Scalar Quantization); Hsu et al., 2024 (Tripod).
    """

    def __init__(self, num_levels=12, **kwargs):
        super().__init__(**kwargs)
        self.num_levels = check_int("num_levels", num_levels, minimum=2)

    def build(self, z_shape):
        check_codes(z_shape)

    def continuous(self, z):
        """The codes before they are rounded, (batch, d): tanh, in [-1, 1]."""
        return ops.tanh(ops.cast(z, "float32"))

    def nearest(self, z):
        """(values, indices) of the nearest values, each (batch, d).

        The values are float32 constants, NaN where `z` is NaN; the indices are int32, from 0 for -1
        to `num_levels` - 1 for 1.
        """
        return nearest_levels(self.continuous(z), self.num_levels)

    def code(self, size):
        """The code of a `LatentSpace` of `size` dimensions that has this layer's values."""
        return Quantized(size, self.num_levels)

    def call(self, z):
        z = self.continuous(z)
        values, _ = nearest_levels(z, self.num_levels)
        return ops.cast(straight_through(z, values), self.compute_dtype)

    def compute_output_shape(self, z_shape):
        return z_shape

    def get_config(self):
        return {**super().get_config(), "num_levels": self.num_levels}
