"""Images from files, folders and TensorFlow Datasets."""

import pathlib

import numpy as np

from keras_disentangle._arguments import check_flag
from keras_disentangle.datasets._image_arrays import check_image_shape
from keras_disentangle.datasets._image_files import has_images, read_array, read_path
from keras_disentangle.datasets._selection import as_path
from keras_disentangle.datasets._tensorflow_datasets import TFDS_NAMES, read_tfds


def load_images(
    name_or_path,
    split="train",
    data_dir=None,
    image_shape=None,
    attributes=False,
    skip_damaged=False,
):
    """Loads images by name, or from a folder, a zip, an npz file or an array.

    A name is searched in `data_dir`, as `<name>.npz`, `<name>.zip`, the folder `<name>`, or any of
    these with a longer name (`cifar10_jpg.zip`); then in TensorFlow Datasets, which downloads it on
    first use (the extra `datasets`).

    Folders, and zips of them, are read as `split/class/*.png`, `class/*.png` or `*.png` (any usual
    image format); npz files as `x_train, y_train, x_test, y_test`, or as `images` or `imgs` with
    optional `labels`. Without splits, all images are "train". Folders are splits if all or several
    of them have the name of a split ("train", "test", "val", "valid", "validation"), or if one with
    such a name contains folders itself; a single one among others is a class.

    Images are decoded as they are meant to be displayed: rotated according to their EXIF
    orientation, transparent pixels drawn on white, 16 bits per channel scaled to 8. For animations,
    the first frame is used, with a warning. Links to other folders are followed.

    Args:
        name_or_path: "mnist", "fashion_mnist", "cifar10", "svhn", "celeb_a"; a path; or an array
            (n, h, w) or (n, h, w, c) of uint8, or of floats in [0, 1].
        split: "train", "test" or another that the data has.
        data_dir: folder with data files, or one in which TensorFlow Datasets stores its own.
        image_shape: (height, width, channels), channels 1 or 3. Images are cropped around their
            centre to this aspect ratio, resized (Lanczos), and converted to grey or colour. For
            CelebA and a square, this is the usual crop, 178×178. By default they are unchanged.
        attributes: whether a data set by name from TensorFlow Datasets returns its attributes in
            place of labels: for CelebA 40, in alphabetical order.
        skip_damaged: whether the files of a folder or zip that cannot be read are left out, with
            one warning that counts them. By default they are an error, which does so too.

    Returns:
        `(images, labels)`: uint8 (n, h, w, c), and int64 (n,), or `None` if the data have no
        classes. The classes of a folder are numbered in the order of their names. Attributes are
        (n, k), 0 or 1; they are not available from a file or folder.

    Raises:
        ValueError: for an unknown name, split or layout, a file or folder that is damaged,
            unreadable or a broken link (the error names it, and counts such files), or images that
            are empty, constant, NaN or out of range.
        FileNotFoundError: if the path does not exist, or the named data are not available; the
            error says which file to put where.
        ImportError: if the data are not in `data_dir` and tensorflow_datasets is not installed.

    Example:

    >>> images, labels = kd.datasets.load_images("mnist", data_dir="data", image_shape=(32, 32, 1))
    >>> images, _ = kd.datasets.load_images("photos.zip", image_shape=(64, 64, 3))
    """
    if image_shape is not None:
        image_shape = check_image_shape(image_shape)
    check_split_name(split)
    check_flag("skip_damaged", skip_damaged)
    if not isinstance(name_or_path, (str, pathlib.Path)):
        if not isinstance(name_or_path, np.ndarray):
            raise ValueError(
                "`name_or_path` must be a name, a path or a NumPy array. "
                f"Received: {type(name_or_path).__name__}"
            )
        return read_array(name_or_path, split, image_shape)
    path = located(name_or_path, data_dir)
    if path is None:
        return read_tfds(name_or_path, split, data_dir, image_shape, attributes)
    return read_path(path, split, image_shape, skip_damaged)


def check_split_name(split):
    """`split` if it is a string, or a ValueError."""
    if not isinstance(split, str):
        raise ValueError(f"`split` must be a string such as 'train'. Received: split={split!r}")
    return split


def located(name_or_path, data_dir):
    """The file or folder of a name or path, or `None` if only TensorFlow Datasets may have it.

    Raises:
        ValueError: if it is neither a known name nor a path.
        FileNotFoundError: if the path does not exist, or `data_dir` is no folder.
    """
    if name_or_path in TFDS_NAMES:
        return None if data_dir is None else _find(name_or_path, as_path("data_dir", data_dir))
    path = as_path("name_or_path", name_or_path)
    if path.exists():
        return path
    if isinstance(name_or_path, str) and len(path.parts) == 1 and not path.suffix:
        raise ValueError(
            f"`name_or_path` must be one of {sorted(TFDS_NAMES)}, a path that exists, or an array. "
            f"Received: {name_or_path!r}"
        )
    raise FileNotFoundError(f"`name_or_path`: there is no {path}")


def _find(name, data_dir):
    """The file or folder in `data_dir` with the named images, or `None`."""
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
        # A folder of this name may hold TensorFlow Datasets' records, which are not image files.
        if path.is_dir() and has_images(path):
            return path
    return None
