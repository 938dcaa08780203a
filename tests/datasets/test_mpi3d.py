"""Files of images of 1×1 pixels, whose three channels tell the image's index."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from keras_disentangle.datasets.mpi3d import MPI3D
from keras_disentangle.datasets.named import factor_data

pytestmark = pytest.mark.one_backend

WHOLE, FEWER = (6, 6, 2, 3, 3, 40, 40), (4, 4, 2, 3, 3, 40, 40)
NAMES = {
    "toy": "mpi3d_toy.npz",
    "realistic": "mpi3d_realistic.npz",
    "real": "mpi3d_real.npz",
    "complex": "real3d_complicated_shapes_ordered.npz",
}


def images_of(count):
    index = np.arange(count)
    channels = np.stack([index & 255, index >> 8 & 255, index >> 16], axis=-1)
    return channels.astype(np.uint8).reshape(-1, 1, 1, 3)


def check(data, sizes):
    """Every image is where the dataset's own formula has it."""
    assert data.factor_sizes == sizes and len(data) == np.prod(sizes)
    rng = np.random.default_rng(0)
    factors = data.sample_factors(500, rng)
    strides = np.append(np.cumprod(sizes[:0:-1])[::-1], 1)
    found = data.images(data.index(factors)).astype(int).reshape(-1, 3) @ [1, 2**8, 2**16]
    np.testing.assert_array_equal(found, factors @ strides)
    assert data.images([]).shape == (0, 1, 1, 3)


@pytest.mark.parametrize(
    ("variant", "sizes", "save"),
    [
        ("toy", WHOLE, np.savez),
        ("toy", FEWER, np.savez),
        ("realistic", FEWER, np.savez_compressed),
        ("real", WHOLE, np.savez),
        ("complex", FEWER, np.savez),
    ],
)
def test_images_are_in_the_order_of_their_factors(variant, sizes, save, tmp_path):
    save(tmp_path / NAMES[variant], images=images_of(np.prod(sizes)))
    check(MPI3D(variant, tmp_path), sizes)
    check(MPI3D(variant, tmp_path / NAMES[variant]), sizes)
    data = factor_data(f"mpi3d_{variant}", (1, 1, 3), tmp_path)
    assert data.factor_names[:2] == ("object_color", "object_shape") and len(data) == np.prod(sizes)


def test_stored_images_are_read_when_they_are_accessed(tmp_path):
    folder = tmp_path / "mpi3d_complex"
    folder.mkdir()
    path = folder / "mpi3d_complex.npz"
    np.savez(path, labels=np.zeros(3), images=images_of(460_800))
    data = MPI3D("complex", tmp_path, image_size=2)
    assert data.images([5, 5]).shape == (2, 2, 2, 3)
    content = bytearray(path.read_bytes())
    place = content.find(images_of(460_800)[1000:1010].tobytes())
    content[place : place + 3] = b"\x07\x08\x09"
    path.write_bytes(content)
    assert data.images([1000])[0, 0, 0].tolist() == [7, 8, 9]


def wide(*shape):
    """An array that takes no memory."""
    return as_strided(np.zeros(1, np.uint8), shape, [0] * len(shape))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("labels", np.zeros(2), "must hold an array images.*labels"),
        ("images", np.zeros((8, 1, 1, 3), np.uint8), r"1,036,800 or 460,800.*\(8, 1, 1, 3\)"),
        ("images", wide(460_800, 1, 1), "height, width, 3"),
        ("images", np.float16(wide(460_800, 1, 1, 3)), "uint8.*float16"),
        ("images", np.array(None), "Python objects"),
        ("images", np.array(3), "Received: shape"),
    ],
)
def test_other_files_are_refused(name, array, message, tmp_path):
    np.savez(tmp_path / "mpi3d_toy.npz", **{name: array})
    with pytest.raises(ValueError, match=message):
        MPI3D("toy", tmp_path)


def test_damage_and_bad_arguments_are_named(tmp_path):
    path = tmp_path / "mpi3d_toy.npz"
    with pytest.raises(FileNotFoundError, match="mpi3d_toy.npz.*disentanglement_dataset"):
        MPI3D("toy", tmp_path)
    with pytest.raises(ValueError, match="`variant` must be"):
        MPI3D("cars", tmp_path)
    np.savez(path, images=images_of(460_800))
    with pytest.raises(ValueError, match="`image_size`"):
        MPI3D("toy", tmp_path, image_size=2**20)
    content = path.read_bytes()
    path.write_bytes(content[:-100_000])
    with pytest.raises(ValueError, match="mpi3d_toy.npz"):
        MPI3D("toy", tmp_path)
    # It says that it holds more than there is.
    path.write_bytes(content.replace(b"(460800, 1, 1, 3)", b"(460800, 9, 9, 3)"))
    with pytest.raises(ValueError, match="images is larger than the file"):
        MPI3D("toy", tmp_path)
