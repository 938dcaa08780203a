import colorsys
import pickle
import sys
import types

import h5py
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from keras_disentangle.datasets import _room_caster, shapes3d
from keras_disentangle.datasets._room_caster import LAYERS, RoomCaster, _trace
from keras_disentangle.datasets.shapes3d import Shapes3D

NAMES = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
SIZES = (10, 10, 10, 8, 4, 15)
CUBE, CYLINDER, SPHERE, CAPSULE = range(4)
SCALES = np.linspace(0.75, 1.25, 8)
ANGLES = np.deg2rad(np.linspace(-30, 30, 15))
MIDDLE = (0, 6, 3, 4, SPHERE, 7)


@pytest.fixture(scope="module")
def data():
    return Shapes3D()


def draw(data, *factors):
    """The images of rows of factors, as integers that can be subtracted."""
    return data.images(data.index(np.array(factors))).astype(int)


def traverse(data, name, start=MIDDLE):
    """The images of all values of one factor."""
    factor = NAMES.index(name)
    rows = np.tile(start, (SIZES[factor], 1))
    rows[:, factor] = np.arange(SIZES[factor])
    return draw(data, *rows)


def changed(images):
    """Which pixels (h, w) are not the same in all images."""
    return (images != images[:1]).any(axis=(0, -1))


def column_of_corner(image):
    """Where the brightness of the blue wall jumps, at the right of 3 rows above the solid."""
    jumps = np.abs(np.diff(image[20:26, :, 2].mean(axis=0)))
    return jumps.argmax() + 1


def test_layout(data):
    assert len(data) == 480_000
    assert data.factor_names == NAMES and data.factor_sizes == SIZES
    assert data.image_shape == (64, 64, 3)
    assert data.SHAPES == ("cube", "cylinder", "sphere", "capsule")
    index = np.random.default_rng(0).integers(len(data), size=20)
    images = data.images(index)
    assert images.shape == (20, 64, 64, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(data)).images(index), images)
    assert data.images([]).shape == (0, 64, 64, 3)
    np.testing.assert_array_equal(data.index(data.factors(index)), index)
    np.testing.assert_array_equal(data.factors([1, 15, 60, 480]).nonzero()[1], [5, 4, 3, 2])
    (batch,) = data.batches(8, seed=0)[0]
    assert batch.shape == (8, 64, 64, 3) and batch.dtype == np.float32


@pytest.mark.parametrize("size", [16, 33, 64, 128])
def test_an_image_depends_on_its_number_alone(size):
    data = Shapes3D(size)
    geometries = np.random.default_rng(1).integers(480, size=12)
    index = 480 * np.random.default_rng(2).integers(1000, size=100) + np.resize(geometries, 100)
    together = data.images(index)
    assert together.shape == (100, size, size, 3)
    fresh = Shapes3D(size)
    for i in (99, 0, 50, 7):
        np.testing.assert_array_equal(fresh.images(index[i : i + 1])[0], together[i])
    np.testing.assert_array_equal(data.images(index[[5, 3, 3, 5]]), together[[5, 3, 3, 5]])


def test_sizes_show_the_same():
    """Means over blocks of large images are the small images."""
    index = np.random.default_rng(3).integers(480_000, size=4)
    large = Shapes3D(128).images(index).astype(float)
    for block in (2, 4, 8):
        size = 128 // block
        mean = large.reshape(4, size, block, size, block, 3).mean(axis=(2, 4))
        difference = np.abs(Shapes3D(size).images(index) - mean)
        assert difference.mean() < 1.5
        assert np.quantile(difference, 0.99) < 20


@pytest.mark.parametrize("shape", range(4))
def test_hues_colour_their_own_surface(data, shape):
    start = (*MIDDLE[:4], shape, 2)
    floor, wall, solid = (
        changed(traverse(data, f"{name}_hue", start)) for name in ("floor", "wall", "object")
    )
    image = draw(data, start)[0]
    sky = (np.abs(image - [153, 226, 249]) <= 1).all(axis=-1)
    # Every pixel shows one of the four surfaces; only on edges more than one.
    shown = floor.astype(int) + wall + solid + sky
    assert shown.min() == 1
    assert (shown > 1).mean() < 0.05
    assert floor[-1].all() and not floor[:32].any()
    assert sky[:8].all() and not sky[32:].any()
    assert wall[30, :20].all() and not wall[-20:].any()
    assert solid[44:50, 30:34].all() and not solid[:, :12].any() and not solid[:, 52:].any()


