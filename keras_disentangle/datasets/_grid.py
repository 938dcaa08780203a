"""Labelled images of every combination of a few factors, in any order."""

import itertools
import math

import numpy as np
from PIL import Image

from keras_disentangle._tensors import to_numpy
from keras_disentangle.datasets._image_arrays import fit_picture
from keras_disentangle.datasets._tensorflow_datasets import prepare


def grid_order(labels, factor_sizes):
    """The row of each combination of factor values: `images[index]` is then in C order.

    Args:
        labels: integer factor values (n, k), each row once, n the product of the sizes.
        factor_sizes: number of values of each of the k factors.

    Returns:
        `index`, int64 (n,): row `index[i]` of `labels` is combination i, the last factor varying
        fastest.

    Raises:
        ValueError: if the labels are not integers of this shape or are out of range, or if a
            combination is missing or repeated.
    """
    labels = to_numpy("labels", labels)
    sizes = tuple(factor_sizes)
    if labels.ndim != 2 or labels.shape[1] != len(sizes) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` must be integers of shape (n, {len(sizes)}), one column for each factor. "
            f"Received: shape={labels.shape}, dtype={labels.dtype}"
        )
    outside = ((labels < 0) | (labels >= np.array(sizes))).any(axis=1)
    if outside.any():
        row = outside.argmax()
        raise ValueError(
            f"`labels` must lie in 0…size-1 for the sizes {sizes}. "
            f"Received: {labels[row].tolist()} for image {row}"
        )
    if len(labels) != math.prod(sizes):
        raise ValueError(
            f"`labels` must hold each combination of the sizes {sizes} once, {math.prod(sizes)} in "
            f"all. Received: {len(labels)} labels"
        )
    number = np.ravel_multi_index(tuple(labels.T), sizes)
    count = np.bincount(number, minlength=math.prod(sizes))
    if (count != 1).any():
        wrong = (count != 1).argmax()
        combination = [int(value) for value in np.unravel_index(wrong, sizes)]
        raise ValueError(
            f"`labels` must hold each combination of the sizes {sizes} once, {len(count)} in all. "
            f"Received: {len(labels)} labels, of which {count[wrong]} are {combination}"
        )
    index = np.empty(len(number), np.int64)
    index[number] = np.arange(len(number))
    return index


def read_tfds_grid(name, splits, labels, factor_sizes, image_shape, data_dir, remedy):
    """Images from TensorFlow Datasets of every combination of their labels, in C order.

    Args:
        name: name of the data set in TensorFlow Datasets.
        splits: names of the splits that form the grid.
        labels: keys of an example's k labels, in the order of the factors.
        factor_sizes: number of values of each of the k factors.
        image_shape: (height, width, channels) to which images are converted.
        data_dir: folder in which TensorFlow Datasets stores its data.
        remedy: advice in the error on how to do without TensorFlow Datasets.

    Returns:
        Images (n, h, w, c), uint8.

    Raises:
        ValueError: if the labels are not such a grid.
        FileNotFoundError: if the data are not available.
        ImportError: if tensorflow_datasets is not installed.
    """
    sizes = tuple(factor_sizes)
    images = np.empty((math.prod(sizes), *image_shape), np.uint8)
    rows = []
    tfds, builder = prepare(name, name, data_dir, remedy)
    parts = (tfds.as_numpy(builder.as_dataset(split=split)) for split in splits)
    for example in itertools.chain.from_iterable(parts):
        rows.append([int(example[key]) for key in labels])
        image = example["image"]
        if image.shape != image_shape:
            image = fit_picture(Image.fromarray(image.squeeze()), image_shape)
        # Stored at its place at once: sorting afterwards would need twice the memory. Labels out of
        # range are found at the end, together with missing and repeated ones.
        images[np.ravel_multi_index(rows[-1], sizes, mode="clip")] = image
    try:
        grid_order(np.reshape(rows, (-1, len(sizes))).astype(np.int64), sizes)
    except ValueError as error:
        raise ValueError(f"{name} of TensorFlow Datasets: {error}") from error
    return images
