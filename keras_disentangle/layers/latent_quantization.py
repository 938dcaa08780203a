"""Codes quantised to a learnt codebook of each dimension."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_number
from keras_disentangle.latents import Quantized
from keras_disentangle.layers._quantization import nearest_values, straight_through

LARGEST = 1e6  # of the initial values: beyond it, float32 has steps of its own


@keras.saving.register_keras_serializable("keras_disentangle")
class LatentQuantization(keras.layers.Layer):
    """Replaces each dimension of a code by the nearest value of a learnt codebook of its own.

    The output holds values of the codebooks exactly; its gradient is that of the input
    (straight-through), so the reconstruction trains the encoder and never the codebooks. These are
    trained by `kd.losses.quantization_loss` and the encoder is held close to them by
    `kd.losses.commitment_loss`, both between the input and the values of `nearest`; the layer adds
    no loss by itself. Values that are never the nearest get no gradient and stay where they are: a
    dimension that uses a single value is constant, and metrics leave it out. A code that is not
    finite gives NaN. Leave the codebooks out of weight decay, as `QLAE.compile` does.

    Attributes:
        codebooks: float32 variable (d, num_values): each row begins as evenly spaced values. In
            training, a row may lose its order.

    Args:
        num_values: number of values of each dimension, >= 2.
        low, high: the first and the last initial value, `low` < `high`.

    Call arguments:
        z: codes (batch, d).

    Raises:
        ValueError: if an argument is out of range, or codes are not (batch, d).

    Example:

    >>> layer = kd.layers.LatentQuantization(num_values=3)
    >>> layer(np.array([[0.1, 2.0]]))   # [[0.0, 0.5]]

    Reference: Hsu et al., 2023 (Disentanglement via Latent Quantization), section 3.
    """

    def __init__(self, num_values=10, low=-0.5, high=0.5, **kwargs):
        super().__init__(**kwargs)
        self.num_values = check_int("num_values", num_values, minimum=2)
        self.low = check_number("low", low, -LARGEST, LARGEST)
        self.high = check_number("high", high, -LARGEST, LARGEST)
        if not self.low < self.high:
            raise ValueError(f"`low` must be less than `high`. Received: low={low}, high={high}")

    def build(self, z_shape):
        check_codes(z_shape)
        row = np.linspace(self.low, self.high, self.num_values, dtype="float32")
        self.codebooks = self.add_weight(
            shape=(z_shape[-1], self.num_values),
            initializer=lambda shape, dtype: ops.convert_to_tensor(np.tile(row, (shape[0], 1))),
            dtype="float32",
            autocast=False,
            name="codebooks",
        )

    def nearest(self, z):
        """(values, indices) of the nearest values, each (batch, d).

        The values are differentiable with respect to the codebooks and constant with respect to
        `z`, NaN where `z` is not finite; the indices are int32, into the rows of `codebooks`.
        """
        z = ops.cast(z, "float32")
        if not self.built:
            self.build(z.shape)
        return nearest_values(z, ops.convert_to_tensor(self.codebooks))

    def call(self, z):
        values, _ = self.nearest(z)
        return ops.cast(straight_through(ops.cast(z, "float32"), values), self.compute_dtype)

    def continuous(self, z):
        """The codes before they are quantised, (batch, d): `z` itself."""
        return z

    def code(self, size):
        """The code of a `LatentSpace` of `size` dimensions that has this layer's present values."""
        return _Codebooks(self, size)

    def compute_output_shape(self, z_shape):
        return z_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_values": self.num_values,
            "low": self.low,
            "high": self.high,
        }


class _Codebooks(Quantized):
    """A quantised code whose values are the present codebooks of a layer."""

    def __init__(self, layer, size):
        super().__init__(size, layer.num_values, layer.low, layer.high)
        self._layer = layer

    def codebooks(self):
        return ops.stop_gradient(ops.convert_to_tensor(self._layer.codebooks))

    def traversal(self, steps=10, extent=1.0):
        """The values of each dimension in increasing order, whatever the arguments: (size, k)."""
        return np.sort(ops.convert_to_numpy(self._layer.codebooks), axis=1)

    def values_of(self, dim):
        return self.traversal()[dim]


def check_codes(shape):
    """Raises a ValueError unless a shape is that of codes (batch, d), d > 0."""
    if len(shape) != 2 or not shape[-1]:
        raise ValueError(f"`z` must be codes (batch, d), d > 0. Received: z.shape={tuple(shape)}")