@pytest.mark.parametrize("hue", range(10))
def test_hues(data, hue):
    """Where light does not exceed full brightness, pixels have the hue at full saturation."""
    expected = np.array(colorsys.hsv_to_rgb(hue / 10, 1, 1))
    images = draw(data, (hue, 0, 0, 4, CUBE, 14), (0, hue, 0, 4, CUBE, 14), (0, 0, hue, 7, CUBE, 7))
    for image, (row, column) in zip(images, ((60, 60), (30, 4), (45, 32)), strict=True):
        pixel = image[row, column]
        assert 100 < pixel.max() < 255
        np.testing.assert_allclose(pixel, expected * pixel.max(), atol=2)


def test_scales_and_shapes(data):
    areas = np.array(
        [
            [
                changed(draw(data, (0, 6, 3, s, shape, 7), (0, 6, 8, s, shape, 7))).sum()
                for s in range(8)
            ]
            for shape in range(4)
        ]
    )
    assert (np.diff(areas, axis=1) > 0).all()
    # Areas grow with the square, and a little more as the solid's front comes closer.
    growth = areas[:, -1] / areas[:, 0]
    assert (growth > (5 / 3) ** 2 * 0.95).all() and (growth < (5 / 3) ** 2 * 1.5).all()
    shapes = traverse(data, "shape")
    for i in range(4):
        for j in range(i):
            assert (np.abs(shapes[i] - shapes[j]).max(axis=-1) > 50).mean() > 0.02


def test_matches_the_animation_of_the_original(data):
    """Places measured, to about half a pixel, in 3dshapes.gif of github.com/deepmind/3d-shapes at
    de26b40, of which a pixel shows 3.5 times as large: the corner of the walls at orientation 0 to
    4 and 10 to 14, and top, bottom, left and right edge of a solid at orientation 14."""
    images = traverse(data, "orientation", (0, 6, 3, 0, CUBE, 0))
    corners = [column_of_corner(image) for image in images[[0, 1, 2, 3, 4, 10, 11, 12, 13, 14]]]
    measured = [44.3, 48.3, 51.1, 55.1, 59.1, 5.1, 9.1, 13.1, 16.0, 20.0]
    np.testing.assert_allclose(corners, measured, atol=1.5)
    edges = {
        (0, CUBE): (36.9, 56.0, 22.0, 41.1),
        (0, CYLINDER): (36.9, 54.9, 24.0, 40.3),
        (0, SPHERE): (34.9, 52.9, 24.0, 40.3),
        (0, CAPSULE): (25.7, 52.9, 25.1, 38.3),
        (2, CAPSULE): (20.9, 52.9, 24.0, 40.3),
        (4, CAPSULE): (14.9, 52.9, 23.1, 41.1),
        (7, CAPSULE): (6.9, 52.9, 21.1, 43.1),
    }
    for (scale, shape), measured in edges.items():
        red, green, blue = np.moveaxis(draw(data, (0, 6, 3, scale, shape, 14))[0], -1, 0)
        rows, columns = np.nonzero((green > 1.6 * red) & (green > 1.6 * blue) & (green > 60))
        found = [rows.min(), rows.max() + 1, columns.min(), columns.max() + 1]
        np.testing.assert_allclose(found, measured, atol=1.2)


@pytest.fixture
def even_light(monkeypatch):
    """Layers are the shares of a pixel that surfaces cover."""
    monkeypatch.setattr(
        _room_caster, "_light", lambda normal, point, axis: (np.ones_like(point[2]), 0 * point[2])
    )


