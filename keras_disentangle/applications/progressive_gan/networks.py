r"""The networks of progressive GANs, as the authors of the Hessian penalty trained them.

Stage s = 0, 1, ... works on images of 4·2^s pixels a side. A network holds the layers of all its
stages from the start; `stage`, a Python integer, says how many of them a call goes through, and
`alpha`, a scalar tensor in [0, 1], how far the newest of them has faded in. `ProgressiveGAN` sets
both. Stage s has min(max_channels, base_channels / 2^(s + 1)) feature maps, which with the defaults
is Table 2 of the paper: 512 up to 32², then 256, 128, ...

Every layer with weights has an equalised learning rate, zero biases and, but for the last ones
(images, logits), a leaky ReLU. The last ones give float32 under mixed precision too. As in the
authors' release, the discriminator pools before the nonlinearity, there is no tanh, and biases are
one a feature map.
"""

import math

import keras
from keras import layers, ops

from keras_disentangle._arguments import check_int
from keras_disentangle._image_format import check_channels_last
from keras_disentangle.layers import (
    EqualizedConv2D,
    EqualizedDense,
    FadeIn,
    MinibatchStd,
    PixelNormalization,
)
from keras_disentangle.layers._resampling import average_pool, upsample

SLOPE = 0.2
LATENT_DIM = 12
RESOLUTION = 128
BASE_CHANNELS = 8192
MAX_CHANNELS = 512
SMALLEST = 4


