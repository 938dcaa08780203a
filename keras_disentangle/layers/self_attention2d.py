"""Self-attention between the pixels of feature maps."""

import keras
from keras import ops

from keras_disentangle._arguments import check_number
from keras_disentangle._image_format import check_channels_last
from keras_disentangle.layers._spectral import another
from keras_disentangle.layers.spectral_conv2d import SpectralConv2D


@keras.saving.register_keras_serializable("keras_disentangle")
class SelfAttention2D(keras.layers.Layer):
    r"""Attention of each pixel to all others (after 2×2 pooling), added with a learnt weight.

    $$y = x + \gamma\, W_o \left(\operatorname{softmax}(\theta \phi^\top) g\right)$$

    θ, φ (an eighth of the channels) and g (half of them) are 1×1 convolutions of x without biases,
    the last two followed by 2×2 max pooling; W_o is another one (the layers `theta`, `phi`, `g` and
    `o`). All are spectrally normalised. γ, `gamma`, is a trainable scalar that starts at 0.

    Args:
        epsilon: `epsilon` of the four `SpectralConv2D`, > 0.
        kernel_initializer: initializer of the four.

    Call arguments:
        x: tensor (batch, h, w, channels); h and w even, at least 8 channels.
        training: whether to do a power iteration.

    Raises:
        ValueError: if the input has another shape, or `epsilon` is not positive; if Keras's
            `image_data_format` is "channels_first".

    Example:

    >>> kd.layers.SelfAttention2D()(np.zeros((2, 8, 8, 16))).shape
    (2, 8, 8, 16)

    Reference: Zhang et al., 2019 (SAGAN), section 3, as in the authors' release, which pools.
    """

    def __init__(self, epsilon=1e-30, kernel_initializer="glorot_uniform", **kwargs):
        check_channels_last("`SelfAttention2D`")
        super().__init__(**kwargs)
        self.epsilon = check_number("epsilon", epsilon, above=0)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, x_shape):
        *_, channels = x_shape
        if len(x_shape) != 4 or channels < 8 or any((side or 0) % 2 for side in x_shape[1:3]):
            raise ValueError(
                "`x` must have the shape (batch, h, w, channels) with even h and w and at least "
                f"8 channels. Received: x.shape={tuple(x_shape)}"
            )
        self.theta = self._conv("theta", channels, channels // 8)
        self.phi = self._conv("phi", channels, channels // 8)
        self.g = self._conv("g", channels, channels // 2)
        self.o = self._conv("o", channels // 2, channels)
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")

    def call(self, x, training=False):
        n = ops.shape(x)[0]
        query = self.theta(x, training=training)
        key, value = (_pooled(conv(x, training=training)) for conv in (self.phi, self.g))
        query, key, value = (
            ops.reshape(features, (n, -1, features.shape[-1])) for features in (query, key, value)
        )
        attention = ops.softmax(ops.matmul(query, ops.transpose(key, (0, 2, 1))))
        found = ops.matmul(attention, value)
        found = ops.reshape(found, (n, *ops.shape(x)[1:3], found.shape[-1]))
        return x + self.gamma * self.o(found, training=training)

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _conv(self, name, channels, filters):
        layer = SpectralConv2D(
            filters,
            1,
            use_bias=False,
            epsilon=self.epsilon,
            kernel_initializer=another(self.kernel_initializer),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, None, None, channels))
        return layer


def _pooled(x):
    return ops.max_pool(x, 2, strides=2, data_format="channels_last")
