"""A transposed convolution that is fast on every backend, with one set of weights."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_disentangle")
class UpConv2D(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with `padding="same"`, written for the backend at hand.

    Weights, arguments and outputs are those of `Conv2DTranspose`. With JAX on CPU the kernel's
    gradient of a transposed convolution takes some ten times as long as the rest of it; there the
    layer computes one matrix product with the kernel and adds the overlapping blocks up (where
    the kernel's side is a multiple of the stride, and it exceeds it by an even number). Every
    other backend and device uses its own operation.

    Args:
        filters, kernel_size, strides, ...: as in `keras.layers.Conv2DTranspose`.

    Example:

    >>> UpConv2D(8, 4, strides=2)(np.zeros((1, 16, 16, 3))).shape
    (1, 32, 32, 8)
    """

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="same", **kwargs):
        super().__init__(filters, kernel_size, strides=strides, padding=padding, **kwargs)
        self._as_product = (
            padding == "same"
            and self.data_format == "channels_last"
            and self.dilation_rate == (1, 1)
            and self.output_padding is None
            and all(k % s == 0 for k, s in zip(self.kernel_size, self.strides, strict=True))
            and all((k - s) % 2 == 0 for k, s in zip(self.kernel_size, self.strides, strict=True))
        )

    def call(self, inputs):
        if not (self._as_product and _jax_on_cpu()):
            return super().call(inputs)
        outputs = _overlap_add(inputs, self.kernel, self.strides)
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)


def _jax_on_cpu():
    if keras.backend.backend() != "jax":
        return False
    return keras.distribution.list_devices()[0].lower().startswith("cpu")


def _overlap_add(x, kernel, strides):
    """Transposed convolution of x (b, n, m, c) with a kernel (k_h, k_w, f, c), "same" padding.

    Input i adds `x_i * kernel` to the outputs i s - p ... i s - p + k - 1, p = (k - s) / 2. With
    k = t s that block is t pieces of length s: piece j of input i lies in cell i + j.
    """
    _, n, m, channels = x.shape
    (s_h, s_w), (k_h, k_w), filters = strides, kernel.shape[:2], kernel.shape[2]
    t_h, t_w = k_h // s_h, k_w // s_w
    kernel = ops.reshape(ops.transpose(kernel, (3, 0, 1, 2)), (channels, k_h * k_w * filters))
    blocks = ops.reshape(ops.matmul(x, kernel), (-1, n, m, t_h, s_h, t_w, s_w, filters))
    cells = 0.0
    for i in range(t_h):
        for j in range(t_w):
            piece = blocks[:, :, :, i, :, j]
            padding = ((i, t_h - 1 - i), (j, t_w - 1 - j))
            cells = cells + ops.pad(piece, ((0, 0), *padding, (0, 0), (0, 0), (0, 0)))
    cells = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
    y = ops.reshape(cells, (-1, (n + t_h - 1) * s_h, (m + t_w - 1) * s_w, filters))
    top, left = (k_h - s_h) // 2, (k_w - s_w) // 2
    return y[:, top : top + n * s_h, left : left + m * s_w]
