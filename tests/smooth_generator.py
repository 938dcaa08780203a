"""A smooth generator whose derivatives are known, for the measures of generators and their
pictures."""

import numpy as np

DIM = 4
IMAGE_SHAPE = (3, 2, 3)
_RNG = np.random.default_rng(2020)
_A, _B = _RNG.normal(size=(2, DIM, *IMAGE_SHAPE)) / 2


def smooth_generator(z):
    """Images (n, 3, 2, 3) in [0, 1], float64: the sine and the cosine of two linear maps."""
    z = np.asarray(z, "float64")
    return 0.5 + 0.5 * np.sin(np.tensordot(z, _A, 1)) * np.cos(np.tensordot(z, _B, 1))


def smooth_hessian(z):
    """The second derivatives (n, 3, 2, 3, d, d) of `smooth_generator`."""
    a, b = np.tensordot(z, _A, 1)[..., None, None], np.tensordot(z, _B, 1)[..., None, None]
    products = {}
    for name, first, second in (("aa", _A, _A), ("bb", _B, _B), ("ab", _A, _B), ("ba", _B, _A)):
        products[name] = np.einsum("i...,j...->...ij", first, second)
    curved = -np.sin(a) * np.cos(b) * (products["aa"] + products["bb"])
    mixed = -np.cos(a) * np.sin(b) * (products["ab"] + products["ba"])
    return 0.5 * (curved + mixed)


def normalizing_generator(z):
    """The images of z at unit mean square, as of a generator that normalises its input."""
    z = np.asarray(z, "float64")
    return smooth_generator(z / np.sqrt(np.mean(z**2, axis=1, keepdims=True)))


CODES = np.random.default_rng(2021).normal(size=(5, DIM))
