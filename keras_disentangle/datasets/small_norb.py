"""Small NORB, from its files or TensorFlow Datasets."""

import gzip
import math
import zlib

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.datasets._grid import grid_order, read_tfds_grid
from keras_disentangle.datasets._image_arrays import fit_images
from keras_disentangle.datasets._selection import as_path
from keras_disentangle.datasets.array_factor_dataset import ArrayFactorDataset

_NAMES = ("category", "instance", "elevation", "azimuth", "lighting")
_SIZES = (5, 10, 9, 18, 6)
_CHUNKS = (
    "smallnorb-5x46789x9x18x6x2x96x96-training",
    "smallnorb-5x01235x9x18x6x2x96x96-testing",
)
_LARGEST_SIZE = 1024
_TYPES = {"u1": 0x1E3D4C55, "<i4": 0x1E3D4C54}  # how a file begins, for the type of its numbers


class SmallNORB(ArrayFactorDataset):
    """Small NORB: 48,600 grey photographs of 50 toys, with all elevations, azimuths and lightings.

    The factors are category (`SmallNORB.CATEGORIES`), instance (10 toys in each category; equal
    indices in two categories are unrelated toys), elevation (9, from 30° to 70°), azimuth (18, in
    steps of 20°; the zero direction differs between toys) and lighting (6). The images are the left
    ones of the stereo pairs, of the training and test sets together.

    disentanglement_lib has the same factors except the instance, which it draws at random for each
    image; here an image depends on its index alone, so the instance is a factor.

    The published files are searched in `data_dir`: `smallnorb-5x46789x9x18x6x2x96x96-training-`
    and `smallnorb-5x01235x9x18x6x2x96x96-testing-`, each with `dat.mat`, `cat.mat` and `info.mat`,
    or these with `.gz`. If there is none, TensorFlow Datasets is used, which downloads them on
    first use (the extra `datasets`).

    Args:
        data_dir: folder with the published files, or in which TensorFlow Datasets stores its own.
        image_size: height and width in pixels, up to 1024, to which the photographs, 96×96, are
            resized as in `load_images`.

    Raises:
        ValueError: if a file is damaged or has other content, or there is not exactly one image for
            each combination of factors.
        FileNotFoundError: if some of the files are missing, or the data are not available.
        ImportError: if the files are not in `data_dir` and tensorflow_datasets is not installed.

    Example:

    >>> data = kd.datasets.SmallNORB("small_norb")
    >>> images = data.images([0, 1, 2])  # (3, 64, 64, 1) uint8

    Reference: LeCun, Huang & Bottou, Learning Methods for Generic Object Recognition with
    Invariance to Pose and Lighting, CVPR 2004.
    """

    CATEGORIES = ("four-legged animal", "human figure", "airplane", "truck", "car")

    def __init__(self, data_dir=None, image_size=64):
        size = check_int("image_size", image_size, maximum=_LARGEST_SIZE)
        shape = (size, size, 1)
        folder = None if data_dir is None else as_path("data_dir", data_dir)
        if folder is not None and any(folder.glob("smallnorb-5x*")):
            images = _read_files(folder, shape)
        else:
            labels = ["instance" if name == "instance" else f"label_{name}" for name in _NAMES]
            remedy = f"put {_CHUNKS[0]}-dat.mat and its five companions into data_dir"
            images = read_tfds_grid(
                "smallnorb", ("train", "test"), labels, _SIZES, shape, data_dir, remedy
            )
        super().__init__(images, _SIZES, _NAMES)


def _read_files(folder, image_shape):
    images, labels = [], []
    for chunk in _CHUNKS:
        category = _read_matrix(folder, f"{chunk}-cat.mat", "<i4", (None,))
        count = len(category)
        info = _read_matrix(folder, f"{chunk}-info.mat", "<i4", (count, 4))
        pairs = _read_matrix(folder, f"{chunk}-dat.mat", "u1", (count, 2, None, None))
        images.append(fit_images(pairs[:, 0, :, :, None], image_shape))
        labels.append(np.column_stack([category, info]))
    labels = np.concatenate(labels)
    labels[:, 3] //= 2  # azimuths count tens of degrees: 0, 2, …, 34
    try:
        index = grid_order(labels, _SIZES)
    except ValueError as error:
        raise ValueError(f"{folder}: the labels of small NORB: {error}") from error
    return np.concatenate(images)[index]


def _read_matrix(folder, name, dtype, shape):
    """The array of a file: type, number of axes, sizes (at least three), values, little-endian.

    `shape` is the expected shape, with `None` for any size.
    """
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    if not found:
        raise FileNotFoundError(f"`data_dir` must hold {name} or {name}.gz. Received: {folder}")
    path = found[0]
    axes = len(shape)
    start = 4 * (2 + max(3, axes))
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            head = file.read(start)
            header = np.frombuffer(head, "<i4", count=min(2 + axes, len(head) // 4)).tolist()
            sizes = tuple(header[2:])
            size = math.prod(sizes) * np.dtype(dtype).itemsize
            fits = (
                header[:2] == [_TYPES[dtype], axes]
                and len(sizes) == axes
                and all(n >= 1 and n == (want or n) for want, n in zip(shape, sizes, strict=True))
                # Deflate never packs more than 1032 bytes into one.
                and size <= 1032 * path.stat().st_size
            )
            content = file.read(size + 1) if fits else b""
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not readable: {error}") from error
    if not fits or len(content) != size:
        wanted = ", ".join("n" if size is None else str(size) for size in shape)
        raise ValueError(
            f"{path} must hold numbers of shape ({wanted}) after a header "
            f"[{_TYPES[dtype]}, {axes}, {wanted}]. "
            f"Received: {len(head) + len(content)} bytes, header {header}"
        )
    return np.frombuffer(content, dtype).reshape(sizes)
