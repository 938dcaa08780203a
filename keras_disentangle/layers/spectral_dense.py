"""A dense layer with spectral normalisation."""

import keras
from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle.layers._spectral import Spectral


@keras.saving.register_keras_serializable("keras_disentangle")
class SpectralDense(Spectral, keras.layers.Dense):
    r"""`keras.layers.Dense` with a kernel divided by its largest singular value.

    $$W / \sigma, \quad \sigma = u^\top W v$$

    `kernel` is the undivided kernel, `left` is u, (units,), and `right` is v, (channels,). In
    training, each call does one power iteration, v = W^T u / |W^T u| and u = W v / |W v|, and
    stores the vectors; the gradient flows through W and σ, not through u and v. At inference, and
    if the layer is frozen (`trainable=False`), u and v stay unchanged.

    Args:
        units, ...: as in `keras.layers.Dense`.
        epsilon: lower bound of the lengths by which u and v are divided, > 0.

    Call arguments:
        inputs: tensor (..., channels).
        training: whether to do a power iteration.

    Raises:
        ValueError: if `epsilon` is not positive.

    Example:

    >>> kd.layers.SpectralDense(3)(np.zeros((8, 5))).shape
    (8, 3)

    Reference: Miyato et al., 2018 (spectral normalization), eq. 8 and algorithm 1.
    """

    def __init__(self, units, *args, **kwargs):
        super().__init__(check_int("units", units), *args, **kwargs)

    def call(self, inputs, training=False):
        x = ops.matmul(inputs, self.normalized_kernel(training))
        if self.use_bias:
            x = x + ops.cast(self.bias, x.dtype)
        return x if self.activation is None else self.activation(x)