def project(points, angle):
    """Columns and rows in [0, 1] of points (n, 3)."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    x, y = turn @ np.transpose(points)[:2]
    y, z = y + _room_caster._DISTANCE, points[:, 2] - _room_caster._EYE
    pitch = _room_caster._PITCH
    depth = y * np.cos(pitch) - z * np.sin(pitch)
    up = y * np.sin(pitch) + z * np.cos(pitch)
    return 0.5 + np.stack([x, -up], axis=1) / depth[:, None] / (2 * _room_caster._HALF_WIDTH)


def surface(shape, scale):
    """Points on a solid's edges or all over it, of which the hull is the solid."""
    radius, height = _room_caster._RADII[shape] * scale, _room_caster._HEIGHTS[shape] * scale
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    if shape == CUBE:
        angle = np.pi / 4 + np.arange(4) * np.pi / 2
        ring = radius * 2**0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        rings = [(ring, 0), (ring, height)]
    else:
        ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        if shape == CYLINDER:
            rings = [(radius * ring, 0), (radius * ring, height)]
        else:
            tilt = np.linspace(-np.pi / 2, np.pi / 2, 200)
            middles = np.where(tilt < 0, radius, height - radius)
            rings = [
                (radius * np.cos(t) * ring, middle + radius * np.sin(t))
                for t, middle in zip(tilt, middles, strict=True)
            ]
    return np.concatenate([np.insert(ring, 2, z, axis=1) for ring, z in rings])


@pytest.mark.parametrize("shape", range(4))
def test_outlines(even_light, shape):
    """Area and centroid of silhouettes against those of the solids' hulls in perspective."""
    size = 128
    caster = RoomCaster(size)
    for scale, angle in ((SCALES[0], ANGLES[0]), (1, ANGLES[7]), (SCALES[-1], ANGLES[12])):
        layers = caster.layers(shape, scale, angle)
        parts = [LAYERS.index(name) for name in ("floor", "wall", "solid", "sky")]
        np.testing.assert_allclose(layers[..., parts].sum(axis=-1), 1, atol=1e-6)
        seen = project(surface(shape, scale), angle) * size
        outline = seen[ConvexHull(seen).vertices]
        following = np.roll(outline, -1, axis=0)
        cross = outline[:, 0] * following[:, 1] - outline[:, 1] * following[:, 0]
        middle = (cross[:, None] * (outline + following)).sum(axis=0) / (3 * cross.sum())
        covered = layers[..., LAYERS.index("solid")]
        np.testing.assert_allclose(covered.sum(), cross.sum() / 2, rtol=0.005)
        rows, columns = np.indices(covered.shape) + 0.5
        found = [(covered * place).sum() / covered.sum() for place in (columns, rows)]
        np.testing.assert_allclose(found, middle, atol=0.05)


@pytest.mark.parametrize("angle", ANGLES[[0, 3, 7, 11, 14]])
def test_room(even_light, angle):
    """How high the wall begins and ends in each column, against projected points of its edges."""
    size, wall = 128, _room_caster._WALL
    layers = RoomCaster(size).layers(SPHERE, 0.75, angle)
    along = np.linspace(-wall, wall, 2000)[:, None]
    for z, layer, from_top in ((_room_caster._WALL_HEIGHT, "sky", True), (0, "floor", False)):
        edges = np.concatenate(
            [
                np.insert(np.insert(along, 1, wall, axis=1), 2, z, axis=1),
                *(
                    np.insert(np.insert(along, 0, side, axis=1), 2, z, axis=1)
                    for side in (-wall, wall)
                ),
            ]
        )  # the back wall's edge, the left's and the right's
        ahead = edges @ [-np.sin(angle), np.cos(angle), 0] > -_room_caster._DISTANCE / 2
        column, row = (project(edges[ahead], angle) * size).T
        share = layers[..., LAYERS.index(layer)].sum(axis=0)
        for i in (2, 20, 30, 100, 125):  # beside the solid
            here = np.abs(column - i - 0.5) < 0.5
            expected = row[here].mean() if from_top else size - row[here].mean()
            np.testing.assert_allclose(share[i], expected, atol=0.15)


