"""3D Shapes, rendered or from the original files."""

import colorsys
import math

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._files import open_npz
from keras_disentangle._progress import progress
from keras_disentangle._weights_files import open_hdf5
from keras_disentangle.datasets._grid import read_tfds_grid
from keras_disentangle.datasets._room_caster import SHAPES, SKY, RoomCaster
from keras_disentangle.datasets._selection import as_path
from keras_disentangle.datasets.array_factor_dataset import ArrayFactorDataset
from keras_disentangle.datasets.factor_dataset import FactorDataset

_NAMES = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
_SIZES = (10, 10, 10, 8, len(SHAPES), 15)
_ORIGINAL_SHAPE = (64, 64, 3)

_HUES = np.arange(10) / 10
_SCALES = np.linspace(0.75, 1.25, 8)
_ORIENTATIONS = np.deg2rad(np.linspace(-30, 30, 15))

_UNIT = 2**15  # full brightness in the table of layers
_CHUNK = 2**16  # pixels composed at once, so that the working memory stays small


class Shapes3D(FactorDataset):
    """3D Shapes, rendered on demand: a solid in the middle of a room, 480,000 colour images.

    The factors, their order and values are those of the original:

    - `floor_hue`, `wall_hue`, `object_hue`: 10 values each, hue 0, 0.1 … 0.9 at full saturation;
    - `scale`: 8, linear in [0.75, 1.25];
    - `shape`: 4, as in `Shapes3D.SHAPES`: cube, cylinder, sphere, capsule;
    - `orientation`: 15, linear in [-30, 30] degrees: the position of the camera on an arc around
      the room's centre, from left to right.

    These are not the original images but a substitute, from a small ray caster; `from_file` and
    `from_tfds` load the original. Camera, room, sizes of the solids, lamp, shadow and colours were
    fitted to 75 images that its authors show: from the 50 in their notebook, the rendered ones
    differ by 2.5 of 255 levels on average. They lack the faint pattern on the original's walls and
    floor, and their edges are smooth, from 16 rays per pixel. An image depends on its index alone.

    Everything but the hues is rendered once for each of the 480 combinations of scale, shape and
    orientation, on first use, and cached: 40 KiB each at 64×64, 160 KiB at 128×128.

    Args:
        image_size: height and width in pixels, 16 to 128.

    Raises:
        ValueError: if `image_size` is not an integer from 16 to 128.

    Example:

    >>> data = kd.datasets.Shapes3D()
    >>> images = data.images(data.index([[0, 6, 3, 7, 2, 0]]))  # (1, 64, 64, 3) uint8
    >>> batches = data.batches(64, seed=0)

    Reference: Burgess and Kim, 3D Shapes Dataset, 2018; first in Kim and Mnih, Disentangling by
    Factorising, ICML 2018.
    """

    SHAPES = SHAPES

    def __init__(self, image_size=64):
        size = check_int("image_size", image_size, minimum=16)
        if size > 128:
            raise ValueError(f"`image_size` must be 16 to 128. Received: image_size={image_size}")
        super().__init__(_NAMES, _SIZES, (size, size, 3))
        self._caster = RoomCaster(size)
        self._colors = np.array([colorsys.hsv_to_rgb(hue, 1, 1) for hue in _HUES], np.float32)
        geometries = math.prod(_SIZES[3:])
        # The system allocates this memory only when a geometry is drawn into it.
        self._layers = np.zeros((geometries, size * size, 5), np.uint16)
        self._drawn = np.zeros(geometries, bool)

    def images(self, index):
        index = self._checked_index(index)
        geometry = index % len(self._drawn)
        for number in np.unique(geometry[~self._drawn[geometry]]):
            self._draw(number)
        floor, wall, solid = (self._colors[hue] for hue in self.factors(index)[:, :3].T)
        sky, white = (np.broadcast_to(c, floor.shape) for c in (SKY, (1, 1, 1)))
        colors = np.stack([floor, wall, solid, sky, white], axis=1).astype(np.float32) * 255 / _UNIT
        out = np.empty((len(index), self._layers.shape[1], 3), np.uint8)
        step = max(1, _CHUNK // self._layers.shape[1])
        for start in progress(range(0, len(index), step), "batches of images"):
            part = slice(start, start + step)
            levels = self._layers[geometry[part]].astype(np.float32) @ colors[part]
            levels += np.float32(0.5)
            out[part] = np.minimum(levels, 255, out=levels)
        return out.reshape(-1, *self.image_shape)

    def _draw(self, geometry):
        scale, shape, orientation = np.unravel_index(geometry, _SIZES[3:])
        layers = self._caster.layers(shape, _SCALES[scale], _ORIENTATIONS[orientation])
        self._layers[geometry] = np.rint(layers * _UNIT).reshape(self._layers.shape[1:])
        self._drawn[geometry] = True

    @staticmethod
    def from_file(path, in_memory=False):
        """The original images, 64×64, from `3dshapes.h5` or an npz file of the same arrays.

        The file is that of https://github.com/deepmind/3d-shapes: `images` (480000, 64, 64, 3),
        uint8, and `labels` (480000, 6), numbers, with the images in C order of their factors.

        Args:
            path: the file.
            in_memory: whether to read all images at once, 5.5 GiB. By default images are read when
                they are accessed, which is slow if the file compresses many images in one chunk. An
                npz file is always read at once.

        Returns:
            A `FactorDataset` with the factors of this class.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not an HDF5 or npz file or lacks an array, an array has another
                shape or type, or the labels are not the grid of the factors in C order.

        Example:

        >>> data = kd.datasets.Shapes3D.from_file("3dshapes.h5", in_memory=True)
        """
        path = as_path("path", path)
        if not path.is_file():
            raise FileNotFoundError(f"`path`: there is no file {path}")
        with _open(path, in_memory) as file:
            missing = {"images", "labels"}.difference(file)
            if missing:
                raise ValueError(
                    f"{path} must hold arrays images and labels. It lacks {sorted(missing)}"
                )
            images, labels = file["images"], file["labels"]
            _check_array(path, "images", images, _ORIGINAL_SHAPE, np.uint8)
            _check_array(path, "labels", labels, (len(_SIZES),), np.number)
            _check_order(path, labels[:])
            if isinstance(images, np.ndarray) or in_memory:
                return ArrayFactorDataset(images[:], _SIZES, _NAMES)
        return _FileDataset(path)

    @staticmethod
    def from_tfds(data_dir=None):
        """The original images, 64×64, from TensorFlow Datasets, which downloads them on first use.

        They are sorted by their factors in memory, 5.5 GiB.

        Args:
            data_dir: folder in which TensorFlow Datasets stores its data; by default its own.

        Returns:
            A `FactorDataset` with the factors of this class.

        Raises:
            ImportError: if TensorFlow Datasets is not installed
                (the extra `datasets`).
            FileNotFoundError: if it could not prepare the data.
            ValueError: if there is not exactly one example for each combination of factors.
        """
        images = read_tfds_grid(
            "shapes3d",
            ("train",),
            [f"label_{name}" for name in _NAMES],
            _SIZES,
            _ORIGINAL_SHAPE,
            data_dir,
            "give the file 3dshapes.h5 to Shapes3D.from_file",
        )
        return ArrayFactorDataset(images, _SIZES, _NAMES)


class _FileDataset(FactorDataset):
    """Images in an HDF5 file, read when they are accessed."""

    def __init__(self, path):
        super().__init__(_NAMES, _SIZES, _ORIGINAL_SHAPE)
        self._path = path

    def images(self, index):
        index = self._checked_index(index)
        if not len(index):
            return np.empty((0, *self.image_shape), np.uint8)
        # HDF5 takes increasing indices without repetition. Opened anew, so that processes can
        # share it.
        numbers, places = np.unique(index, return_inverse=True)
        with _open(self._path) as file:
            return file["images"][numbers][places]


def _open(path, in_memory=False):
    """A mapping of arrays: whole arrays of an npz file, sliceable data sets of an HDF5 file."""
    if path.suffix == ".npz":
        return open_npz(path)
    return open_hdf5(path, sliced=() if in_memory else ("images",))


def _check_array(path, name, array, shape, dtype):
    shape = (math.prod(_SIZES), *shape)
    # A group of an HDF5 file has no shape.
    found = getattr(array, "shape", None)
    if found != shape or not np.issubdtype(array.dtype, dtype):
        raise ValueError(
            f"{path}: {name} must be {'uint8' if dtype is np.uint8 else 'numbers'} of "
            f"shape {shape}. Received: shape={found}, dtype={getattr(array, 'dtype', None)}"
        )


def _check_order(path, labels):
    """Checks that labels increase along their own factor and are constant along the others."""
    grid = labels.reshape(*_SIZES, len(_SIZES))
    for factor, name in enumerate(_NAMES):
        values = np.moveaxis(grid[..., factor], factor, 0).reshape(_SIZES[factor], -1)
        if not ((np.diff(values[:, 0]) > 0).all() and (values == values[:, :1]).all()):
            raise ValueError(
                f"{path}: labels must be all combinations of {_NAMES} in C order, the last of them "
                f"varying fastest. Received: others for {name}"
            )
