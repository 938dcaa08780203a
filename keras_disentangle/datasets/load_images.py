"""Images from files, folders and TensorFlow Datasets."""

import pathlib

import numpy as np

from keras_disentangle.datasets._image_arrays import check_image_shape
from keras_disentangle.datasets._image_files import has_images, read_array, read_path
from keras_disentangle.datasets._selection import as_path
from keras_disentangle.datasets._tensorflow_datasets import TFDS_NAMES, read_tfds


def load_images(name_or_path, split="train", data_dir=None, image_shape=None, attributes=False):
    """Loads images by name, or from a folder, a zip, an npz file or an array.

    A name is looked for in `data_dir`, as `<name>.npz`, `<name>.zip`, the folder `<name>`, or any
    of these with a longer name (`cifar10_jpg.zip`); then in TensorFlow Datasets, which downloads it
    the first time (`pip install "keras_disentangle[datasets]"`).

    Folders, and zips of them, are read as `split/class/*.png`, `class/*.png` or `*.png` (any usual
    image format); npz files as `x_train, y_train, x_test, y_test`, or as `images` or `imgs` with
    optional `labels`. What has no splits is all "train". Folders are splits if all of them, or
    several, are named so ("train", "test", "val", "valid", "validation"), or one that is holds
    folders itself; a single one among others is a class.

    Pictures are read as they are meant to be seen: turned as their EXIF orientation says,
    transparent pixels laid on white, 16 bits a channel scaled to 8. Of animations, the first frame
    is taken, with a warning. Links to other folders are followed.

    Args:
        name_or_path: "mnist", "fashion_mnist", "cifar10", "svhn", "celeb_a"; a path; or an array
            (n, h, w) or (n, h, w, c) of uint8, or of floats in [0, 1].
        split: "train", "test" or another that the data has.
        data_dir: folder with data files, or one where TensorFlow Datasets keeps or puts its own.
        image_shape: (height, width, channels), channels 1 or 3. Images are cropped around their
            centre to this aspect, resized (Lanczos), and turned grey or to colour. For CelebA and a
            square, that is the usual crop, 178×178. By default they are left as they are.
        attributes: whether a data set by name from TensorFlow Datasets gives its attributes in
            place of labels: for CelebA 40, in alphabetic order.

    Returns:
        `(images, labels)`: uint8 (n, h, w, c), and int64 (n,), or None if the data has no classes.
        The classes of a folder are numbered in the order of their names. Attributes are (n, k), 0
        or 1; they are ignored where there is a file or folder.

    Raises:
        ValueError: for an unknown name, split or layout, a file or folder that is damaged, cannot
            be read or is a broken link (it is named), or images that are empty, constant, NaN or
            out of range.
        FileNotFoundError: if the path is not there, or the named data cannot be had; says which
            file to put where.
        ImportError: if the data is not in `data_dir` and tensorflow_datasets is not installed.

    Example:
        ```python
        images, labels = kd.datasets.load_images("mnist", data_dir="data", image_shape=(32, 32, 1))
        images, _ = kd.datasets.load_images("photos.zip", image_shape=(64, 64, 3))
        ```
    """
    if image_shape is not None:
        image_shape = check_image_shape(image_shape)
    if not isinstance(split, str):
        raise ValueError(f"`split` must be a string such as 'train'. Received: split={split!r}")
    if not isinstance(name_or_path, (str, pathlib.Path)):
        if not isinstance(name_or_path, np.ndarray):
            raise ValueError(
                "`name_or_path` must be a name, a path or a NumPy array. "
                f"Received: {type(name_or_path).__name__}"
            )
        return read_array(name_or_path, split, image_shape)
    if name_or_path in TFDS_NAMES:
        path = None if data_dir is None else _find(name_or_path, as_path("data_dir", data_dir))
        if path is None:
            return read_tfds(name_or_path, split, data_dir, image_shape, attributes)
        return read_path(path, split, image_shape)
    path = as_path("name_or_path", name_or_path)
    if path.exists():
        return read_path(path, split, image_shape)
    if isinstance(name_or_path, str) and len(path.parts) == 1 and not path.suffix:
        raise ValueError(
            f"`name_or_path` must be one of {sorted(TFDS_NAMES)}, a path that exists, or an array. "
            f"Received: {name_or_path!r}"
        )
    raise FileNotFoundError(f"`name_or_path`: there is no {path}")


def _find(name, data_dir):
    """The file or folder of `data_dir` that holds the named images, or None."""
    if not data_dir.is_dir():
        raise FileNotFoundError(
            f"`data_dir` must be a folder. Received: data_dir={str(data_dir)!r}"
        )
    exact = [data_dir / f"{name}.npz", data_dir / f"{name}.zip", data_dir / name]
    # "cifar10_jpg.zip" is cifar10, "cifar100.zip" is not.
    longer = sorted(path for mark in "_-." for path in data_dir.glob(f"{name}{mark}*"))
    for path in [*exact, *longer]:
        if path.suffix in (".npz", ".zip") and path.is_file():
            return path
        # TensorFlow Datasets keeps records, no image files, in a folder that may have this name.
        if path.is_dir() and has_images(path):
            return path
    return None