@pytest.mark.parametrize("shape", range(4))
def test_rays_meet_solids(shape):
    """Hits against walking along the rays, and normals against those of the surface met."""
    rng = np.random.default_rng(shape)
    radius, height = np.float32(0.6), np.float32(1.2 if shape == SPHERE else 1.9)

    def inside(x, y, z):
        if shape == CUBE:
            return (np.maximum(abs(x), abs(y)) < radius) & (z > 0) & (z < height)
        if shape == CYLINDER:
            return (x**2 + y**2 < radius**2) & (z > 0) & (z < height)
        return x**2 + y**2 + (z - np.clip(z, radius, height - radius)) ** 2 < radius**2

    start = rng.normal(size=(3, 400)).astype(np.float32)
    start *= 3 / np.linalg.norm(start, axis=0)
    target = rng.uniform(-1.2, 1.2, size=(3, 400)).astype(np.float32)
    target[2] += height / 2
    ray = target - start
    hit, t, normal = _trace(shape, radius, height, tuple(start), tuple(ray))
    steps = np.linspace(0, 3, 3000, dtype=np.float32)[:, None]
    walked = inside(*(start[:, None] + steps * ray[:, None]))
    first = walked.argmax(axis=0)
    assert (hit == walked.any(axis=0)).mean() > 0.985  # steps can jump over what is barely grazed
    both = hit & walked.any(axis=0)
    assert both.sum() > 50
    np.testing.assert_allclose(t[both], steps[first[both], 0], atol=0.0015)
    normal = np.array(normal)[:, both]
    point = (start + t * ray)[:, both]
    np.testing.assert_allclose(np.linalg.norm(normal, axis=0), 1, atol=1e-4)
    assert ((normal * ray[:, both]).sum(axis=0) < 0).all()
    assert not inside(*(point + 1e-3 * normal)).any()
    assert inside(*(point - 1e-3 * normal)).mean() > 0.97


def test_shadow(data):
    """The floor is darker at the right of the solid, and only near it."""
    start = (2, 6, 3, 7, CAPSULE, 7)
    with_large, with_small = draw(data, start, (*start[:3], 0, SPHERE, 7))
    floor = changed(traverse(data, "floor_hue", start))
    floor &= changed(traverse(data, "floor_hue", (*start[:3], 0, SPHERE, 7)))
    shade = (with_small - with_large).max(axis=-1) * floor
    rows, columns = np.nonzero(shade > 100)
    assert 30 < len(rows) < 250
    assert columns.mean() > 36 and np.median(rows) > 50
    assert (shade[:, :20] == 0).all()


def test_images_are_distinct(data):
    """All geometries differ, each shows all three colours, and so differ images sampled."""
    images = data.images(480 * 637 + np.arange(480))
    assert len(np.unique(images.reshape(480, -1), axis=0)) == 480
    assert len(np.unique(images[:, ::4, ::4].reshape(480, -1), axis=0)) == 480
    for factor in (100, 10, 1):
        other = data.images(480 * (637 - factor) + np.arange(480))
        difference = np.abs(other.astype(int) - images).max(axis=(1, 2, 3))
        assert difference.min() > 40  # the next hue, of pixels that show nothing else
    index = np.random.default_rng(4).choice(len(data), 2000, replace=False)
    assert len({image.tobytes() for image in data.images(index)}) == 2000


@pytest.mark.parametrize("size", [15, 129, 64.0, "64", None])
def test_bad_size(size):
    with pytest.raises(ValueError, match="image_size"):
        Shapes3D(size)


def grid(sizes):
    """Labels as in the original: the factors' values, for all combinations in C order."""
    values = [
        np.linspace(low, high, n)
        for n, (low, high) in zip(
            sizes, ((0, 0.9), (0, 0.9), (0, 0.9), (0.75, 1.25), (0, 3), (-30, 30)), strict=True
        )
    ]
    return np.stack(np.meshgrid(*values, indexing="ij"), axis=-1).reshape(-1, 6)


