"""Images from TensorFlow Datasets, which is imported only when it is used."""

import itertools

import numpy as np
from PIL import Image

from keras_disentangle._extras import install
from keras_disentangle.datasets._image_arrays import as_uint8_images, fit_picture

TFDS_NAMES = {
    "mnist": "mnist",
    "fashion_mnist": "fashion_mnist",
    "cifar10": "cifar10",
    "svhn": "svhn_cropped",
    "celeb_a": "celeb_a",
}


def read_tfds(name, split, data_dir, image_shape, attributes=False):
    """Images and labels (`None` if there are none) of a data set in `TFDS_NAMES`; with
    `attributes`, attributes (n, k) in the order of their names instead of labels."""
    tfds, builder = _prepare_images(name, data_dir)
    try:
        examples = tfds.as_numpy(builder.as_dataset(split=split))
    except ValueError as error:
        raise _no_split(split, name, builder) from error

    labels = []

    def pictures():
        for example in examples:
            if attributes:
                known = example.get("attributes", {})
                labels.append([known[key] for key in sorted(known)])
            else:
                labels.append(example.get("label", -1))
            image = example["image"]
            if image_shape is not None and image.shape != image_shape:
                image = fit_picture(Image.fromarray(image.squeeze()), image_shape)
            yield image

    # Into one growing array: a list of CelebA's images and their stack would need twice the memory.
    pictures = pictures()
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"`split` must hold images. Received: split={split!r} of {name}, empty")
    dtype = np.dtype((np.uint8, first.shape))
    images = np.fromiter(itertools.chain([first], pictures), dtype)
    images = as_uint8_images(images, name)
    missing = [] if attributes else -1
    return images, None if missing in labels else np.array(labels, np.int64)


def tfds_files(name, split, data_dir):
    """The paths of the files of records of a data set in `TFDS_NAMES`."""
    _, builder = _prepare_images(name, data_dir)
    if split not in builder.info.splits:
        raise _no_split(split, name, builder)
    return [str(path) for path in builder.info.splits[split].filepaths]


def _prepare_images(name, data_dir):
    remedy = (
        f"put {name}.npz (arrays x_train, y_train, x_test, y_test), {name}.zip or a folder {name} "
        "(train/<class>/*.png, test/<class>/*.png) into a folder, and give that as data_dir"
    )
    return prepare(name, TFDS_NAMES[name], data_dir, remedy)


def _no_split(split, name, builder):
    return ValueError(
        f"`split` must be one of {sorted(builder.info.splits)}, those of {name}. "
        f"Received: {split!r}"
    )


def prepare(name, tfds_name, data_dir, remedy):
    """The module TensorFlow Datasets, and its builder of a data set, downloaded if necessary.

    Args:
        name, tfds_name: the data set's name for the user and in TensorFlow Datasets.
        data_dir: folder in which TensorFlow Datasets stores its data.
        remedy: advice in the errors on how to do without it.

    Raises:
        FileNotFoundError: if the data are not available.
        ImportError: if tensorflow_datasets is not installed.
    """
    try:
        import tensorflow_datasets as tfds

        builder = tfds.builder(tfds_name, data_dir=data_dir)
        builder.download_and_prepare()
    except ImportError as error:
        raise ImportError(
            f"{name!r} is not in data_dir={data_dir!r}, and TensorFlow Datasets lacks a package "
            f"({error}). Either {install('datasets')}; or {remedy}"
        ) from error
    except Exception as error:  # no network, a moved file, a changed checksum, a full disk …
        raise FileNotFoundError(
            f"{name!r} is not in data_dir={data_dir!r}, and TensorFlow Datasets could not prepare "
            f"it ({type(error).__name__}: {str(error)[:200]}). Either try again with network; or "
            f"{remedy}"
        ) from error
    return tfds, builder
