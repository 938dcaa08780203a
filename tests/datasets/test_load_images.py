import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from keras_disentangle.datasets import load_images

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, size=(6, 8, 8), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, size=(6, 8, 8, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def zip_folder(folder, path, inside=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{inside}{file.relative_to(folder).as_posix()}")


@pytest.fixture
def folder(tmp_path):
    """train/{cat,dog}/…, test/dog/…, and things that are no images."""
    root = tmp_path / "pets"
    for i in range(4):
        save(root / "train" / ("cat" if i < 2 else "dog") / f"{i}.png", COLOUR[i])
    save(root / "test" / "dog" / "5.PNG", COLOUR[5])
    (root / "README.md").write_text("pets")
    (root / "train" / "cat" / ".hidden.png").write_text("no image")
    return root


@pytest.mark.parametrize("kind", ["folder", "zip", "zip with a folder around", "data_dir"])
def test_folders_and_zips(folder, tmp_path, kind):
    source, options = folder, {}
    if kind.startswith("zip"):
        source = tmp_path / "pets.zip"
        zip_folder(folder, source, "pets/" if "around" in kind else "")
    if kind == "data_dir":
        zip_folder(folder, tmp_path / "cifar10_png.zip")
        (tmp_path / "cifar100.zip").write_text("another data set")
        source, options = "cifar10", {"data_dir": tmp_path}
    images, labels = load_images(source, **options)
    np.testing.assert_array_equal(images, COLOUR[:4])
    np.testing.assert_array_equal(labels, [0, 0, 1, 1])
    assert images.dtype == np.uint8 and labels.dtype == np.int64
    images, labels = load_images(str(source), split="test", **options)
    np.testing.assert_array_equal(images, COLOUR[5:])
    np.testing.assert_array_equal(labels, [1])  # a dog, though there are no cats
    with pytest.raises(ValueError, match=r"split.*\['test', 'train'\].*'validation'"):
        load_images(source, split="validation", **options)


def test_class_folders_and_flat_folders(tmp_path):
    for i in range(6):
        save(tmp_path / "classes" / "abc"[LABELS[i]] / f"{i}.png", GREY[i])
        save(tmp_path / "flat" / f"{i}.png", GREY[i])
    images, labels = load_images(tmp_path / "classes")
    np.testing.assert_array_equal(images[..., 0], GREY[[0, 3, 1, 4, 2, 5]])
    np.testing.assert_array_equal(labels, [0, 0, 1, 1, 2, 2])
    images, labels = load_images(tmp_path / "flat")
    np.testing.assert_array_equal(images[..., 0], GREY)
    assert labels is None
    with pytest.raises(ValueError, match="split"):
        load_images(tmp_path / "flat", split="test")
    save(tmp_path / "flat" / "a" / "0.png", GREY[0])
    with pytest.raises(ValueError, match="side by side"):
        load_images(tmp_path / "flat")


def test_npz(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=GREY, y_train=LABELS[:, None], x_test=GREY[:2] / 255)
    for source, options in ((path, {}), ("mnist", {"data_dir": tmp_path})):
        images, labels = load_images(source, **options)
        np.testing.assert_array_equal(images, GREY[..., None])
        np.testing.assert_array_equal(labels, LABELS)
        assert labels.dtype == np.int64
        images, labels = load_images(source, split="test", **options)
        np.testing.assert_array_equal(images, GREY[:2, ..., None])
        assert labels is None
    np.savez(path, imgs=GREY)
    assert load_images(path)[1] is None
    np.savez(path, images=COLOUR, labels=LABELS)
    np.testing.assert_array_equal(load_images(path)[1], LABELS)


def test_arrays():
    images, labels = load_images(COLOUR)
    np.testing.assert_array_equal(images, COLOUR)
    assert labels is None
    assert load_images(GREY, image_shape=(4, 4, 3))[0].shape == (6, 4, 4, 3)
    with pytest.raises(ValueError, match="split"):
        load_images(COLOUR, split="test")


def test_image_shape_crops_the_centre_then_resizes(tmp_path):
    # CelebA's size: red above and below, green in the middle 178 rows.
    image = np.zeros((218, 178, 3), np.uint8)
    image[:, :, 0] = 255
    image[20:198] = (0, 255, 0)
    save(tmp_path / "celeb_a" / "face.png", image)
    save(tmp_path / "celeb_a" / "grey.png", np.arange(64, dtype=np.uint8).reshape(8, 8))
    images, _ = load_images("celeb_a", data_dir=tmp_path, image_shape=(64, 64, 3))
    np.testing.assert_array_equal(images[0], np.broadcast_to([0, 255, 0], (64, 64, 3)))
    assert images.shape == (2, 64, 64, 3)
    grey, _ = load_images(tmp_path / "celeb_a", image_shape=(16, 32, 1))
    assert grey.shape == (2, 16, 32, 1)
    with pytest.raises(ValueError, match="image_shape.*face.png.*grey.png"):
        load_images(tmp_path / "celeb_a")


def test_damaged_images_are_named(folder, tmp_path):
    file = folder / "train" / "dog" / "3.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"train/dog/3\.png"):
        load_images(folder)
    zip_folder(folder, tmp_path / "pets.zip")
    with pytest.raises(ValueError, match=r"train/dog/3\.png"):
        load_images(tmp_path / "pets.zip")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_damaged_images_are_counted_and_left_out_if_asked(kind, tmp_path):
    root = tmp_path / "pets"
    for i in range(6):
        save(root / "abc"[LABELS[i]] / f"{i}.png", COLOUR[i])
    damaged = [root / "a" / "0.png", *(root / "b" / f"{i}.png" for i in (0, 1, 2, 3))]
    for file in damaged:
        file.write_bytes(b"no image")
    if kind == "zip":
        zip_folder(root, tmp_path / "pets.zip")
        root = tmp_path / "pets.zip"
    counted = r"a/0\.png is not a readable image: .*, and 4 more: b/0\.png, b/1\.png, b/2\.png, …"
    with pytest.raises(ValueError, match=rf"{counted} \(5 of 9 .*`skip_damaged=True` \(--skip"):
        load_images(root)
    with pytest.warns(UserWarning, match=f"left out 5 of 9 files: {counted}") as told:
        images, labels = load_images(root, skip_damaged=True)
    assert len(told) == 1 and told[0].filename == __file__
    np.testing.assert_array_equal(images, COLOUR[[3, 4, 2, 5]])
    np.testing.assert_array_equal(labels, [0, 1, 2, 2])


def test_all_images_are_damaged(tmp_path):
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes(b"no image")
    for skip in (False, True):
        with pytest.raises(ValueError, match=r"0\.png is not .*1 more: 1\.png"):
            load_images(tmp_path, skip_damaged=skip)


@pytest.mark.parametrize("name", ["../out.png", "/out.png", "a/../../out.png", "..\\out.png"])
def test_zip_members_stay_inside(tmp_path, name):
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"")
    with pytest.raises(ValueError, match="outside"):
        load_images(path)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"x_train": np.zeros((0, 4, 4))}, "x_train.*at least one"),
        ({"x_train": np.zeros((2, 4, 4))}, "x_train.*constant"),
        ({"x_train": np.full((2, 4, 4), np.nan)}, "x_train.*NaN"),
        ({"x_train": GREY.astype("float32")}, r"x_train.*\[0, 1\]"),
        ({"x_train": GREY[0]}, r"x_train.*\(8, 8\)"),
        ({"x_train": GREY, "y_train": LABELS[:3]}, "y_train.*6 integers"),
        ({"x_train": GREY, "y_train": LABELS / 2}, "y_train.*float64"),
        ({"x_test": GREY}, r"split.*\['test'\].*'train'"),
        ({"pictures": GREY}, "x_train.*pictures"),
        ({"images": np.array([None])}, "damaged"),
    ],
)
def test_bad_npz(tmp_path, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path / "data.npz")


