"""MPI3D, from its published files."""

import math

import numpy as np

from keras_disentangle._arguments import check_choice, check_int
from keras_disentangle._files import stored_array
from keras_disentangle.datasets._image_arrays import fit_images
from keras_disentangle.datasets._selection import as_path
from keras_disentangle.datasets.factor_dataset import FactorDataset

_NAMES = (
    "object_color",
    "object_shape",
    "object_size",
    "camera_height",
    "background_color",
    "horizontal_axis",
    "vertical_axis",
)
_COMMON = (2, 3, 3, 40, 40)
_WHOLE, _FEWER = (6, 6, *_COMMON), (4, 4, *_COMMON)
_FILES = {
    "toy": ("mpi3d_toy.npz",),
    "realistic": ("mpi3d_realistic.npz",),
    "real": ("mpi3d_real.npz",),
    "complex": ("real3d_complicated_shapes_ordered.npz", "mpi3d_complex.npz"),
}
_LARGEST_SIZE = 1024


class MPI3D(FactorDataset):
    """MPI3D: a robot arm that holds an object, simulated or photographed, in 64×64 colour images.

    The factors are the object's colour, shape and size (2), the height of the camera (3), the
    background's colour (3) and the arm's horizontal and vertical angle (40 each). "toy" and
    "realistic" are rendered, "real" is photographed: each has 6 colours and 6 shapes, 1,036,800
    images. Their first edition, by which disentanglement_lib names the sizes of "toy" and
    "realistic", had 4 colours and 4 shapes, 460,800 images: which it is shows in the number of
    images. "complex" is photographed with 4 everyday objects, 460,800 images.

    The published file, such as `mpi3d_toy.npz`, holds one array `images` in C order of the factors.
    Images are read when they are accessed, so that they need no memory, if the file is not
    compressed, as the published ones; a compressed one is read whole, 5.3 or 11.9 GiB.

    Args:
        variant: "toy", "realistic", "real" or "complex".
        data_dir: the file, or a folder that holds it, by itself or in a folder of its name:
            `mpi3d_toy.npz`, `mpi3d_realistic.npz`, `mpi3d_real.npz`, or, of "complex",
            `real3d_complicated_shapes_ordered.npz` or `mpi3d_complex.npz`.
        image_size: height and width in pixels, up to 1024, to which images are resized when they
            are accessed; `None` for those of the file.

    Raises:
        ValueError: if the variant is none of these, or the file is damaged or holds something else.
        FileNotFoundError: if there is no such file.

    Example:

    >>> data = kd.datasets.MPI3D("toy", "data")
    >>> images = data.images([0, 1, 2])  # (3, 64, 64, 3) uint8

    Reference: Gondal et al., On the Transfer of Inductive Bias from Simulation to the Real World: a
    New Disentanglement Dataset, NeurIPS 2019.
    """

    def __init__(self, variant="toy", data_dir=".", image_size=None):
        check_choice("variant", variant, tuple(_FILES))
        if image_size is not None:
            image_size = check_int("image_size", image_size, maximum=_LARGEST_SIZE)
        path = _found(variant, as_path("data_dir", data_dir))
        self._read = stored_array(path, "images")
        shape, dtype = self._read.shape, self._read.dtype
        known = [_FEWER] if variant == "complex" else [_WHOLE, _FEWER]
        sizes = {math.prod(sizes): sizes for sizes in known}.get(shape[0] if shape else 0)
        if sizes is None or len(shape) != 4 or shape[3] != 3 or dtype != np.uint8 or 0 in shape:
            counts = " or ".join(f"{math.prod(sizes):,}" for sizes in known)
            raise ValueError(
                f"{path}: images must be uint8 of shape (n, height, width, 3), n {counts}. "
                f"Received: shape={shape}, dtype={dtype}"
            )
        size = shape[1:3] if image_size is None else (image_size, image_size)
        super().__init__(_NAMES, sizes, (*size, 3))

    def images(self, index):
        return fit_images(self._read(self._checked_index(index)), self.image_shape)


def _found(variant, path):
    if path.is_file():
        return path
    names = _FILES[variant]
    folders = path, path / f"mpi3d_{variant}"
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise FileNotFoundError(
        f"`data_dir` must hold {' or '.join(names)}, which "
        "https://github.com/rr-learning/disentanglement_dataset links to. "
        f"Received: {path}"
    )
