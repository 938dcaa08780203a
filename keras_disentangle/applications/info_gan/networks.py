"""The networks of InfoGAN, layer by layer as in Tables 1 to 4 and 6 of the paper.

Every function returns a dict with a built generator and discriminator. The generator maps a latent
vector (batch, latent_dim) to an image; the discriminator maps an image to its logit (batch, 1) and
to the features of its last hidden layer (batch, n), from which a `QHead` reads the codes.

Batch normalisation comes before the nonlinearity, and what it follows has no bias. A table's
up-convolution without a stride has stride 1, unless it is the last one, which doubles the sides.
The outputs are float32 under mixed precision too, but for the features.
"""

import keras
from keras import layers

from keras_disentangle._arguments import check_int
from keras_disentangle._image_format import check_channels_last
from keras_disentangle.layers import UpConv2D

KERNEL = 4
KERNEL_STD = 0.02
SLOPE = 0.1


def mnist_networks(latent_dim=74):
    """Table 1: 28×28 grey images in [0, 1].

    Args:
        latent_dim: width of the latent space, >= 1.

    Returns:
        Dict with "generator" and "discriminator", which has 1024 features.

    Raises:
        ValueError: if `latent_dim` is out of range.

    Example:

    >>> networks = mnist_networks()
    >>> logits, features = networks["discriminator"](networks["generator"](np.zeros((8, 74))))

    Reference: Chen et al., 2016 (InfoGAN), appendix C.
    """
    generator = [
        *_dense(1024),
        *_dense(7 * 7 * 128),
        layers.Reshape((7, 7, 128)),
        *_up(64),
        *_image(1, "sigmoid"),
    ]
    discriminator = [
        *_down(64, normalized=False),
        *_down(128),
        layers.Flatten(),
        *_dense(1024, slope=SLOPE),
    ]
    return _networks(latent_dim, generator, (28, 28, 1), discriminator)


def svhn_networks(latent_dim=168):
    """Table 2: 32×32 colour images in [-1, 1]; 4096 features. Otherwise as `mnist_networks`."""
    generator = [
        *_dense(2 * 2 * 448),
        layers.Reshape((2, 2, 448)),
        *_up(256),
        *_up(128, normalized=False),
        *_up(64, normalized=False),
        *_image(3, "tanh"),
    ]
    discriminator = [
        *_down(64, normalized=False),
        *_down(128),
        *_down(256),
        layers.Flatten(),
    ]
    return _networks(latent_dim, generator, (32, 32, 3), discriminator)


def celeb_a_networks(latent_dim=228):
    """Table 3, which has the layers of Table 2: see `svhn_networks`."""
    return svhn_networks(latent_dim)


def faces_networks(latent_dim=133):
    """Table 4: 32×32 grey images in [0, 1]; 1024 features. Otherwise as `mnist_networks`."""
    generator = [
        *_dense(1024),
        *_dense(8 * 8 * 128),
        layers.Reshape((8, 8, 128)),
        *_up(64),
        *_image(1, "sigmoid"),
    ]
    discriminator = [
        *_down(64, normalized=False),
        *_down(128),
        layers.Flatten(),
        *_dense(1024, slope=SLOPE),
    ]
    return _networks(latent_dim, generator, (32, 32, 1), discriminator)


def chairs_networks(latent_dim=189):
    """Table 6: 64×64 grey images in [0, 1]; 1024 features. Otherwise as `mnist_networks`."""
    generator = [
        *_dense(1024),
        *_dense(8 * 8 * 256),
        layers.Reshape((8, 8, 256)),
        *_up(256, strides=1),
        *_up(256, strides=1),
        *_up(128),
        *_up(64),
        *_image(1, "sigmoid"),
    ]
    discriminator = [
        *_down(64, normalized=False),
        *_down(128),
        *_down(256),
        *_down(256, strides=1),
        *_down(256, strides=1),
        layers.Flatten(),
        *_dense(1024, slope=SLOPE),
    ]
    return _networks(latent_dim, generator, (64, 64, 1), discriminator)


NETWORKS = {
    "mnist": mnist_networks,
    "svhn": svhn_networks,
    "celeb_a": celeb_a_networks,
    "faces": faces_networks,
    "chairs": chairs_networks,
}


def _networks(latent_dim, generator, image_shape, trunk):
    check_channels_last("InfoGAN")
    latent = keras.Input((check_int("latent_dim", latent_dim),))
    image = keras.Input(image_shape)
    features = _chain(image, trunk)
    # In full precision, as the losses need the logit.
    logit = layers.Dense(1, kernel_initializer=_kernel(), dtype="float32")(features)
    return {
        "generator": keras.Model(latent, _chain(latent, generator), name="generator"),
        "discriminator": keras.Model(image, [logit, features], name="discriminator"),
    }


def _chain(x, stack):
    for layer in stack:
        x = layer(x)
    return x


def _dense(units, slope=0.0):
    return _hidden(layers.Dense, units, slope)


def _down(channels, strides=2, normalized=True):
    settings = {"kernel_size": KERNEL, "strides": strides, "padding": "same"}
    return _hidden(layers.Conv2D, channels, SLOPE, normalized, **settings)


def _up(channels, strides=2, normalized=True):
    settings = {"kernel_size": KERNEL, "strides": strides}
    return _hidden(UpConv2D, channels, 0.0, normalized, **settings)


def _image(channels, activation):
    return [
        UpConv2D(channels, KERNEL, strides=2, kernel_initializer=_kernel()),
        layers.Activation(activation, dtype="float32"),
    ]


def _hidden(layer, width, slope, normalized=True, **settings):
    """A layer, its batch normalisation and a ReLU, leaky if `slope` is above 0."""
    linear = layer(width, use_bias=not normalized, kernel_initializer=_kernel(), **settings)
    norm = [layers.BatchNormalization(momentum=0.9, epsilon=1e-5)] if normalized else []
    return [linear, *norm, layers.LeakyReLU(slope) if slope else layers.ReLU()]


def _kernel():
    # A new one for each layer: the same object draws the same values again.
    return keras.initializers.RandomNormal(0.0, KERNEL_STD)
