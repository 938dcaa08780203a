"""Files with photographs of 4×4 pixels, whose first two pixels tell the instance and azimuth."""

import gzip

import numpy as np
import pytest

from keras_disentangle.datasets.small_norb import SmallNORB

SIZES = (5, 10, 9, 18, 6)
CODES = {"u1": 0x1E3D4C55, "i4": 0x1E3D4C54}
TRAINING = "smallnorb-5x46789x9x18x6x2x96x96-training"
TESTING = "smallnorb-5x01235x9x18x6x2x96x96-testing"


def chunk(instances, seed):
    """Images (24300, 2, 4, 4) and labels (24300, 5), in some order."""
    values = [np.arange(5), instances, *[np.arange(size) for size in SIZES[2:]]]
    labels = np.stack(np.meshgrid(*values, indexing="ij"), axis=-1).reshape(-1, 5)
    rng = np.random.default_rng(seed)
    labels = rng.permutation(labels)
    images = rng.integers(0, 256, size=(len(labels), 2, 4, 4), dtype=np.uint8)
    images[:, 0, 0, :2] = labels[:, [1, 3]]
    return images, labels


CHUNKS = {TRAINING: chunk([4, 6, 7, 8, 9], 0), TESTING: chunk([0, 1, 2, 3, 5], 1)}


def binary(array, dtype):
    sizes = [*array.shape, 1, 1][: max(3, array.ndim)]
    header = np.array([CODES[dtype], array.ndim, *sizes], "<i4")
    return header.tobytes() + array.astype(f"<{dtype}").tobytes()


@pytest.fixture
def folder(tmp_path):
    for name, (images, labels) in CHUNKS.items():
        info = labels[:, 1:] * (1, 1, 2, 1)  # azimuths count tens of degrees
        (tmp_path / f"{name}-cat.mat").write_bytes(binary(labels[:, 0], "i4"))
        (tmp_path / f"{name}-info.mat").write_bytes(binary(info, "i4"))
        (tmp_path / f"{name}-dat.mat").write_bytes(binary(images, "u1"))
    return tmp_path


def check(data):
    """Every image is where its labels say."""
    assert data.factor_names == ("category", "instance", "elevation", "azimuth", "lighting")
    assert data.factor_sizes == SIZES and len(data) == 48_600
    found = data.images(np.arange(48_600))
    np.testing.assert_array_equal(found[:, 0, :2, 0], data.factors(np.arange(48_600))[:, [1, 3]])
    for images, labels in CHUNKS.values():
        np.testing.assert_array_equal(found[data.index(labels), ..., 0], images[:, 0])


def test_files(folder):
    check(SmallNORB(folder, image_size=4))
    for path in folder.glob("*-testing-*"):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        path.unlink()
    check(SmallNORB(str(folder), image_size=4))


def test_resizes(folder):
    data = SmallNORB(folder, image_size=2)
    assert data.image_shape == (2, 2, 1)
    large = SmallNORB(folder, image_size=4).images(np.arange(1000))
    means = large.reshape(-1, 2, 2, 2, 2).mean(axis=(2, 4)).ravel()
    assert np.corrcoef(data.images(np.arange(1000)).ravel(), means)[0, 1] > 0.9


def test_tensorflow_datasets():
    tfds = pytest.importorskip("tensorflow_datasets")
    tensorflow = pytest.importorskip("tensorflow")
    names = ["label_category", "instance", "label_elevation", "label_azimuth", "label_lighting"]
    splits = {"train": CHUNKS[TRAINING], "test": CHUNKS[TESTING]}

    def examples(_, split, **__):
        images, labels = splits[split]
        columns = dict(zip(names, labels.T, strict=True))
        return tensorflow.data.Dataset.from_tensor_slices(
            {"image": images[:, 0, ..., None], "image2": images[:, 1, ..., None], **columns}
        )

    with tfds.testing.mock_data(as_dataset_fn=examples):
        check(SmallNORB(image_size=4))
    features = tfds.builder("smallnorb").info.features
    assert [features[name].num_classes for name in names] == list(SIZES)
    assert features["image"].shape == (96, 96, 1)


def spoil(folder, kind, change):
    path = folder / f"{TESTING}-{kind}.mat"
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    "kind, change, message",
    [
        ("dat", lambda old: old[:-1], r"testing-dat.mat.*\(24300, 2, n, n\).*bytes"),
        ("dat", lambda old: binary(CHUNKS[TESTING][0][:, 0], "u1"), "testing-dat.mat"),
        ("cat", lambda old: old[:4], "testing-cat.mat.*4 bytes"),
        ("cat", lambda old: b"", "testing-cat.mat.*0 bytes"),
        ("cat", lambda old: b"\0" + old[1:], "testing-cat.mat"),
        ("cat", lambda old: binary(np.arange(100), "i4"), r"testing-info.mat.*\(100, 4\).*24300"),
        ("info", lambda old: binary(CHUNKS[TESTING][1][:, 1:], "u1"), "testing-info.mat"),
        ("info", lambda old: binary(np.zeros((24_300, 4)), "i4"), r"small NORB.*48600"),
        ("info", lambda old: binary(np.full((24_300, 4), 99), "i4"), r"0…size-1.*99"),
    ],
)
def test_bad_files(folder, kind, change, message):
    spoil(folder, kind, change)
    with pytest.raises(ValueError, match=message):
        SmallNORB(folder, image_size=4)


def test_damaged_gz(folder):
    path = folder / f"{TESTING}-cat.mat"
    (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1)[:-9])
    path.unlink()
    with pytest.raises(ValueError, match="cat.mat.gz is not readable"):
        SmallNORB(folder, image_size=4)


def test_missing_file(folder):
    (folder / f"{TESTING}-info.mat").unlink()
    with pytest.raises(FileNotFoundError, match="testing-info.mat or .*testing-info.mat.gz"):
        SmallNORB(folder, image_size=4)


def test_bad_size():
    with pytest.raises(ValueError, match="image_size"):
        SmallNORB(image_size=64.0)
