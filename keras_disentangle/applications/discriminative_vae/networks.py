"""The networks of discriminative regularisation: auto-encoders, and the classifier of features.

Every convolution and hidden layer is followed by batch normalisation and a ReLU, and has no bias.
"""

import math

import keras
from keras import layers

from keras_disentangle._arguments import check_int
from keras_disentangle._image_format import check_channels_last
from keras_disentangle.layers import FeatureNetwork, UpConv2D

INITIAL_STD = 0.033
FEATURES = ("norm_2", "norm_4", "norm_6")  # the layers of the paper's classifier that are matched


def celeba_networks(image_shape=(64, 64, 3), latent_dim=500, widths=(32, 64, 128, 256)):
    """The paper's auto-encoder: at each level two convolutions and one that halves the sides.

    All convolutions but the halving ones are 3×3, weights start as N(0, 0.033²). The decoder
    mirrors the encoder and ends in a 1×1 convolution with a sigmoid.

    Args:
        image_shape: (height, width, channels), sides that are multiples of 2^levels.
        latent_dim: number of latents.
        widths: channels of each level.

    Returns:
        Dict with the `encoder` and `decoder` that `VAE` and `DiscriminativeVAE` take.

    Raises:
        ValueError: if a size is out of range.

    Reference: Lamb et al., 2016, and their release.
    """
    height, width, channels = _check_sizes(image_shape, len(widths))
    map_shape = (height >> len(widths), width >> len(widths), widths[-1])
    encoder, decoder = [], []
    for filters in widths:
        encoder += [*_conv(filters), *_conv(filters), *_conv(filters, kernel=2, strides=2)]
    encoder += [layers.Flatten(), *_dense(1000), _posterior(latent_dim)]
    decoder += [*_dense(1000), *_dense(math.prod(map_shape)), layers.Reshape(map_shape)]
    for filters in reversed(widths):
        up = UpConv2D(filters, 2, strides=2, use_bias=False, kernel_initializer=_kernel())
        decoder += [*_conv(filters), *_conv(filters), *_normalized(up)]
    decoder += _image(channels, layers.Conv2D(channels, 1, kernel_initializer=_kernel()))
    return _networks(image_shape, latent_dim, encoder, decoder)


def small_networks(image_shape=(28, 28, 1), latent_dim=32, widths=(32, 64), hidden=256):
    """A small auto-encoder for 28×28 and 32×32: one convolution, 4×4 with stride 2, a level.

    Args:
        image_shape: (height, width, channels), sides that are multiples of 2^levels.
        latent_dim: number of latents.
        widths: channels of each level.
        hidden: width of the dense layer on both sides.

    Returns, raises: as `celeba_networks`.
    """
    height, width, channels = _check_sizes(image_shape, len(widths))
    map_shape = (height >> len(widths), width >> len(widths), widths[-1])
    encoder = [layer for filters in widths for layer in _conv(filters, kernel=4, strides=2)]
    encoder += [layers.Flatten(), *_dense(hidden), _posterior(latent_dim)]
    decoder = [*_dense(hidden), *_dense(math.prod(map_shape)), layers.Reshape(map_shape)]
    for filters in reversed(widths[:-1]):
        up = UpConv2D(filters, 4, strides=2, use_bias=False, kernel_initializer=_kernel())
        decoder += _normalized(up)
    decoder += _image(channels, UpConv2D(channels, 4, strides=2, kernel_initializer=_kernel()))
    return _networks(image_shape, latent_dim, encoder, decoder)


