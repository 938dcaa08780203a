"""Numbers of images, how many, seeds, names and paths: what is none is refused by name."""

import h5py
import numpy as np
import pytest

from keras_disentangle.datasets import (
    ArrayFactorDataset,
    Clevr,
    DSprites,
    DSpritesVariant,
    FactorDataset,
    LabelledImages,
    Shapes3D,
    SmallNORB,
    WeightedFactors,
    correlated_factors,
    edge_maps,
    image_batches,
    load_images,
    load_labelled_images,
    load_paired_images,
)

IMAGES = np.random.default_rng(0).integers(0, 256, size=(12, 4, 4, 1), dtype=np.uint8)
GRID = ArrayFactorDataset(IMAGES, (3, 4), ("hue", "size"))
DATA = {
    "ArrayFactorDataset": GRID,
    "LabelledImages": LabelledImages(IMAGES, np.arange(12)),
    "WeightedFactors": WeightedFactors(GRID, lambda factors: factors[:, 0] < 2),
    "DSpritesVariant": DSpritesVariant("noisy", GRID),
    "Clevr": Clevr(image_size=8),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize(
    "index",
    [[-1], [2**40], [2**63], [None], None, 3, "1", [1.0], [np.nan], [[1]], [[1], [1, 2]], [True]],
    ids=str,
)
def test_numbers_of_images(name, index):
    for ask in (DATA[name].images, DATA[name].factors):
        with pytest.raises(ValueError, match="`index` must"):
            ask(index)


@pytest.mark.parametrize("name", DATA)
def test_numbers_of_all_kinds_are_taken(name):
    data = DATA[name]
    for index in ([3, 0], (3, 0), np.array([3, 0], np.uint8), np.array([3, 0])[::1]):
        np.testing.assert_array_equal(data.images(index), data.images([3, 0]))
        np.testing.assert_array_equal(data.factors(index), data.factors([3, 0]))
    assert data.images([]).shape == (0, *data.image_shape)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("n", [-1, None, 1.5, "1", 2**63, 2**28, np.nan, True])
def test_how_many(name, n):
    names = ("sample_index", "sample_factors")
    asks = [getattr(DATA[name], ask) for ask in names if hasattr(DATA[name], ask)]
    for ask in asks:
        with pytest.raises(ValueError, match="`n` must be an integer"):
            ask(n, 0)
        assert len(ask(0, 0)) == 0 and len(ask(np.int8(2), 0)) == 2


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("seed", [-1, 1.5, "1", np.nan, [1], True])
def test_seeds(name, seed):
    with pytest.raises(ValueError, match="`rng` must be an integer >= 0"):
        DATA[name].sample_index(2, seed)
    with pytest.raises(ValueError, match="`seed` must be an integer >= 0"):
        DATA[name].batches(2, seed)
    with pytest.raises(ValueError, match="`seed` must be an integer >= 0"):
        DSpritesVariant("color", GRID, seed=seed)


@pytest.mark.parametrize("seed", [0, 2**31, 2**64])
def test_every_integer_is_a_seed(seed):
    for data in DATA.values():
        np.testing.assert_array_equal(data.sample_index(5, seed), data.sample_index(5, seed))
        assert data.batches(2, seed)[0][0].shape[0] == 2


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("steps", [0, -1, 1.5, 2**70, "1", np.nan])
def test_steps(name, steps):
    with pytest.raises(ValueError, match="`steps_per_epoch` must be an integer"):
        DATA[name].batches(2, 0, steps_per_epoch=steps)


@pytest.mark.parametrize(
    "names, sizes, shape, message",
    [
        (None, (2,), (4, 4, 1), "`factor_names` must be different strings"),
        ("a", (2,), (4, 4, 1), "`factor_names` must be different strings"),
        ((1,), (2,), (4, 4, 1), "`factor_names` must be different strings"),
        (("a", "a"), (2, 2), (4, 4, 1), "`factor_names` must be different strings"),
        (("a",), 2, (4, 4, 1), "`factor_sizes` must be integers"),
        (("a",), (np.nan,), (4, 4, 1), "`factor_sizes` must be an integer"),
        (("a", "b", "c"), (2**30,) * 3, (4, 4, 1), "`factor_sizes` must have a product"),
        (("a",), (2,), None, "`image_shape` must be"),
        (("a",), (2,), (4, 4), "`image_shape` must be"),
    ],
)
def test_factor_dataset(names, sizes, shape, message):
    with pytest.raises(ValueError, match=message):
        FactorDataset(names, sizes, shape)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Clevr(None), "`variant` must be one of"),
        (lambda: Clevr([]), "`variant` must be one of"),
        (lambda: Clevr(image_size=2**20), "`image_size` must be an integer <= 2048"),
        (lambda: Clevr(positions=2**40), "`positions` must be an integer"),
        (lambda: Clevr(zoom=np.nan), "`zoom` must be a finite number"),
        (lambda: Clevr(zoom="1"), "`zoom` must be a finite number"),
        (lambda: DSpritesVariant([]), "`variant` must be one of"),
        (lambda: DSpritesVariant("scream", background=[[1], [1, 2]]), "`background` must be"),
        (lambda: SmallNORB(image_size=2**20), "`image_size` must be an integer <= 1024"),
        (lambda: SmallNORB(data_dir=3), "`data_dir` must be a path"),
        (lambda: correlated_factors(GRID, None, 0.2), "`pair` must be two of the factors"),
        (lambda: correlated_factors(GRID, (["hue"], "size"), 0.2), "`pair` must be two"),
        (lambda: correlated_factors(None, ("hue", "size"), 0.2), "`dataset` must be"),
        (lambda: edge_maps(IMAGES, sigma=1e9), "`sigma` must be a finite number"),
        (lambda: edge_maps(IMAGES, sigma=1e-300), "`sigma` must be a finite number"),
        (lambda: LabelledImages(IMAGES, [[1], [1, 2]]), "`factors` must be an array"),
        (lambda: LabelledImages(IMAGES, np.arange(12), [1]), "`factor_names` must be different"),
        (lambda: image_batches([[1], [1, 2]], 2, 0), "`images` must be an array"),
        (lambda: load_images("mnist", data_dir=3), "`data_dir` must be a path"),
        (lambda: load_images("a\0"), "`name_or_path` must be one of"),
        (lambda: load_images("a" * 5000), "`name_or_path` must be a path"),
        (lambda: load_paired_images(None), "`folder` must be a path"),
        (lambda: load_labelled_images(None), "`path` must be a path"),
        (lambda: Shapes3D.from_file(None), "`path` must be a path"),
        (lambda: DSprites.from_file(3), "`path` must be a path"),
        (lambda: GRID.index([[1], [1, 2]]), "`factors` must be an array"),
    ],
)
def test_other_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", ["uint8", "float32", "int64", "bool"])
@pytest.mark.parametrize("kind", ["memory map", "h5py"])
@pytest.mark.parametrize("squeezed", [False, True])
def test_images_stay_in_their_file(tmp_path, kind, dtype, squeezed):
    images = {"float32": IMAGES / np.float32(255), "bool": IMAGES > 99}.get(dtype, IMAGES)
    images = images.astype(dtype)[..., 0] if squeezed else images.astype(dtype)
    if kind == "h5py":
        file = h5py.File(tmp_path / "a.h5", "w")
        file["x"] = images
        stored = file["x"]
    else:
        np.save(tmp_path / "a.npy", images)
        stored = np.load(tmp_path / "a.npy", mmap_mode="r")
    index = [7, 2, 2, 11]
    for make in (
        lambda x: ArrayFactorDataset(x, (3, 4), ("hue", "size")),
        lambda x: LabelledImages(x, np.arange(12)),
    ):
        here, there = make(images), make(stored)
        np.testing.assert_array_equal(there.images(index), here.images(index))
        assert there.images(index).dtype == np.uint8
        assert there.images([]).shape == here.images([]).shape
    batches = [image_batches(x, 4, seed=0)[1][0] for x in (images, stored)]
    np.testing.assert_array_equal(*batches)


def test_stored_images_are_not_read_whole(tmp_path):
    read = []

    class Counting:
        shape, dtype = (5000, 4, 4), np.dtype("uint8")
        read_direct = None  # as a data set of h5py has

        def __len__(self):
            return 5000

        def __getitem__(self, rows):
            numbers = np.arange(5000)[rows]
            read.append(len(numbers))
            return np.tile(numbers[:, None, None] % 256, (1, 4, 4)).astype(np.uint8)

    data = LabelledImages(Counting(), np.arange(5000))
    assert max(read) <= 1024
    read.clear()
    assert data.images([4999, 3]).max() == 4999 % 256 and read == [2]


def test_bad_stored_images(tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 4, 4), np.nan))
    with pytest.raises(ValueError, match="`images` must lie in.*nan"):
        LabelledImages(np.load(tmp_path / "a.npy", mmap_mode="r"), [0, 1])
