import numpy as np
import pytest
from factor_images import SIZES, factor_images

import keras_disentangle as kd
from keras_disentangle.datasets import ArrayFactorDataset, LabelledImages, load_labelled_images

GRID = factor_images()
IMAGES, FACTORS = GRID.images(np.arange(40)), GRID.factors(np.arange(40))


def test_images_factors_and_names():
    data = LabelledImages(IMAGES[:30], FACTORS[:30], ["hue", "size", "shape"])
    assert len(data) == 30 and data.image_shape == (8, 8, 1)
    assert data.factor_names == ("hue", "size", "shape")
    np.testing.assert_array_equal(data.images([3, 1]), IMAGES[[3, 1]])
    np.testing.assert_array_equal(data.factors([3, 1]), FACTORS[[3, 1]])
    assert data.factors([0]).dtype == np.int64


def test_one_factor_may_be_a_vector():
    data = LabelledImages(IMAGES, FACTORS[:, 0])
    assert data.factors([39]).tolist() == [[4]] and data.factor_names == ("factor_1",)


def test_samples_are_drawn_without_replacement():
    data = LabelledImages(IMAGES, FACTORS)
    index = data.sample_index(10, 0)
    assert len(set(index.tolist())) == 10
    np.testing.assert_array_equal(index, data.sample_index(10, 0))
    assert sorted(data.sample_index(1000, 0).tolist()) == list(range(40))
    np.testing.assert_array_equal(GRID.sample_index(10, 0), index)


def test_batches_are_those_of_image_batches():
    (x,) = LabelledImages(IMAGES, FACTORS).batches(8, seed=3)[0]
    (expected,) = kd.datasets.image_batches(IMAGES, 8, seed=3)[0]
    np.testing.assert_array_equal(x, expected)


def test_a_file_with_a_grid_in_any_order(tmp_path):
    order = np.random.default_rng(0).permutation(40)
    values = np.array([[7, 70, -1]]) * FACTORS + 3  # numbers of values need not begin at 0
    np.savez(tmp_path / "a.npz", images=IMAGES[order], factors=values[order])
    data = load_labelled_images(tmp_path / "a.npz")
    assert isinstance(data, ArrayFactorDataset) and data.factor_sizes == SIZES
    # The last factor's values fall where its numbers rise.
    flipped = FACTORS * [1, 1, -1] + [0, 0, 1]
    np.testing.assert_array_equal(data.images(data.index(flipped)), IMAGES)


def test_a_file_without_a_grid(tmp_path):
    names = np.array(["hue", "size", "shape"])
    np.savez(tmp_path / "a.npz", images=IMAGES[:39], factors=FACTORS[:39], factor_names=names)
    data = load_labelled_images(str(tmp_path / "a.npz"))
    assert isinstance(data, LabelledImages) and data.factor_names == ("hue", "size", "shape")


@pytest.mark.parametrize("width", [34, 40, 70])
def test_a_file_with_many_attributes(tmp_path, width):
    attributes = np.random.default_rng(0).integers(0, 2, size=(40, width))
    np.savez(tmp_path / "a.npz", images=IMAGES, factors=attributes)
    assert isinstance(load_labelled_images(tmp_path / "a.npz"), LabelledImages)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"images": IMAGES}, r"must hold images and factors. Received: \['images'\]"),
        ({"images": IMAGES, "factors": FACTORS / 4}, "`factors` must be integers.*float64"),
        ({"images": IMAGES, "factors": FACTORS[:9]}, r"of shape \(40, k\).*\(9, 3\)"),
        (
            {"images": IMAGES, "factors": FACTORS, "factor_names": np.array(["hue"])},
            r"`factor_names` must be 3 names.*\('hue',\)",
        ),
    ],
)
def test_what_a_file_must_hold(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_labelled_images(tmp_path / "a.npz")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*none.npz"):
        load_labelled_images(tmp_path / "none.npz")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(ValueError, match="a.npz is not a readable npz file"):
        load_labelled_images(tmp_path / "a.npz")