@keras.saving.register_keras_serializable("keras_disentangle")
class ProgressiveGenerator(keras.Model):
    """Latent vectors to images of 4·2^stage pixels a side, about [-1, 1].

    Args:
        latent_dim: width of the latent space, >= 1 (12 in the Hessian penalty's experiments).
        resolution: pixels a side of the last stage, a power of two >= 4.
        image_channels: channels of the images, >= 1.
        base_channels: 2^(s + 1) times the feature maps of stage s, where that is less than
        max_channels: the largest number of feature maps, >= 1.

    Attributes:
        num_stages: log2(resolution) - 1.

    Call arguments:
        z: tensor (batch, latent_dim).
        stage: integer from 0 to `num_stages` - 1; the last by default.
        alpha: scalar; below 1 the image of the stage before, enlarged, is blended in.
        normalize: whether `z` is normalised, to a mean square of 1, before anything else. The
            authors measure Hessians and activeness at codes that are normalised already.

    Raises:
        ValueError: if an argument is out of range, or leaves a stage without feature maps.

    Example:

    >>> ProgressiveGenerator(resolution=128)(np.zeros((8, 12)), stage=1).shape
    (8, 8, 8, 3)

    References: Karras et al., 2018, appendix A; Peebles et al., 2020 (Hessian penalty), A.1.
    """

    def __init__(
        self,
        latent_dim=LATENT_DIM,
        resolution=RESOLUTION,
        image_channels=3,
        base_channels=BASE_CHANNELS,
        max_channels=MAX_CHANNELS,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.autocast = False  # Half precision is too coarse for alpha.
        self.latent_dim = check_int("latent_dim", latent_dim)
        self.num_stages = _num_stages(resolution)
        self.resolution = resolution
        self.image_channels = check_int("image_channels", image_channels)
        self.base_channels, self.max_channels = base_channels, max_channels
        _, *widths = _widths(self.num_stages, base_channels, max_channels)

        dtype = self.dtype_policy
        self.normalization = PixelNormalization(name="normalization", dtype=dtype)
        dense = EqualizedDense(
            SMALLEST**2 * widths[0],
            gain=math.sqrt(2) / 4,
            use_bias=False,
            name="dense_4x4",
            dtype=dtype,
        )
        dense.build((None, latent_dim))
        self.bias = self.add_weight(shape=(widths[0],), initializer="zeros", name="bias")
        self.hidden = [dense, _conv(widths[0], widths[0], "conv_4x4", dtype)]
        for stage, (old, new) in enumerate(zip(widths, widths[1:], strict=False), start=1):
            size = _size(stage)
            self.hidden += [
                _conv(old, new, f"conv0_{size}", dtype),
                _conv(new, new, f"conv1_{size}", dtype),
            ]
        self.to_rgb = [
            _conv(width, image_channels, f"to_rgb_{_size(stage)}", "float32", 1, gain=1.0)
            for stage, width in enumerate(widths)
        ]
        self.fade_in = FadeIn(name="fade_in", dtype="float32")
        self.built = True

    def call(self, z, stage=None, alpha=1.0, training=False, normalize=True):
        stage = _checked_stage(stage, self.num_stages)
        features = [x for _, x, _ in self.activations(z, stage, normalize=normalize)]
        image = self.to_rgb[stage](features[-1])
        if stage == 0 or _is_one(alpha):
            return image
        old = upsample(self.to_rgb[stage - 1](features[-3]))
        return self.fade_in(image, alpha=alpha, old=old)

    def activations(self, z, stage=None, num_layers=None, normalize=True):
        """The hidden layers' outputs, right after their pixel normalisation, from the first up.

        These are what the Hessian penalty regularises: the authors count the dense layer and the
        convolutions in this order (12 at 128²; their thirteenth is the image), and take 10.

        Args:
            z: tensor (batch, latent_dim).
            stage: the stage up to which layers are there; the last by default.
            num_layers: of how many layers, >= 1; none beyond them is computed. All by default.
            normalize: whether `z` is still to be normalised.

        Returns:
            List of (name, tensor (batch, h, w, channels), the layer's own stage).
        """
        number = 2 * (_checked_stage(stage, self.num_stages) + 1)
        if num_layers is not None:
            number = min(number, check_int("num_layers", num_layers))
        found, x = [], self.normalization(z) if normalize else z
        for i, layer in enumerate(self.hidden[:number]):
            if i == 0:
                x = ops.reshape(layer(x), (-1, SMALLEST, SMALLEST, self.bias.shape[0]))
                x = x + ops.cast(self.bias, x.dtype)
            else:
                # The first of a stage's two.
                x = layer(upsample(x) if i % 2 == 0 else x)
            x = self.normalization(_leaky(x))
            found.append((layer.name, x, i // 2))
        return found

    @property
    def hidden_names(self):
        """The names of all the layers that `activations` gives, from the first up."""
        return [layer.name for layer in self.hidden]

    @property
    def input_shape(self):
        return (None, self.latent_dim)

    @property
    def output_shape(self):
        return (None, self.resolution, self.resolution, self.image_channels)

    def get_config(self):
        return {
            **_common(self),
            "latent_dim": self.latent_dim,
            "resolution": self.resolution,
            "image_channels": self.image_channels,
            "base_channels": self.base_channels,
            "max_channels": self.max_channels,
        }


@keras.saving.register_keras_serializable("keras_disentangle")
class ProgressiveDiscriminator(keras.Model):
    """Images of 4·2^stage pixels a side to [logits (batch, 1), features (batch, 4, 4, channels)].

    The features are what the last block reads, before the batch's standard deviation is appended:
    there the authors' InfoGAN head sets in (see `q_network`).

    Args:
        resolution, image_channels, base_channels, max_channels: as in `ProgressiveGenerator`.
        group_size: images over which `MinibatchStd` looks, >= 1.

    Attributes:
        num_stages: log2(resolution) - 1.

    Call arguments:
        x: tensor (batch, 4·2^stage, 4·2^stage, image_channels), about [-1, 1].
        stage: integer from 0 to `num_stages` - 1; the last by default.
        alpha: scalar; below 1 the pooled image, as the stage before would see it, is blended in.

    Raises:
        ValueError: as `ProgressiveGenerator`; if `x` has not the stage's resolution.

    Example:

    >>> logits, features = ProgressiveDiscriminator(64)(np.zeros((1, 64, 64, 3)))

    References: as `ProgressiveGenerator`.
    """

    def __init__(
        self,
        resolution=RESOLUTION,
        image_channels=3,
        base_channels=BASE_CHANNELS,
        max_channels=MAX_CHANNELS,
        group_size=4,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.autocast = False
        self.num_stages = _num_stages(resolution)
        self.resolution = resolution
        self.image_channels = check_int("image_channels", image_channels)
        self.base_channels, self.max_channels = base_channels, max_channels
        self.group_size = group_size
        self.top_width, *widths = _widths(self.num_stages, base_channels, max_channels)

        dtype = self.dtype_policy
        self.from_rgb = [
            _conv(image_channels, width, f"from_rgb_{_size(stage)}", dtype, kernel_size=1)
            for stage, width in enumerate(widths)
        ]
        # Two of each stage from the second on.
        self.hidden = []
        for stage, (old, new) in enumerate(zip(widths, widths[1:], strict=False), start=1):
            size = _size(stage)
            self.hidden += [
                _conv(new, new, f"conv0_{size}", dtype),
                _conv(new, old, f"conv1_{size}", dtype),
            ]
        self.minibatch_std = MinibatchStd(group_size, name="minibatch_std", dtype=dtype)
        self.last_conv = _conv(widths[0] + 1, widths[0], "conv_4x4", dtype)
        self.dense = EqualizedDense(self.top_width, name="dense_4x4", dtype=dtype)
        self.dense.build((None, SMALLEST**2 * widths[0]))
        self.logits = EqualizedDense(1, gain=1.0, dtype="float32", name="logits")
        self.logits.build((None, self.top_width))
        self.fade_in = FadeIn(name="fade_in", dtype=dtype)
        self.built = True

    def call(self, x, stage=None, alpha=1.0, training=False):
        stage = _checked_stage(stage, self.num_stages)
        size = SMALLEST * 2**stage
        if tuple(x.shape[1:]) != (size, size, self.image_channels):
            raise ValueError(
                f"`x` must have the shape (batch, {size}, {size}, {self.image_channels}) in stage "
                f"{stage}. Received: x.shape={tuple(x.shape)}"
            )
        features = _leaky(self.from_rgb[stage](x))
        for i in range(stage, 0, -1):
            first, second = self.hidden[2 * i - 2 : 2 * i]
            features = _leaky(average_pool(second(_leaky(first(features)))))
            if i == stage and not _is_one(alpha):
                old = _leaky(self.from_rgb[i - 1](average_pool(x)))
                features = self.fade_in(features, alpha=alpha, old=old)
        y = _leaky(self.last_conv(self.minibatch_std(features)))
        y = _leaky(self.dense(ops.reshape(y, (-1, SMALLEST**2 * y.shape[-1]))))
        return [self.logits(y), features]

    @property
    def input_shape(self):
        return (None, self.resolution, self.resolution, self.image_channels)

    @property
    def output_shape(self):
        return [(None, 1), (None, SMALLEST, SMALLEST, self.last_conv.filters)]

    def get_config(self):
        return {
            **_common(self),
            "resolution": self.resolution,
            "image_channels": self.image_channels,
            "base_channels": self.base_channels,
            "max_channels": self.max_channels,
            "group_size": self.group_size,
        }


def _common(network):
    """What every layer's configuration holds. Keras's own, which is another way to say it, imports
    TensorFlow wherever it is installed: two seconds for each trained model on JAX."""
    return {
        "name": network.name,
        "trainable": network.trainable,
        "dtype": network.dtype_policy.name,
    }


def q_network(discriminator, num_params):
    """The head of the InfoGAN baseline: the discriminator's features to the codes' parameters.

    A convolution, a dense layer and another without a nonlinearity, like the discriminator's own.

    Args:
        discriminator: a `ProgressiveDiscriminator`.
        num_params: number of outputs: `space.num_params`.

    Returns:
        A built model (batch, 4, 4, channels) to (batch, num_params), float32.

    Raises:
        ValueError: if `num_params` is not a positive integer.

    Reference: Peebles et al., 2020 (Hessian penalty), A.1.
    """
    _, (_, *shape) = discriminator.output_shape
    return keras.Sequential(
        [
            keras.Input(shape),
            EqualizedConv2D(shape[-1], 3),
            layers.LeakyReLU(SLOPE),
            layers.Flatten(),
            EqualizedDense(discriminator.top_width),
            layers.LeakyReLU(SLOPE),
            EqualizedDense(check_int("num_params", num_params), gain=1.0, dtype="float32"),
        ],
        name="q_network",
    )


def _num_stages(resolution):
    check_channels_last("the progressive GAN")
    resolution = check_int("resolution", resolution)
    if resolution < SMALLEST or resolution & (resolution - 1):
        raise ValueError(
            f"`resolution` must be a power of two >= {SMALLEST}. Received: resolution={resolution}"
        )
    return resolution.bit_length() - SMALLEST.bit_length() + 1


def _widths(num_stages, base_channels, max_channels):
    """Units of the discriminator's dense layer, then the feature maps of each stage."""
    base = check_int("base_channels", base_channels)
    widths = [
        min(check_int("max_channels", max_channels), base >> i) for i in range(num_stages + 1)
    ]
    if widths[-1] == 0:
        raise ValueError(
            f"`base_channels` must be at least {2**num_stages} for {num_stages} stages, so that "
            f"the last has feature maps. Received: base_channels={base_channels}"
        )
    return widths


def _checked_stage(stage, num_stages):
    if stage is None:
        return num_stages - 1
    if check_int("stage", stage, minimum=0) >= num_stages:
        raise ValueError(f"`stage` must be less than {num_stages}. Received: stage={stage}")
    return stage


def _size(stage):
    return "{0}x{0}".format(SMALLEST * 2**stage)


def _conv(old, new, name, dtype, kernel_size=3, **settings):
    """A built convolution from `old` to `new` feature maps."""
    layer = EqualizedConv2D(new, kernel_size, name=name, dtype=dtype, **settings)
    layer.build((None, None, None, old))
    return layer


def _leaky(x):
    return ops.leaky_relu(x, SLOPE)


def _is_one(alpha):
    """Whether it is known before the step is compiled that nothing is to be blended."""
    return isinstance(alpha, (int, float)) and alpha == 1
