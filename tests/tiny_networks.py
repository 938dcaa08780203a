"""Networks that train within a test."""

import math

import keras
import numpy as np
from keras import layers
from tabled_random import noise_table

from keras_disentangle.applications.progressive_gan.networks import (
    ProgressiveDiscriminator,
    ProgressiveGenerator,
)
from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.layers import ProjectionHead, UpConv2D

IMAGE_SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).random((16, *IMAGE_SHAPE), dtype="float32")


def network(input_shape, *stack):
    return keras.Sequential([keras.Input(input_shape), *stack])


def dense(input_shape, units, activation="tanh", reshape=None):
    """One dense layer from anything flattened to (units,) or the shape `reshape`."""
    flatten = [layers.Flatten()] if len(input_shape) > 1 else []
    end = [layers.Reshape(reshape)] if reshape else []
    return network(input_shape, *flatten, layers.Dense(units, activation), *end)


def flat_networks(latent_dim, image_shape=IMAGE_SHAPE):
    """Encoder and decoder of a VAE, with a strided and a transposed convolution."""
    h, w, channels = image_shape
    return {
        "encoder": network(
            image_shape,
            layers.Conv2D(3, 4, strides=2, padding="same", activation="tanh"),
            layers.Flatten(),
            layers.Dense(2 * latent_dim),
        ),
        "decoder": network(
            (latent_dim,),
            layers.Dense(h * w // 4 * 3, "tanh"),
            layers.Reshape((h // 2, w // 2, 3)),
            UpConv2D(channels, 4, strides=2),
        ),
    }


def conv_ladder(rung_sizes=(3, 2)):
    """A ladder of two rungs: levels of 4×4 and 2×2 pixels."""
    top, bottom = rung_sizes

    def down(shape):
        return network(shape, layers.Conv2D(3, 4, strides=2, padding="same", activation="tanh"))

    return {
        "encoder_blocks": [down(IMAGE_SHAPE), down((4, 4, 3))],
        "posteriors": [
            dense((4, 4, 3), 2 * bottom, None),
            dense((2, 2, 3), 2 * top, None),
        ],
        "latent_maps": [
            dense((bottom,), 48, reshape=(4, 4, 3)),
            dense((top,), 12, reshape=(2, 2, 3)),
        ],
        "decoder_blocks": [
            network((4, 4, 6), UpConv2D(1, 4, strides=2)),
            network((2, 2, 3), UpConv2D(3, 4, strides=2, activation="tanh")),
        ],
    }


def dense_ladder(rung_sizes=(3, 2, 4), widths=(6, 5, 4)):
    """A ladder of any number of rungs, one dense layer a network; `widths` from level 1 up."""
    num_rungs = len(rung_sizes)
    widths, sizes = widths[:num_rungs], rung_sizes[::-1]
    pixels = int(np.prod(IMAGE_SHAPE))
    below = [IMAGE_SHAPE, *((width,) for width in widths)]
    # The map of a rung is as wide as its level; every decoder level as wide as the one below it.
    read = [*(2 * width for width in widths[:-1]), widths[-1]]
    return {
        "encoder_blocks": [dense(below[i], widths[i]) for i in range(num_rungs)],
        "posteriors": [dense((widths[i],), 2 * sizes[i], None) for i in range(num_rungs)],
        "latent_maps": [dense((sizes[i],), widths[i]) for i in range(num_rungs)],
        "decoder_blocks": [
            dense((read[i],), widths[i - 1])
            if i
            else dense((read[0],), pixels, None, reshape=IMAGE_SHAPE)
            for i in range(num_rungs)
        ],
    }


def frozen_classifier(image_shape=IMAGE_SHAPE):
    """With a batch normalisation `norm`, a dense layer `hidden`, and an output beyond both."""
    classifier = network(
        image_shape,
        layers.Conv2D(3, 2, strides=2, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.Activation("tanh"),
        layers.Flatten(),
        layers.Dense(4, "tanh", name="hidden"),
        layers.Dropout(0.5),
        layers.Dense(2, name="logits"),
    )
    rng = np.random.default_rng(2)
    for variable in classifier.get_layer("norm").weights:
        variable.assign(rng.uniform(0.2, 1.0, variable.shape))
    classifier.trainable = False
    return classifier


def make_space():
    """All kinds of codes, no two of one width, so that `table` draws them differently."""
    return LatentSpace([Normal(3), Categorical(4), Uniform(2), Normal(1, informative=True)])


def player_networks(width, batch_normalization=False, activation="sigmoid", features=False):
    """Generator from `width` latents and discriminator, each with a convolution.

    Neither a bias before batch normalisation nor one that a Wasserstein loss cancels: from a
    gradient that is nothing but rounding, Adam makes a whole step.
    """
    normalize = [layers.BatchNormalization(momentum=0.9)] if batch_normalization else []
    use_bias = not batch_normalization
    generator = network(
        (width,),
        layers.Dense(48, use_bias=use_bias),
        *normalize,
        layers.Activation("tanh"),
        layers.Reshape((4, 4, 3)),
        UpConv2D(1, 4, strides=2, activation=activation),
    )
    image = keras.Input(IMAGE_SHAPE)
    x = layers.Conv2D(3, 4, strides=2, padding="same", use_bias=use_bias)(image)
    if batch_normalization:
        x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Dense(5, "tanh")(layers.Flatten()(layers.Activation("tanh")(x)))
    logits = layers.Dense(1, use_bias=False)(x)
    outputs = [logits, x] if features else logits
    return {"generator": generator, "discriminator": keras.Model(image, outputs)}


def progressive_networks(width=3, resolution=8, channels=4):
    """Players with stages of 4×4 pixels and up, of equal width: fewer shapes to compile for."""
    stages = {"resolution": resolution, "image_channels": 1, "max_channels": channels}
    return {
        "generator": ProgressiveGenerator(width, **stages),
        "discriminator": ProgressiveDiscriminator(**stages),
    }


def two_layer_generator(width, trainable=True):
    """A dense generator with the layers `first` and `last`."""
    generator = network(
        (width,),
        layers.Dense(5, "tanh", name="first"),
        layers.Dense(math.prod(IMAGE_SHAPE), "sigmoid", name="last"),
        layers.Reshape(IMAGE_SHAPE, name="pixels"),
    )
    generator.trainable = trainable
    return generator


def conditional_generator(width, num_classes):
    """A frozen functional generator of [z, label], with the same embeddings on every backend."""
    z, label = keras.Input((width,), name="z"), keras.Input((), dtype="int32", name="label")
    embedding = layers.Embedding(num_classes, 3)
    x = layers.Concatenate()([z, embedding(label)])
    x = layers.Dense(math.prod(IMAGE_SHAPE), "tanh")(layers.Dense(6, "tanh")(x))
    generator = keras.Model([z, label], layers.Reshape(IMAGE_SHAPE, name="pixels")(x))
    embedding.set_weights([noise_table(3)[:num_classes]])
    generator.trainable = False
    return generator


def conditional_players(width, num_classes):
    """Players of a conditional GAN: labels as vectors, and as indices for a projection."""
    z, vector = keras.Input((width,)), keras.Input((num_classes,))
    x = layers.Dense(6, "tanh", name="first")(layers.Concatenate()([z, vector]))
    x = layers.Dense(math.prod(IMAGE_SHAPE), "sigmoid", name="last")(x)
    generator = keras.Model([z, vector], layers.Reshape(IMAGE_SHAPE)(x))
    image, index = keras.Input(IMAGE_SHAPE), keras.Input((), dtype="int32")
    features = layers.Dense(5, "tanh")(layers.Flatten()(image))
    logits = ProjectionHead(num_classes)(features, index)
    return {
        "generator": generator,
        "discriminator": keras.Model([image, index], [logits, features]),
    }


def conditional_flat_networks(latent_dim, num_classes):
    """Encoder and decoder of a conditional VAE: labels as vectors, and as a column of indices."""
    image, vector = keras.Input(IMAGE_SHAPE), keras.Input((num_classes,))
    x = layers.Concatenate()([layers.Flatten()(image), vector])
    encoder = keras.Model([image, vector], layers.Dense(2 * latent_dim)(x))
    z, index = keras.Input((latent_dim,)), keras.Input((1,))
    x = layers.Dense(6, "tanh")(layers.Concatenate()([z, index]))
    x = layers.Reshape(IMAGE_SHAPE)(layers.Dense(math.prod(IMAGE_SHAPE))(x))
    return {"encoder": encoder, "decoder": keras.Model([z, index], x)}


def reconstructor(num_directions):
    """From two images side by side in their channels to [logits, step]."""
    images = keras.Input((*IMAGE_SHAPE[:-1], 2 * IMAGE_SHAPE[-1]))
    x = layers.Dense(6, "tanh")(layers.Flatten()(images))
    return keras.Model(images, [layers.Dense(num_directions)(x), layers.Dense(1)(x)])