def write(path, labels, shape, images=(), dtype=np.uint8):
    """An HDF5 file with few images in it, and zeros, which take no room, for the others."""
    with h5py.File(path, "w") as file:
        array = file.create_dataset("images", shape, dtype, chunks=(1, *shape[1:]))
        for number, image in images:
            array[number] = image
        file["labels"] = labels
    return path


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A file of the original's layout, and the images in it by their numbers."""
    rng = np.random.default_rng(5)
    numbers = [0, 1, 77, 4711, 240_000, 479_999]
    images = {n: rng.integers(256, size=(64, 64, 3), dtype=np.uint8) for n in numbers}
    path = tmp_path_factory.mktemp("shapes3d") / "3dshapes.h5"
    return write(path, grid(SIZES), (480_000, 64, 64, 3), images.items()), images


def test_from_file(original):
    path, images = original
    data = Shapes3D.from_file(str(path))
    assert len(data) == 480_000 and data.image_shape == (64, 64, 3)
    assert data.factor_names == NAMES and data.factor_sizes == SIZES
    index = np.array([479_999, 77, 4711, 77, 0, 240_000, 1, 0, 5])
    expected = [images.get(number, np.zeros((64, 64, 3))) for number in index.tolist()]
    for reader in (data, pickle.loads(pickle.dumps(data))):
        found = reader.images(index)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)
    assert data.images([]).shape == (0, 64, 64, 3)
    (batch,) = data.batches(4, seed=0)[0]
    assert batch.shape == (4, 64, 64, 3)
    with pytest.raises(ValueError, match="480000"):
        data.images([480_000])


@pytest.fixture
def small(monkeypatch):
    """Fewer values of each factor, so that all images fit a test."""
    sizes = (2, 2, 3, 2, 2, 3)
    monkeypatch.setattr(shapes3d, "_SIZES", sizes)
    images = np.random.default_rng(6).integers(256, size=(144, 64, 64, 3), dtype=np.uint8)
    return sizes, images


@pytest.mark.parametrize("suffix", [".h5", ".npz"])
def test_files_in_memory(small, tmp_path, suffix):
    sizes, images = small
    path = tmp_path / f"3dshapes{suffix}"
    if suffix == ".npz":
        np.savez(path, images=images, labels=grid(sizes))
    else:
        write(path, grid(sizes), images.shape, enumerate(images))
    data = Shapes3D.from_file(path, in_memory=True)
    path.unlink()
    assert data.factor_sizes == sizes and data.factor_names == NAMES
    np.testing.assert_array_equal(data.images([143, 0, 0, 12]), images[[143, 0, 0, 12]])


