"""The frames of the original dSprites, from its file or from TensorFlow Datasets."""

import math

import numpy as np

from keras_disentangle._files import open_npz
from keras_disentangle.datasets._grid import grid_order, read_tfds_grid
from keras_disentangle.datasets._selection import as_path
from keras_disentangle.datasets.array_factor_dataset import ArrayFactorDataset

_IMAGE_SHAPE = (64, 64)


def from_file(path, factor_sizes, factor_names):
    """An `ArrayFactorDataset` of the published npz file."""
    path = as_path("path", path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be the file of dSprites. There is no {path}")
    labels = _read(path, "latents_classes")
    count = math.prod(factor_sizes)
    # The first column is the colour, which is always white.
    if labels.shape != (count, 1 + len(factor_sizes)):
        raise ValueError(
            f"{path}: latents_classes must have shape {(count, 1 + len(factor_sizes))}: the "
            f"colour, and {', '.join(factor_names)}. Received: shape={labels.shape}"
        )
    try:
        index = grid_order(labels[:, 1:], factor_sizes)
    except ValueError as error:
        raise ValueError(f"{path}: latents_classes: {error}") from error
    images = _read(path, "imgs")
    if images.shape != (count, *_IMAGE_SHAPE) or images.dtype.kind not in "bu":
        raise ValueError(
            f"{path}: imgs must be unsigned integers of shape {(count, *_IMAGE_SHAPE)}. "
            f"Received: shape={images.shape}, dtype={images.dtype}"
        )
    if (np.diff(index) != 1).any():
        images = images[index]
    return _white(images[..., None], factor_sizes, factor_names)


def from_tfds(data_dir, factor_sizes, factor_names):
    """An `ArrayFactorDataset` of the same frames, from TensorFlow Datasets."""
    images = read_tfds_grid(
        "dsprites",
        ("train",),
        [f"label_{name}" for name in factor_names],
        factor_sizes,
        (*_IMAGE_SHAPE, 1),
        data_dir,
        "give the file dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz to DSprites.from_file",
    )
    return _white(images, factor_sizes, factor_names)


def _read(path, key):
    # The file's `metadata` is a pickle, which is not needed.
    with open_npz(path) as arrays:
        if key in arrays:
            return arrays[key]
        keys = list(arrays)
    raise ValueError(f"{path} must hold the arrays latents_classes and imgs. Received: {keys}")


def _white(images, factor_sizes, factor_names):
    """Converts 1, the original's white, to 255. In place, because the images take 3 GB."""
    if images.dtype == np.uint8 and images.max() == 1:
        images *= np.uint8(255)
    return ArrayFactorDataset(images, factor_sizes, factor_names)
