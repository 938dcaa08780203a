"""A factor data set of 40 images whose pixels are its factors, and models that know it."""

import numpy as np
from keras import ops

from keras_disentangle.datasets import ArrayFactorDataset

SIZES = (5, 4, 2)


def factor_images():
    """Images 8×8×1: each factor's value, from 0 to 250, fills some columns."""
    factors = np.stack(np.unravel_index(np.arange(40), SIZES), axis=1)
    pixels = (factors * np.array([50, 70, 250])).astype("uint8")
    columns = np.repeat(pixels, (3, 3, 2), axis=1)
    images = np.tile(columns[:, None, :, None], (1, 8, 1, 1))
    return ArrayFactorDataset(images, SIZES, ("hue", "size", "shape"))


class KnowingModel:
    """Encodes an image as its factors, each in a dimension of its own."""

    rung_sizes = (2, 1)
    std = 0.01

    def encode(self, x):
        pixels = 255 * np.asarray(ops.convert_to_numpy(x))[:, 0, (0, 3, 6), 0]
        mean = pixels / (50, 70, 250) - (2, 1.5, 0.5)
        log_var = np.full_like(mean, 2 * np.log(self.std))
        return mean.astype("float32"), log_var.astype("float32")


class IgnorantModel(KnowingModel):
    """Gives each image the same posterior, the prior."""

    def encode(self, x):
        return (np.zeros((len(x), 3), "float32"),) * 2