def test_bad_files(original, tmp_path):
    def written(labels, shape=(480_000, 64, 64, 3), **options):
        return write(tmp_path / "bad.h5", labels, shape, **options)

    with pytest.raises(FileNotFoundError, match="nowhere.h5"):
        Shapes3D.from_file(tmp_path / "nowhere.h5")
    with pytest.raises(FileNotFoundError, match="no file"):
        Shapes3D.from_file(tmp_path)
    for name, message in (("text.h5", "readable HDF5"), ("text.npz", "readable npz")):
        (tmp_path / name).write_text("not that")
        with pytest.raises(ValueError, match=rf"{name}.*{message}"):
            Shapes3D.from_file(tmp_path / name)
    np.save(tmp_path / "single.npy", np.zeros(3))
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    with pytest.raises(ValueError, match="single.npz.*readable npz"):
        Shapes3D.from_file(tmp_path / "single.npz")
    with h5py.File(tmp_path / "lacks.h5", "w") as file:
        file["images"] = np.zeros((2, 64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match=r"lacks \['labels'\]"):
        Shapes3D.from_file(tmp_path / "lacks.h5")
    with h5py.File(tmp_path / "folder.h5", "w") as file:
        file.create_group("images")
        file["labels"] = [0.0]
    with pytest.raises(ValueError, match="images must be uint8.*None"):
        Shapes3D.from_file(tmp_path / "folder.h5")
    np.savez(tmp_path / "small.npz", images=np.zeros((3, 64, 64, 3), np.uint8), labels=[0])
    with pytest.raises(ValueError, match=r"images must be uint8 .*\(3, 64, 64, 3\)"):
        Shapes3D.from_file(tmp_path / "small.npz")
    labels = np.zeros((480_000, 6), np.float32)
    with pytest.raises(ValueError, match=r"\(480000, 64, 64, 3\).*\(480000, 32, 32, 3\)"):
        Shapes3D.from_file(written(labels, (480_000, 32, 32, 3)))
    with pytest.raises(ValueError, match="images must be uint8.*float32"):
        Shapes3D.from_file(written(labels, dtype=np.float32))
    with pytest.raises(ValueError, match=r"labels must be numbers.*\(480000, 5\)"):
        Shapes3D.from_file(written(labels[:, :5]))
    with pytest.raises(ValueError, match="labels must be numbers.*bool"):
        Shapes3D.from_file(written(labels.astype(bool)))
    with pytest.raises(ValueError, match="C order.*floor_hue"):
        Shapes3D.from_file(written(labels))


def test_labels_in_another_order(small, tmp_path):
    sizes, images = small
    labels = grid(sizes)
    swapped = labels.copy()
    swapped[[3, 4]] = labels[[4, 3]]
    missing = labels.copy()
    missing[7, 2] = np.nan
    fortran = labels[np.arange(144).reshape(sizes).ravel(order="F")]
    for wrong, name in ((swapped, "orientation"), (missing, "object_hue"), (fortran, "floor_hue")):
        np.savez(tmp_path / "wrong.npz", images=images, labels=wrong)
        with pytest.raises(ValueError, match=f"C order.*others for {name}"):
            Shapes3D.from_file(tmp_path / "wrong.npz")


class FakeBuilder:
    """What Shapes3D asks of a builder of TensorFlow Datasets."""

    def __init__(self, examples, error=None):
        self.examples, self.error = examples, error

    def download_and_prepare(self):
        if self.error is not None:
            raise self.error

    def as_dataset(self, split):
        assert split == "train"
        return self.examples


def fake_tfds(monkeypatch, builder):
    def make(name, data_dir=None):
        assert name == "shapes3d" and data_dir == "somewhere"
        return builder

    fake = types.SimpleNamespace(builder=make, as_numpy=iter)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake)


def test_from_tfds(small, monkeypatch):
    sizes, images = small
    labels = np.stack(np.unravel_index(np.arange(144), sizes), axis=-1)
    examples = [
        {"image": image} | {f"label_{name}": value for name, value in zip(NAMES, row, strict=True)}
        for image, row in zip(images, labels, strict=True)
    ]
    shuffled = [examples[i] for i in np.random.default_rng(7).permutation(144)]
    fake_tfds(monkeypatch, FakeBuilder(shuffled))
    data = Shapes3D.from_tfds("somewhere")
    assert data.factor_sizes == sizes and data.factor_names == NAMES
    np.testing.assert_array_equal(data.images(np.arange(144)), images)
    for wrong, message in (
        (shuffled[1:], "Received: 143"),
        ([*shuffled, shuffled[5]], "Received: 145"),
        ([*shuffled[1:], shuffled[5]], "Received: 144 labels, of which (0|2) are"),
    ):
        fake_tfds(monkeypatch, FakeBuilder(wrong))
        with pytest.raises(ValueError, match=f"each combination.*{message}"):
            Shapes3D.from_tfds("somewhere")


def test_without_tensorflow_datasets(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match=r"\[datasets\].*3dshapes\.h5"):
        Shapes3D.from_tfds()


def test_without_network(monkeypatch):
    fake_tfds(monkeypatch, FakeBuilder([], ConnectionError("no network")))
    with pytest.raises(FileNotFoundError, match=r"somewhere.*no network.*3dshapes\.h5"):
        Shapes3D.from_tfds("somewhere")


def test_examples_of_tensorflow_datasets():
    """Its examples have what is asked of them; five are too few."""
    tfds = pytest.importorskip("tensorflow_datasets")
    with tfds.testing.mock_data(num_examples=5):
        with pytest.raises(ValueError, match="each combination"):
            Shapes3D.from_tfds()
