"""The generator by which the releases of the penalties along directions were run."""

import keras
import numpy as np
from keras import layers

from keras_disentangle.layers import PixelNormalization


def draw():
    """The generator's weights, five points, and eight directions at each, all float32."""
    rng = np.random.default_rng(2020)
    weights = []
    for shape in ((6, 128), (3, 3, 8, 8), (3, 3, 8, 4), (1, 1, 4, 3)):
        weights.append(rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1])))
        weights.append(0.1 * rng.normal(size=shape[-1]))
    z = rng.normal(size=(5, 6))
    directions = rng.choice([-1.0, 1.0], size=(8, 5, 6))
    return [w.astype("float32") for w in weights], z.astype("float32"), directions.astype("float32")


WEIGHTS, Z, DIRECTIONS = draw()


def generator(dtype=None):
    """Images of 16 x 16, and what leaves each normalisation: a dict of four activations."""

    def normalized(x, i):
        x = layers.LeakyReLU(0.2, dtype=dtype)(x)
        return PixelNormalization(name=f"norm_{i}", dtype=dtype)(x)

    inputs = keras.Input((6,))
    x = layers.Reshape((4, 4, 8), dtype=dtype)(layers.Dense(128, dtype=dtype)(inputs))
    found = {"norm_0": normalized(x, 0)}
    for i, channels in ((1, 8), (2, 4)):
        x = layers.UpSampling2D(dtype=dtype)(found[f"norm_{i - 1}"])
        x = layers.Conv2D(channels, 3, padding="same", dtype=dtype)(x)
        found[f"norm_{i}"] = normalized(x, i)
    found["image"] = layers.Conv2D(3, 1, name="image", dtype=dtype)(found["norm_2"])
    model = keras.Model(inputs, found)
    model.set_weights(WEIGHTS)
    return model
