"""The minibatch standard deviation, a feature of a discriminator."""

import math

import keras
from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._tensors import check_rank, widen


@keras.saving.register_keras_serializable("keras_disentangle")
class MinibatchStd(keras.layers.Layer):
    """Appends one feature map: the standard deviation of the features over a group of images.

    The batch is divided into groups of `group_size` consecutive images. In each group, the (biased)
    standard deviation over its images is averaged over pixels and channels, and this number is
    appended to all pixels of all its images. If `group_size` does not divide the batch size, the
    whole batch is one group.

    Args:
        group_size: images in a group, >= 1.

    Call arguments:
        x: tensor (batch, h, w, channels).

    Raises:
        ValueError: if `group_size` is not a positive integer; if Keras's `image_data_format` is
            "channels_first".

    Example:

    >>> kd.layers.MinibatchStd()(np.zeros((8, 4, 4, 512))).shape
    (8, 4, 4, 513)

    Reference: Karras et al., 2018 (progressive GANs), section 3.
    """

    def __init__(self, group_size=4, **kwargs):
        check_channels_last("`MinibatchStd`")
        super().__init__(**kwargs)
        self.group_size = check_int("group_size", group_size)
        self.built = True

    def call(self, x):
        check_rank("x", x, 4)
        _, h, w, channels = x.shape
        n = ops.shape(x)[0]
        if isinstance(n, int):
            size = n if n % self.group_size else self.group_size
        elif ops.is_tensor(n):
            size = ops.where(n % self.group_size == 0, self.group_size, n)
        else:
            return self._of_any_number(x)
        groups = ops.reshape(x, (-1, size, h, w, channels))
        # Squared differences and their sums over many pixels exceed half precision.
        wide = widen(groups)
        variance = ops.mean(ops.square(wide - ops.mean(wide, axis=1, keepdims=True)), axis=1)
        # The derivative of a square root at 0 is infinite.
        std = ops.mean(ops.sqrt(variance + 1e-8), axis=(1, 2, 3))
        std = ops.cast(ops.reshape(std, (-1, 1, 1, 1, 1)), x.dtype)
        groups = ops.concatenate([groups, ops.zeros_like(groups[..., :1]) + std], axis=-1)
        return ops.reshape(groups, (-1, h, w, channels + 1))

    def _of_any_number(self, x):
        """The same where JAX traces a function for any number of images, as it does to export:
        shapes cannot depend on whether groups divide it, sums with weights can."""
        wide = ops.reshape(widen(x), (-1, math.prod(x.shape[1:])))
        index = ops.cumsum(ops.ones_like(wide[:, 0])) - 1.0
        n = index[-1] + 1.0
        size = ops.where(n % self.group_size == 0, float(self.group_size), n)
        group = ops.floor(index / size)
        weights = ops.cast(group[:, None] == group, wide.dtype) / size
        variance = weights @ ops.square(wide - weights @ wide)
        std = ops.mean(ops.sqrt(variance + 1e-8), axis=-1)
        std = ops.cast(ops.reshape(std, (-1, 1, 1, 1)), x.dtype)
        return ops.concatenate([x, ops.zeros_like(x[..., :1]) + std], axis=-1)

    def compute_output_shape(self, x_shape):
        return (*x_shape[:-1], x_shape[-1] + 1)

    def get_config(self):
        return {**super().get_config(), "group_size": self.group_size}
