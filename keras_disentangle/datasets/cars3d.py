"""Cars3D, from its published files."""

import math
import warnings

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._files import MOST_COMPRESSED, SLACK, short
from keras_disentangle.datasets._image_arrays import fit_images
from keras_disentangle.datasets._selection import as_path
from keras_disentangle.datasets.array_factor_dataset import ArrayFactorDataset

_NAMES = ("elevation", "azimuth", "object_type")
_SIZES = (4, 24, 183)
_LARGEST_SIZE = 1024


class Cars3D(ArrayFactorDataset):
    """Cars3D: 17,568 colour renderings of 183 cars, from 4 elevations and 24 azimuths.

    The published archive, `nips2015-analogy-data.tar.gz`, holds `data/cars/car_001_mesh.mat` and
    182 more, a car each: the array `im` (height, width, 3, 24 azimuths, 4 elevations), uint8. Cars
    are in the order of their files' names. (disentanglement_lib takes them in the order in which
    the file system lists them, so that its numbers of cars differ between machines.)

    Args:
        data_dir: folder that holds the unpacked files, or one that holds `cars`, `cars3d`,
            `data/cars` or `cars3d/cars` with them.
        image_size: height and width in pixels, up to 1024, to which the images, 128×128, are
            resized as in `load_images`.

    Raises:
        ValueError: if a file is damaged or holds something else, or there are not 183.
        FileNotFoundError: if there are no such files.

    Example:

    >>> data = kd.datasets.Cars3D("cars")
    >>> images = data.images([0, 1, 2])  # (3, 64, 64, 3) uint8

    Reference: Reed et al., Deep Visual Analogy-Making, NeurIPS 2015.
    """

    def __init__(self, data_dir=".", image_size=64):
        size = check_int("image_size", image_size, maximum=_LARGEST_SIZE)
        paths = _found(as_path("data_dir", data_dir))
        images = np.empty((*_SIZES, size, size, 3), np.uint8)
        for car, path in enumerate(paths):
            mesh = _read_mesh(path)
            # (height, width, 3, azimuth, elevation) to elevations of azimuths of images
            views = mesh.transpose(4, 3, 0, 1, 2).reshape(-1, *mesh.shape[:3])
            images[:, :, car] = fit_images(views, (size, size, 3)).reshape(
                *_SIZES[:2], size, size, 3
            )
        super().__init__(images.reshape(-1, size, size, 3), _SIZES, _NAMES)


def _found(folder):
    places = [folder / name for name in ("", "cars", "cars3d", "data/cars", "cars3d/cars")]
    for place in places:
        paths = sorted(place.glob("car_*_mesh.mat"))
        if paths and len(paths) != _SIZES[2]:
            raise ValueError(
                f"`data_dir` must hold {_SIZES[2]} files car_…_mesh.mat. "
                f"Received: {len(paths)} in {place}"
            )
        if paths:
            return paths
    raise FileNotFoundError(
        "`data_dir` must hold the files car_…_mesh.mat of nips2015-analogy-data.tar.gz, which "
        f"http://www.scottreed.info links to. Received: {folder}"
    )


def _read_mesh(path):
    from scipy import io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of variables that are not read
            known = {name: (shape, kind) for name, shape, kind in io.whosmat(path)}
            shape, kind = known.get("im", ((), "missing"))
            fits = (
                kind == "uint8"
                and len(shape) == 5
                and shape[2:] == (3, *_SIZES[1::-1])
                and shape[0] == shape[1] > 0
                # Before memory is taken for what the file declares.
                and math.prod(shape) <= MOST_COMPRESSED * path.stat().st_size + SLACK
            )
            if fits:
                mesh = io.loadmat(path, variable_names=["im"])["im"]
                fits = mesh.shape == shape and mesh.dtype == np.uint8
    except Exception as error:  # SciPy raises many kinds for a damaged file.
        raise ValueError(f"{path} is not a readable .mat file: {short(error)}") from error
    if not fits:
        raise ValueError(
            f"{path}: im must be uint8 of shape (n, n, 3, 24, 4). Received: {kind}, shape={shape}"
        )
    return mesh
