"""183 files of images of 4×4 pixels, whose first pixel tells the factors."""

import numpy as np
import pytest
from PIL import Image
from scipy import io

from keras_disentangle.datasets.cars3d import Cars3D
from keras_disentangle.datasets.named import factor_data

pytestmark = pytest.mark.one_backend

SIDE = 4


def mesh(car):
    """(height, width, channels, azimuths, elevations), as the files hold them."""
    im = np.random.default_rng(car).integers(0, 256, (SIDE, SIDE, 3, 24, 4), dtype=np.uint8)
    im[0, 0, 0] = np.arange(24)[:, None]
    im[0, 0, 1] = np.arange(4)
    im[0, 0, 2] = car
    return im


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "cars"
    folder.mkdir()
    for car in range(183):
        mask = np.zeros((2, 2, 24, 4), np.uint8)
        io.savemat(folder / f"car_{car + 1:03}_mesh.mat", {"im": mesh(car), "mask": mask})
    return folder


def test_every_image_is_where_its_factors_say(folder):
    data = Cars3D(folder.parent, image_size=SIDE)
    assert data.factor_names == ("elevation", "azimuth", "object_type")
    assert data.factor_sizes == (4, 24, 183) and len(data) == 17_568
    found = data.images(np.arange(len(data)))
    factors = data.factors(np.arange(len(data)))
    np.testing.assert_array_equal(found[:, 0, 0], factors[:, [1, 0, 2]])
    np.testing.assert_array_equal(data.images(data.index([[3, 7, 50]]))[0], mesh(50)[..., 7, 3])
    named = factor_data("cars3d", (SIDE, SIDE, 3), folder)
    np.testing.assert_array_equal(named.images([5000]), data.images([5000]))


def test_images_are_scaled_as_disentanglement_lib_does(folder):
    data = Cars3D(str(folder), image_size=2)
    picture = Image.fromarray(mesh(9)[..., 3, 1])
    picture.thumbnail((2, 2), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(data.images(data.index([[1, 3, 9]]))[0], np.asarray(picture))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no", "car_007_mesh.mat is not a readable"),
        ({"mask": np.zeros(3)}, "im must be uint8.*missing"),
        ({"im": mesh(0).astype(float)}, r"\(n, n, 3, 24, 4\).*double"),
        ({"im": mesh(0)[..., 0]}, r"shape=\(4, 4, 3, 24\)"),
    ],
)
def test_other_files_are_refused(folder, content, message):
    path = folder / "car_007_mesh.mat"
    before = path.read_bytes()
    try:
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            io.savemat(path, content)
        with pytest.raises(ValueError, match=message):
            Cars3D(folder, image_size=SIDE)
    finally:
        path.write_bytes(before)


def test_missing_files_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nips2015-analogy-data.tar.gz"):
        Cars3D(tmp_path)
    with pytest.raises(FileNotFoundError, match="`data_dir`"):
        factor_data("cars3d", (8, 8, 3), tmp_path)
    (tmp_path / "car_001_mesh.mat").write_bytes(b"")
    with pytest.raises(ValueError, match="183 files.*1 in"):
        Cars3D(tmp_path)
    with pytest.raises(ValueError, match="`image_size`"):
        Cars3D(folder, image_size=0)
