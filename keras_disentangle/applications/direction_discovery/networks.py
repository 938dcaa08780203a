"""The network that the baseline recognises directions with."""

import keras
from keras import layers

from keras_disentangle._image_format import check_channels_last


def reconstructor(image_shape, num_directions, width=32):
    """Two images, side by side in their channels, to [logits of the direction, step].

    A small network in the manner of LeNet, which Voynov and Babenko (2020) take for MNIST, with
    strided convolutions and batch normalisation.

    Args:
        image_shape: (height, width, channels) of one image.
        num_directions: N, the width of the logits.
        width: feature maps of the first convolution; each later one has twice as many.

    Returns:
        A functional model from (batch, h, w, 2c) to [(batch, N), (batch, 1)], in float32.
    """
    check_channels_last("the reconstructor")
    height, breadth, channels = image_shape
    images = x = keras.Input((height, breadth, 2 * channels), name="images")
    for i in range(3):
        x = layers.Conv2D(width << i, 5, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(8 * width, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    logits = layers.Dense(num_directions, dtype="float32", name="logits")(x)
    step = layers.Dense(1, dtype="float32", name="step")(x)
    return keras.Model(images, [logits, step], name="reconstructor")
