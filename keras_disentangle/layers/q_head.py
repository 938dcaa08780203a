"""The head of a recognition network."""

import keras

from keras_disentangle._arguments import check_flag, check_int, check_weight
from keras_disentangle.latents import LatentSpace

_KERNEL_STD = 0.02


@keras.saving.register_keras_serializable("keras_disentangle")
class QHead(keras.layers.Layer):
    """Maps a discriminator's features to the posterior parameters of the informative codes.

    A dense layer, batch normalisation, a leaky ReLU and a dense layer with `space.num_params`
    outputs. Kernels are drawn with standard deviation 0.02. The output is float32 even under mixed
    precision, because likelihoods need it.

    Args:
        space: the `LatentSpace`, with an informative code.
        hidden: units of the first dense layer, >= 1; `None` for the last layer alone.
        negative_slope: slope of the leaky ReLU below 0, >= 0 (0.1 in the paper).
        batch_normalization: whether the first dense layer is normalised (then it has no bias).

    Call arguments:
        features: tensor (batch, ...), which is flattened.
        training: whether to normalise with the statistics of the batch.

    Raises:
        ValueError: if an argument is out of range, or `space` has no informative code.

    Example:

    >>> space = kd.latents.LatentSpace([kd.latents.Normal(62), kd.latents.Categorical(10)])
    >>> kd.layers.QHead(space)(np.zeros((8, 1024))).shape
    (8, 10)

    Reference: Chen et al., 2016 (InfoGAN), section 5 and Table 1.
    """

    def __init__(self, space, hidden=128, negative_slope=0.1, batch_normalization=True, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(space, LatentSpace) or not space.informative:
            raise ValueError(
                f"`space` must be a `LatentSpace` with an informative code. Received: space={space}"
            )
        self.space = space
        self.hidden = None if hidden is None else check_int("hidden", hidden)
        self.negative_slope = check_weight("negative_slope", negative_slope)
        self.batch_normalization = check_flag("batch_normalization", batch_normalization)

        self._stack = [keras.layers.Flatten(dtype=self.dtype_policy)]
        if hidden is not None:
            self._stack.append(
                keras.layers.Dense(
                    self.hidden,
                    use_bias=not batch_normalization,
                    kernel_initializer=keras.initializers.RandomNormal(0.0, _KERNEL_STD),
                    dtype=self.dtype_policy,
                )
            )
            if self.batch_normalization:
                self._stack.append(
                    keras.layers.BatchNormalization(
                        momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy
                    )
                )
            self._stack.append(keras.layers.LeakyReLU(self.negative_slope, dtype=self.dtype_policy))
        self._stack.append(
            keras.layers.Dense(
                space.num_params,
                kernel_initializer=keras.initializers.RandomNormal(0.0, _KERNEL_STD),
                dtype="float32",
            )
        )

    def build(self, features_shape):
        shape = features_shape
        for layer in self._stack:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, features, training=None):
        x = features
        for layer in self._stack:
            is_normalization = isinstance(layer, keras.layers.BatchNormalization)
            x = layer(x, training=training) if is_normalization else layer(x)
        return x

    def compute_output_shape(self, features_shape):
        return (features_shape[0], self.space.num_params)

    def compute_output_spec(self, features, training=None):
        # Keras would infer the compute dtype.
        return keras.KerasTensor(self.compute_output_shape(features.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "space": keras.saving.serialize_keras_object(self.space),
            "hidden": self.hidden,
            "negative_slope": self.negative_slope,
            "batch_normalization": self.batch_normalization,
        }

    @classmethod
    def from_config(cls, config):
        space = keras.saving.deserialize_keras_object(config["space"])
        return cls(**{**config, "space": space})
