"""Data sets with factors by name: rendered, downloaded, or from files."""

from pathlib import Path

from keras_disentangle._files import is_zip, open_npz
from keras_disentangle.datasets.cars3d import Cars3D
from keras_disentangle.datasets.clevr import Clevr
from keras_disentangle.datasets.dsprites import DSprites
from keras_disentangle.datasets.dsprites_variant import DSpritesVariant
from keras_disentangle.datasets.labelled_images import LabelledImages, load_labelled_images
from keras_disentangle.datasets.load_images import load_images
from keras_disentangle.datasets.mpi3d import MPI3D
from keras_disentangle.datasets.shapes3d import Shapes3D
from keras_disentangle.datasets.small_norb import SmallNORB


def _variant(variant):
    return lambda size: DSpritesVariant(variant, DSprites(size))


# Functions of the images' size in pixels.
RENDERED = {
    "dsprites": DSprites,
    "dsprites_color": _variant("color"),
    "dsprites_noisy": _variant("noisy"),
    "dsprites_scream": _variant("scream"),
    "shapes3d": Shapes3D,
    "clevr_simple": lambda size: Clevr("simple", image_size=size),
    "clevr_complex": lambda size: Clevr("complex", image_size=size),
}
# Functions of the folder and the size, and the channels: read in any size.
FROM_FILES = {
    "small_norb": (SmallNORB, 1),
    "cars3d": (lambda folder, size: Cars3D(folder or ".", size), 3),
    **{
        f"mpi3d_{variant}": (lambda folder, size, v=variant: MPI3D(v, folder or ".", size), 3)
        for variant in ("toy", "realistic", "real", "complex")
    },
}
FACTOR_DATA = (
    f"{', '.join(RENDERED)}; {', '.join(FROM_FILES)} or celeb_a (its attributes), from --data-dir, "
    "small_norb and celeb_a also from TensorFlow Datasets; the original dSprites .npz or "
    "3dshapes.h5; or an .npz file with images and factors"
)


def factor_data(name, image_shape, data_dir=None):
    """The data set with factors for a name or a file, or `None` if it has no factors.

    Args:
        name: a name in `RENDERED` or `FROM_FILES`, "celeb_a", or the path of a file with factors.
        image_shape: (h, w, c) of its images; for a file, entries may be `None` for any size.
        data_dir: folder of downloaded data sets.

    Raises:
        ValueError: if it is not available in this shape.
        FileNotFoundError: if there is no such file.
    """
    path, shape = Path(str(name)).expanduser(), tuple(image_shape)
    known = len(shape) == 3 and None not in shape
    if not known and (name in RENDERED or name in FROM_FILES or name == "celeb_a"):
        raise ValueError(
            "`model` must have a known image shape, for data that are converted to it. "
            f"Received: image shape {shape}"
        )
    if name in RENDERED:
        data = RENDERED[name](shape[0])
    elif name in FROM_FILES:
        data = FROM_FILES[name][0](data_dir, shape[0])
    elif name == "celeb_a":
        options = {"data_dir": data_dir, "image_shape": shape, "attributes": True}
        images, attributes = load_images(name, **options)
        if attributes is None:
            raise ValueError(
                "`data`: the attributes of celeb_a are only in TensorFlow Datasets; otherwise "
                "put images and attributes, as factors, into an .npz file. Received: images alone"
            )
        data = LabelledImages(images, attributes)
    elif path.suffix == ".h5":
        data = Shapes3D.from_file(path)
    elif path.suffix == ".npz" and not path.is_file():
        raise FileNotFoundError(f"`data`: there is no file {path}")
    elif path.suffix == ".npz" and "latents_classes" in (held := _arrays(path)):
        data = DSprites.from_file(path)
    elif path.suffix == ".npz" and "factors" in held:
        data = load_labelled_images(path)
    else:
        return None
    if known and tuple(data.image_shape) != shape:
        raise ValueError(
            f"`data` must hold images of shape {shape}, which the model takes. "
            f"Received: {name}, of shape {tuple(data.image_shape)}"
        )
    return data


def _arrays(path):
    """The names of the arrays in an npz file; an empty list for any other file."""
    if not is_zip(path):
        return []
    with open_npz(path) as arrays:
        return list(arrays)