@pytest.mark.parametrize("suffix", [".npz", ".zip", ".tar"])
def test_not_what_it_is_called(tmp_path, suffix):
    (tmp_path / f"data{suffix}").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=f"data{suffix}"):
        load_images(tmp_path / f"data{suffix}")


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"name_or_path": "minst"}, ValueError, "celeb_a.*mnist.*'minst'"),
        ({"name_or_path": "no/such/folder"}, FileNotFoundError, "no/such/folder"),
        ({"name_or_path": "missing.npz"}, FileNotFoundError, "missing.npz"),
        ({"name_or_path": [[1]]}, ValueError, "name_or_path.*list"),
        ({"name_or_path": GREY, "split": None}, ValueError, "split.*None"),
        ({"name_or_path": GREY, "image_shape": (8, 8)}, ValueError, "image_shape"),
        ({"name_or_path": GREY, "image_shape": (8, 8, 4)}, ValueError, "image_shape"),
        ({"name_or_path": GREY, "image_shape": (8.5, 8, 1)}, ValueError, "image_shape"),
        ({"name_or_path": GREY, "image_shape": 8}, ValueError, "image_shape"),
        ({"name_or_path": GREY, "skip_damaged": 1}, ValueError, "`skip_damaged` must be True"),
        ({"name_or_path": "mnist", "data_dir": "no/such"}, FileNotFoundError, "data_dir"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        load_images(**options)


def test_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="images"):
        load_images(tmp_path)


def test_without_tensorflow_datasets(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match=r"pip install .*\[datasets\].*svhn\.npz"):
        load_images("svhn", data_dir=tmp_path)


def test_without_network(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")

    def refuse(self, **_):
        raise ConnectionError("no network")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    (tmp_path / "svhn_cropped" / "3.1.0.incomplete").mkdir(parents=True)  # an earlier attempt
    with pytest.raises(FileNotFoundError, match=r"no network.*svhn\.npz.*svhn\.zip"):
        load_images("svhn", data_dir=tmp_path)


@pytest.mark.parametrize("name, labelled", [("svhn", True), ("celeb_a", False)])
def test_tensorflow_datasets(name, labelled):
    tfds = pytest.importorskip("tensorflow_datasets")
    with tfds.testing.mock_data(num_examples=5):
        images, labels = load_images(name, image_shape=(16, 16, 3))
    assert images.shape == (5, 16, 16, 3) and images.dtype == np.uint8
    if labelled:
        assert labels.shape == (5,) and labels.dtype == np.int64
    else:
        assert labels is None


def test_real_data(data_dir):
    images, labels = load_images("mnist", data_dir=data_dir)
    assert images.shape == (60_000, 28, 28, 1)
    np.testing.assert_array_equal(np.unique(labels), np.arange(10))
    images, labels = load_images("cifar10", split="test", data_dir=data_dir)
    assert images.shape == (10_000, 32, 32, 3)
    np.testing.assert_array_equal(np.bincount(labels), 1000)
