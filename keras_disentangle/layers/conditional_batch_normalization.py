"""Batch normalisation whose gain and bias depend on a condition."""

import keras
from keras import ops

from keras_disentangle._arguments import check_int, check_number, check_weight
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._tensors import check_same_batch, widen
from keras_disentangle.layers._spectral import another
from keras_disentangle.layers.spectral_dense import SpectralDense


@keras.saving.register_keras_serializable("keras_disentangle")
class ConditionalBatchNormalization(keras.layers.Layer):
    r"""Batch normalisation, then a gain and a bias that depend on each example's condition.

    $$y = (1 + W_g c) \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + W_b c$$

    with a condition c for each example, such as the embedding of its class, and spectrally
    normalised W_g and W_b (the layers `gain` and `bias`). Without a condition, gain and bias are
    vectors, `gamma` and `beta`.

    In training, μ and σ² are the mean and the (biased) variance over the batch and its pixels. At
    inference they come from the tables `moving_mean` and `moving_variance`, (num_statistics,
    channels), whose rows are mixed with `statistics_weights`; in training, a row's moving averages
    are updated in proportion to its weight. A frozen layer (`trainable=False`) normalises as at
    inference. Statistics, gain and bias are computed in float32, even under mixed precision.

    Args:
        num_statistics: number of rows of the tables, >= 1.
        momentum: decay of the moving averages, in [0, 1].
        epsilon: number added to the variance, > 0.
        spectral_epsilon: `epsilon` of the layers `gain` and `bias`, > 0.
        kernel_initializer: initializer of the layers `gain` and `bias`.

    Call arguments:
        x: tensor (batch, ..., channels).
        condition: tensor (batch, d), or `None`.
        statistics_weights: tensor (1, num_statistics); not needed for a single row.
        training: whether to normalise with the statistics of the batch.

    Raises:
        ValueError: if an argument is out of range; if only some calls have a condition; if
            `statistics_weights` are missing or have another shape; if Keras's `image_data_format`
            is "channels_first".

    Example:

    >>> kd.layers.ConditionalBatchNormalization()(np.zeros((8, 4, 4, 3)), np.zeros((8, 5))).shape
    (8, 4, 4, 3)

    References: Brock et al., 2019 (BigGAN), section 3 and appendix B; de Vries et al., 2017.
    """

    def __init__(
        self,
        num_statistics=1,
        momentum=0.9,
        epsilon=1e-5,
        spectral_epsilon=1e-30,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        check_channels_last("`ConditionalBatchNormalization`")
        super().__init__(**kwargs)
        self.autocast = False  # Half precision is too coarse for the weights of the rows.
        self.num_statistics = check_int("num_statistics", num_statistics)
        self.momentum = check_weight("momentum", momentum)
        if self.momentum > 1:
            raise ValueError(f"`momentum` must be in [0, 1]. Received: momentum={momentum!r}")
        self.epsilon = check_number("epsilon", epsilon, above=0)
        self.spectral_epsilon = check_number("spectral_epsilon", spectral_epsilon, above=0)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        # If it is a number n, the moving averages are plain means over the n batches so far.
        self.batches_averaged = None

    def build(self, x_shape, condition_shape=None, statistics_weights_shape=None):
        if len(x_shape) < 2:
            raise ValueError(
                f"`x` must be a tensor (batch, ..., channels). Received: x.shape={tuple(x_shape)}"
            )
        channels = x_shape[-1]
        if condition_shape is not None and len(condition_shape) != 2:
            raise ValueError(
                "`condition` must be a tensor (batch, d). "
                f"Received: condition.shape={tuple(condition_shape)}"
            )
        if condition_shape is None:
            self.gain = self.bias = None
            self.gamma, self.beta = (
                self.add_weight(shape=(channels,), initializer=start, autocast=False, name=name)
                for name, start in (("gamma", "ones"), ("beta", "zeros"))
            )
        else:
            self.gain, self.bias = (
                SpectralDense(
                    channels,
                    use_bias=False,
                    epsilon=self.spectral_epsilon,
                    kernel_initializer=another(self.kernel_initializer),
                    dtype="float32",
                    name=name,
                )
                for name in ("gain", "bias")
            )
            for layer in (self.gain, self.bias):
                layer.build(condition_shape)
        self.moving_mean, self.moving_variance = (
            self.add_weight(
                shape=(self.num_statistics, channels),
                initializer=start,
                trainable=False,
                autocast=False,
                name=name,
            )
            for name, start in (("moving_mean", "zeros"), ("moving_variance", "ones"))
        )

    def call(self, x, condition=None, statistics_weights=None, training=False):
        if (condition is None) != (self.gain is None):
            raise ValueError(
                "`condition` must be given in every call or in none. Received: "
                + ("no condition" if condition is None else "a condition, unlike before")
            )
        if condition is not None:
            check_same_batch("x", x, "condition", condition)
        rows = self._checked_rows(statistics_weights)
        if (training and self.trainable) or self.batches_averaged is not None:
            mean, variance = self._batch_statistics(widen(x), rows)
        else:
            mean, variance = (
                # Copies, as in `Spectral.sigma`.
                ops.copy(table) if rows is None else ops.matmul(rows, ops.copy(table))
                for table in (self.moving_mean, self.moving_variance)
            )
        if self.gain is None:
            gain, bias = self.gamma, self.beta
        else:
            gain = 1 + self.gain(condition, training=training)
            bias = self.bias(condition, training=training)
        x, mean, variance, gain, bias = widen(x, mean, variance, gain, bias)
        # Only one multiplication and one addition of arrays as large as x.
        scale = gain * ops.rsqrt(variance + self.epsilon)
        shift = bias - mean * scale
        shape = (-1, *[1] * (len(x.shape) - 2), x.shape[-1])
        y = x * ops.reshape(scale, shape) + ops.reshape(shift, shape)
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, x_shape, condition_shape=None, statistics_weights_shape=None):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_statistics": self.num_statistics,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "spectral_epsilon": self.spectral_epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _batch_statistics(self, x, rows):
        """Mean and variance (1, channels) of the batch, which also update the tables."""
        axes = tuple(range(len(x.shape) - 1))
        mean = ops.mean(x, axis=axes, keepdims=True)
        # On TensorFlow, second derivatives of `ops.moments` treat the mean as constant.
        variance = ops.mean(ops.square(x - mean), axis=axes)[None]
        mean = ops.reshape(mean, (1, -1))
        count = self.batches_averaged
        keep = self.momentum if count is None else count / (count + 1)
        change = (1 - keep) * (1.0 if rows is None else ops.transpose(rows))
        for table, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            value = ops.cast(ops.stop_gradient(value), table.dtype)
            table.assign(table * (1 - change) + change * value)
        return mean, variance

    def _checked_rows(self, statistics_weights):
        """The weights of the rows (1, num_statistics), or `None` if there is only one."""
        if statistics_weights is None and self.num_statistics == 1:
            return None
        shape = None if statistics_weights is None else tuple(statistics_weights.shape)
        if shape != (1, self.num_statistics):
            raise ValueError(
                f"`statistics_weights` must have the shape (1, {self.num_statistics}). "
                f"Received: {'None' if shape is None else f'the shape {shape}'}"
            )
        return ops.cast(statistics_weights, self.moving_mean.dtype)


# Layers whose output in training depends on the other examples of the batch.
BATCH_NORMALIZATIONS = (keras.layers.BatchNormalization, ConditionalBatchNormalization)
