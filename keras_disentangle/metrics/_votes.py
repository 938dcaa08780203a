"""Shared by the metrics that hold a factor fixed: draws of factors, and images encoded once."""

import numpy as np

from keras_disentangle._arguments import check_callable, check_int
from keras_disentangle._progress import progress
from keras_disentangle._tensors import to_numpy
from keras_disentangle.metrics._validation import check_matrix


def check_grid(dataset):
    """The number of values of each factor (k,) of a data set that has every combination."""
    missing = [name for name in ("factor_sizes", "index", "images") if not hasattr(dataset, name)]
    if missing:
        raise ValueError(
            "`dataset` must be a `FactorDataset`: this metric holds one factor fixed and changes "
            f"the others, so it needs images of every combination. Received: "
            f"{type(dataset).__name__}, without {', '.join(missing)}"
        )
    return np.array([check_int("dataset.factor_sizes", size) for size in dataset.factor_sizes])


def draw_fixed(sizes, num_votes, rng):
    """The factor that each vote holds fixed, (num_votes,): one with more than one value.

    Holding a constant factor fixed changes nothing: dimensions would win by chance.
    """
    varying = np.flatnonzero(sizes > 1)
    return varying[rng.integers(0, len(varying), size=num_votes)]


def draw_factors(sizes, shape, rng):
    """Random factor values (*shape, k); constant factors take no draws from `rng`."""
    varying = np.flatnonzero(sizes > 1)
    values = np.zeros((*shape, len(sizes)), np.int64)
    values[..., varying] = rng.integers(0, sizes[varying], size=(*shape, len(varying)))
    return values


def encode_factors(encode, dataset, factors, encode_batch):
    """Codes of the images with these factors (n, k); each distinct image is encoded once.

    Returns:
        Codes (m, d) of the m distinct images, and the row (n,) among them of each of the n images.
    """
    index = to_numpy("dataset.index(factors)", dataset.index(factors))
    index, inverse = np.unique(index, return_inverse=True)
    check_callable("encode", encode)
    codes = []
    for start in progress(range(0, len(index), encode_batch), "batches of votes"):
        images = dataset.images(index[start : start + encode_batch])
        images = to_numpy("dataset.images(index)", images)
        batch = check_matrix("encode(images)", encode(images.astype(np.float32) / 255.0))
        if len(batch) != len(images):
            raise ValueError(
                f"`encode` must return one code for each of the {len(images)} images it is given. "
                f"Received: encode(images).shape={batch.shape}"
            )
        codes.append(batch)
    return np.concatenate(codes), inverse
