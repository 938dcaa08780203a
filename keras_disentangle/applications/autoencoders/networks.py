"""The networks that all methods share: a small one for 32×32 pixels, and that of the large study.

That study is Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of
Disentangled Representations, ICML 2019. The small network is its convolutional one less a level,
with another activation.
"""

import math

import keras
from keras import layers

from keras_disentangle._image_format import check_channels_last
from keras_disentangle.applications.provlae.networks import ladder_networks
from keras_disentangle.layers import UpConv2D

# Of each level of the encoder: the side of the kernels and the channels. The strides are 2.
LEVELS = {
    "small": ((4, 32), (4, 32), (2, 64)),
    "locatello": ((4, 32), (4, 32), (2, 64), (2, 64)),
}
# Smooth, since second derivatives, which Tripod penalises, say nothing of a rectifier.
ACTIVATION = {"small": "elu", "locatello": "relu"}
HIDDEN = 256
# The widths of the rungs of ladders and of FactorVAE's discriminator, which would take most of the
# time of a small training.
RUNG = {"small": 128, "locatello": 256}
DISCRIMINATOR = {"small": 200, "locatello": 1000}


def networks(kind, image_shape, latent_dim, outputs=2):
    """An encoder and a decoder, as a dict of the arguments of `VAE`.

    Args:
        kind: "small" or "locatello".
        image_shape: (height, width, channels), sides multiples of 8, or of 16.
        latent_dim: number of latents.
        outputs: numbers that the encoder gives for each of them: 2 of a posterior, 1 of a code.

    Raises:
        ValueError: if the sides are not such multiples.
    """
    check_channels_last("Autoencoder")
    levels, activation = LEVELS[kind], ACTIVATION[kind]
    step = 2 ** len(levels)
    height, width, channels = image_shape
    if height % step or width % step:
        raise ValueError(
            f"`image_shape` must have sides that are multiples of {step} for networks={kind!r}. "
            f"Received: image_shape={tuple(image_shape)}"
        )
    encoder = [
        layers.Conv2D(filters, kernel, strides=2, padding="same", activation=activation)
        for kernel, filters in levels
    ]
    encoder += [
        layers.Flatten(),
        layers.Dense(HIDDEN, activation),
        layers.Dense(outputs * latent_dim),
    ]
    first = (height // step, width // step, levels[-1][1])
    # The names are those by which penalties find their layers: see `hidden_layers`.
    decoder = [
        layers.Dense(HIDDEN, activation, name="dense1"),
        layers.Dense(math.prod(first), activation, name="dense2"),
        layers.Reshape(first),
        *(
            UpConv2D(filters, 4, strides=2, activation=activation, name=f"up{i}")
            for i, (_, filters) in enumerate(levels[-2::-1], start=1)
        ),
        UpConv2D(channels, 4, strides=2),
    ]
    return {
        "encoder": keras.Sequential([keras.Input(image_shape), *encoder], name="encoder"),
        "decoder": keras.Sequential([keras.Input((latent_dim,)), *decoder], name="decoder"),
    }


def hidden_layers(kind):
    """The names of the layers of a decoder, but for its last, which gives the logits."""
    return ["dense1", "dense2", *(f"up{i}" for i in range(1, len(LEVELS[kind])))]


def ladder(kind, image_shape, latent_dim):
    """The networks of a ladder of three rungs, the most abstract of which has what is left over.

    Raises:
        ValueError: if there are fewer than three latents, or fewer than 8 pixels a side.
    """
    if latent_dim < 3:
        raise ValueError(
            f"`latent_dim` must be at least 3 for three rungs. Received: latent_dim={latent_dim}"
        )
    rung = latent_dim // 3
    sizes = (latent_dim - 2 * rung, rung, rung)
    return ladder_networks(image_shape, sizes, hidden=RUNG[kind], activation=ACTIVATION[kind])


def discriminator(kind, latent_dim):
    """That of FactorVAE: six layers of leaky ReLU, of slope 0.2, and two logits."""
    hidden = (layers.Dense(DISCRIMINATOR[kind], "leaky_relu") for _ in range(6))
    return keras.Sequential([keras.Input((latent_dim,)), *hidden, layers.Dense(2)])