def classifier_network(image_shape=(64, 64, 3), num_outputs=40):
    """The paper's classifier, with logits: three pairs of convolutions, the second of a pair with
    stride 2, and a dense layer of 1000; dropout after each pair and the dense layer.

    Its features are the layers `norm_2`, `norm_4` and `norm_6`, the batch normalisations of the
    second convolutions, before the ReLU. Images of sides below 32, for which its convolutions
    without padding are too many, are first padded with zeros to 32.

    Args:
        image_shape: (height, width, channels).
        num_outputs: number of classes, or of labels that are each true or false (40 of CelebA).

    Returns:
        A built `keras.Model` from images in [0, 1] to logits (batch, num_outputs).

    Raises:
        ValueError: if a size is out of range.

    Reference: Lamb et al., 2016, and their release.
    """
    check_int("num_outputs", num_outputs)
    height, width, _ = _check_sizes(image_shape)
    x = image = keras.Input(image_shape, name="image")
    missing = [max(0, 32 - side) for side in (height, width)]
    if any(missing):
        x = layers.ZeroPadding2D(tuple((m // 2, m - m // 2) for m in missing), name="pad")(x)
    stack = [(32, 4, 1), (32, 3, 2), (64, 4, 1), (64, 3, 2), (128, 3, 1), (128, 3, 2)]
    for i, (filters, kernel, strides) in enumerate(stack, start=1):
        x = layers.Conv2D(filters, kernel, strides, use_bias=False, name=f"conv_{i}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm_{i}")(x)
        x = layers.ReLU(name=f"relu_{i}")(x)
        if i % 2 == 0:
            x = layers.Dropout(0.5, name=f"dropout_{i}")(x)
    x = layers.Dense(1000, use_bias=False, name="dense")(layers.Flatten()(x))
    x = layers.BatchNormalization(momentum=0.9, name="norm_dense")(x)
    x = layers.Dropout(0.5, name="dropout_dense")(layers.ReLU(name="relu_dense")(x))
    logits = layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="classifier")


def evaluator_network(image_shape=(28, 28, 1), num_outputs=10, widths=(24, 48, 96)):
    """A classifier of another kind, with logits, for independent evaluation: at each level two
    padded 3×3 convolutions added to a 1×1 one (a residual block) and a pooling.

    Its features are the layer `features`, (batch, widths[-1]), the mean over places.

    Args:
        image_shape: (height, width, channels).
        num_outputs: as in `classifier_network`.
        widths: channels of each level.

    Returns, raises: as `classifier_network`.
    """
    check_int("num_outputs", num_outputs)
    _check_sizes(image_shape)
    x = image = keras.Input(image_shape, name="image")
    for filters in widths:
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        y = layers.Activation("silu")(layers.BatchNormalization(momentum=0.9)(y))
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
        y = layers.BatchNormalization(momentum=0.9)(y)
        x = layers.Add()([y, layers.Conv2D(filters, 1, use_bias=False)(x)])
        x = layers.AveragePooling2D(2)(layers.Activation("silu")(x))
    x = layers.GlobalAveragePooling2D(name="features")(x)
    logits = layers.Dense(num_outputs, dtype="float32", name="logits")(layers.Dropout(0.2)(x))
    return keras.Model(image, logits, name="evaluator")


def average_pooled(features):
    """The same `FeatureNetwork` with average in place of maximum pooling, as the release's VGG."""

    def layer(old):
        if isinstance(old, layers.MaxPooling2D):
            return layers.AveragePooling2D.from_config(old.get_config())
        return type(old).from_config(old.get_config())

    network = keras.models.clone_model(features.network, clone_function=layer)
    network.set_weights(features.network.get_weights())
    network.trainable = False
    return FeatureNetwork(network, list(features.layer_names), features.preprocessing)


NETWORKS = {"celeba": celeba_networks, "small": small_networks}


def _networks(image_shape, latent_dim, encoder, decoder):
    image, code = keras.Input(tuple(image_shape)), keras.Input((latent_dim,))
    return {
        "encoder": keras.Sequential([image, *encoder], name="encoder"),
        "decoder": keras.Sequential([code, *decoder], name="decoder"),
    }


def _conv(filters, kernel=3, strides=1):
    settings = {"use_bias": False, "kernel_initializer": _kernel(), "padding": "same"}
    return _normalized(layers.Conv2D(filters, kernel, strides, **settings))


def _dense(units):
    return _normalized(layers.Dense(units, use_bias=False, kernel_initializer=_kernel()))


def _normalized(layer):
    return [layer, layers.BatchNormalization(momentum=0.9), layers.ReLU()]


def _posterior(latent_dim):
    check_int("latent_dim", latent_dim)
    return layers.Dense(2 * latent_dim, kernel_initializer=_kernel(), dtype="float32")


def _image(channels, layer):
    return [layer, layers.Activation("sigmoid", dtype="float32")]


def _kernel():
    # A new one for each layer: the same object draws the same values again.
    return keras.initializers.RandomNormal(0.0, INITIAL_STD)


def _check_sizes(image_shape, levels=None):
    """Height, width and channels, of images that are to be halved `levels` times."""
    check_channels_last("the discriminative VAE")
    if not isinstance(image_shape, (tuple, list)) or len(image_shape) != 3:
        raise ValueError(
            f"`image_shape` must be (height, width, channels). Received: image_shape={image_shape}"
        )
    height, width, channels = (check_int("image_shape", side) for side in image_shape)
    if levels is not None and levels < 1:
        raise ValueError("`widths` must have at least one level. Received: none")
    levels = levels or 0
    if height % 2**levels or width % 2**levels:
        raise ValueError(
            f"`image_shape` must have sides that are multiples of {2**levels}, for {levels} "
            f"levels. Received: image_shape={tuple(image_shape)}"
        )
    return height, width, channels
