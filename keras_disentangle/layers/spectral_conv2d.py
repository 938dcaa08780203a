"""A convolution with spectral normalisation."""

import keras
from keras import ops

from keras_disentangle._arguments import check_choice, check_int
from keras_disentangle.layers._spectral import Spectral


@keras.saving.register_keras_serializable("keras_disentangle")
class SpectralConv2D(Spectral, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with a kernel divided by its largest singular value.

    The singular value is that of the matrix (filters, kernel height · kernel width · channels);
    `kernel` is the undivided kernel, `left` (filters,) and `right` (height · width · channels,) are
    its singular vectors, estimated as in `SpectralDense`.

    Args:
        filters, kernel_size, ...: as in `keras.layers.Conv2D`, but with the default
            `padding="same"`.
        epsilon: as in `SpectralDense`.

    Call arguments:
        inputs: tensor (batch, h, w, channels).
        training: whether to do a power iteration.

    Raises:
        ValueError: if `epsilon` is not positive.

    Example:

    >>> kd.layers.SpectralConv2D(64, 3)(np.zeros((8, 4, 4, 16))).shape
    (8, 4, 4, 64)

    Reference: Miyato et al., 2018 (spectral normalization), section 2.1.
    """

    def __init__(self, filters, kernel_size, padding="same", **kwargs):
        filters = check_int("filters", filters)
        check_choice("padding", padding, ("valid", "same"))
        super().__init__(filters, kernel_size, padding=padding, **kwargs)

    def call(self, inputs, training=False):
        x = self.convolution_op(inputs, self.normalized_kernel(training))
        if self.use_bias:
            bias = ops.cast(self.bias, x.dtype)
            x = x + (bias if self.data_format == "channels_last" else bias[:, None, None])
        return x if self.activation is None else self.activation(x)
