import sys

import numpy as np
import pytest

from keras_disentangle.datasets._grid import grid_order, read_tfds_grid
from keras_disentangle.datasets._image_arrays import fit_images

SIZES = (2, 3, 4)
GRID = np.stack(np.unravel_index(np.arange(24), SIZES), axis=1)


def test_sorts_into_c_order():
    shuffled = np.random.default_rng(0).permutation(24)
    index = grid_order(GRID[shuffled], SIZES)
    assert index.dtype == np.int64
    np.testing.assert_array_equal(GRID[shuffled][index], GRID)
    np.testing.assert_array_equal(grid_order(GRID.astype(np.uint8), SIZES), np.arange(24))


@pytest.mark.parametrize(
    "labels, message",
    [
        (GRID[:, :2], r"shape \(n, 3\).*\(24, 2\)"),
        (GRID[0], r"shape \(n, 3\).*\(3,\)"),
        (GRID / 1, "integers.*float64"),
        (GRID + (0, 0, 1), r"0…size-1.*\[0, 0, 4\] for image 3"),
        (GRID - (0, 1, 0), r"0…size-1.*\[0, -1, 0\] for image 0"),
        (GRID[:-1], r"24 in all. Received: 23 labels"),
        (GRID[[5, *range(1, 24)]], r"24 labels, of which 0 are \[0, 0, 0\]"),
        (GRID[[5, *range(24)]], "25 labels"),
        (GRID[:0], "0 labels"),
    ],
)
def test_what_is_no_grid(labels, message):
    with pytest.raises(ValueError, match=message):
        grid_order(labels, SIZES)


def mock_tfds(labels, images):
    """TensorFlow Datasets that holds these, whatever it is asked for."""
    tfds = pytest.importorskip("tensorflow_datasets")
    tensorflow = pytest.importorskip("tensorflow")
    examples = {"image": images, **dict(zip("abc", labels.T, strict=True))}
    return tfds.testing.mock_data(
        as_dataset_fn=lambda *_, **__: tensorflow.data.Dataset.from_tensor_slices(examples)
    )


def read(splits=("train",), image_shape=(4, 4, 1)):
    return read_tfds_grid("mnist", splits, "abc", SIZES, image_shape, None, "put a file somewhere")


def test_reads_tensorflow_datasets_into_c_order():
    order = np.random.default_rng(0).permutation(24)
    images = np.random.default_rng(1).integers(0, 256, size=(24, 4, 4, 1), dtype=np.uint8)
    with mock_tfds(GRID[order], images[order]):
        np.testing.assert_array_equal(read(), images)
        smaller = read(image_shape=(2, 2, 1))
        with pytest.raises(ValueError, match=r"mnist.*Received: 48 labels"):
            read(splits=("train", "test"))
    np.testing.assert_array_equal(smaller, fit_images(images, (2, 2, 1)))
    with mock_tfds(GRID[:0], images[:0]), pytest.raises(ValueError, match="0 labels"):
        read()
    with mock_tfds(GRID + 1, images), pytest.raises(ValueError, match=r"0…size-1.*\[1, 1, 4\]"):
        read()


def test_without_tensorflow_datasets(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match=r"\[datasets\].*put a file somewhere"):
        read()


def test_without_network(monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")

    def refuse(self, **_):
        raise ConnectionError("no network")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    with pytest.raises(FileNotFoundError, match=r"no network.*put a file somewhere"):
        read()
