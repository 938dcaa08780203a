"""A transposed convolution that is fast on every backend."""

import keras
from keras import ops

from keras_disentangle._arguments import check_choice, check_int


@keras.saving.register_keras_serializable("keras_disentangle")
class UpConv2D(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with `padding="same"`, optimised for the backend in use.

    Weights, arguments and outputs are those of `Conv2DTranspose`. With JAX on CPU, the kernel's
    gradient of a transposed convolution takes about ten times as long as the rest of it; there the
    layer gathers each input's neighbours and multiplies them by the rearranged kernel (if the
    kernel's side is a multiple of the stride and exceeds it by an even number). All other backends
    and devices use their own operation.

    Args:
        filters, kernel_size, strides, ...: as in `keras.layers.Conv2DTranspose`.

    Example:

    >>> kd.layers.UpConv2D(8, 4, strides=2)(np.zeros((1, 16, 16, 3))).shape
    (1, 32, 32, 8)
    """

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="same", **kwargs):
        filters = check_int("filters", filters)
        check_choice("padding", padding, ("valid", "same"))
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
        outputs = _matrix_product(inputs, self.kernel, self.strides)
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)


def _jax_on_cpu():
    if keras.backend.backend() != "jax":
        return False
    return keras.distribution.list_devices()[0].lower().startswith("cpu")


def _matrix_product(x, kernel, strides):
    """Transposed convolution of x (b, n, m, c) with a kernel (k_h, k_w, f, c), "same" padding.

    With k = t s and p = (k - s) / 2, output o = c s + a - p (cell c, phase a < s) is the sum over
    j < t of input c - j times row j s + a of the kernel; likewise for columns. So each cell is the
    product of t_h t_w neighbouring inputs and one matrix that contains all phases.
    """
    _, n, m, channels = x.shape
    kernel = ops.convert_to_tensor(kernel)
    (s_h, s_w), (k_h, k_w), filters = strides, kernel.shape[:2], kernel.shape[2]
    t_h, t_w = k_h // s_h, k_w // s_w
    cells_h, cells_w = n + t_h - 1, m + t_w - 1

    padded = ops.pad(x, ((0, 0), (t_h - 1, t_h - 1), (t_w - 1, t_w - 1), (0, 0)))
    neighbours = [
        padded[:, i : i + cells_h, j : j + cells_w] for i in range(t_h) for j in range(t_w)
    ]
    matrix = ops.reshape(kernel, (t_h, s_h, t_w, s_w, filters, channels))
    matrix = ops.transpose(ops.flip(matrix, (0, 2)), (0, 2, 5, 1, 3, 4))
    matrix = ops.reshape(matrix, (t_h * t_w * channels, s_h * s_w * filters))
    cells = ops.matmul(ops.concatenate(neighbours, axis=-1), matrix)

    cells = ops.reshape(cells, (-1, cells_h, cells_w, s_h, s_w, filters))
    y = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
    y = ops.reshape(y, (-1, cells_h * s_h, cells_w * s_w, filters))
    top, left = (k_h - s_h) // 2, (k_w - s_w) // 2
    return y[:, top : top + n * s_h, left : left + m * s_w]
