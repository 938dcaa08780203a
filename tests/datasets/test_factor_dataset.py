import keras
import numpy as np
import pytest

from keras_disentangle.datasets import ArrayFactorDataset, DSprites, FactorDataset

SIZES = (2, 3, 4)


def small_dataset(**changes):
    images = np.random.default_rng(0).integers(0, 256, size=(24, 5, 6, 3), dtype=np.uint8)
    arguments = {"images": images, "factor_sizes": SIZES, "factor_names": ("a", "b", "c")}
    return ArrayFactorDataset(**(arguments | changes))


@pytest.mark.parametrize("make", [small_dataset, DSprites])
def test_index_and_factors_are_inverse(make):
    data = make()
    rng = np.random.default_rng(0)
    last = np.array(data.factor_sizes) - 1
    index = np.r_[0, len(data) - 1, rng.integers(len(data), size=500)]
    factors = data.factors(index)
    assert factors.dtype == np.int64 and factors.shape == (502, len(last))
    np.testing.assert_array_equal(factors[0], 0 * last)
    np.testing.assert_array_equal(factors[1], last)
    np.testing.assert_array_equal(data.index(factors), index)
    corners = np.stack(np.meshgrid(*[[0, n] for n in last]), axis=-1).reshape(-1, len(last))
    np.testing.assert_array_equal(data.factors(data.index(corners)), corners)


def test_last_factor_varies_fastest():
    factors = small_dataset().factors(np.arange(6))
    np.testing.assert_array_equal(
        factors, [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 0, 3], [0, 1, 0], [0, 1, 1]]
    )


def test_array_images():
    images = np.random.default_rng(0).integers(0, 256, size=(24, 5, 6, 3), dtype=np.uint8)
    data = small_dataset()
    assert len(data) == 24 and data.image_shape == (5, 6, 3)
    np.testing.assert_array_equal(data.images([3, 3, 0]), images[[3, 3, 0]])
    floats = small_dataset(images=(images / 255).astype("float32"))
    np.testing.assert_array_equal(floats.images(np.arange(24)), images)
    binary = small_dataset(images=images[..., 0] > 127)
    assert binary.image_shape == (5, 6, 1)
    assert set(np.unique(binary.images([0, 1]))) == {0, 255}


def test_sample_factors():
    data = small_dataset()
    factors = data.sample_factors(2000, np.random.default_rng(0))
    assert factors.shape == (2000, 3) and factors.dtype == np.int64
    for column, size in zip(factors.T, SIZES, strict=True):
        np.testing.assert_allclose(np.bincount(column) / 2000, 1 / size, atol=0.05)
    np.testing.assert_array_equal(data.sample_factors(5, 7), data.sample_factors(5, 7))


def test_abstract():
    data = FactorDataset(("a",), (3,), (4, 4, 1))
    with pytest.raises(NotImplementedError):
        data.images([0])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda d: d.index([[0, 0, 4]]), r"0…size-1.*\[0, 0, 4\]"),
        (lambda d: d.index([[0, -1, 0]]), r"0…size-1.*\[0, -1, 0\]"),
        (lambda d: d.index([[0, 0]]), r"shape \(n, 3\).*\(1, 2\)"),
        (lambda d: d.index([0, 0, 0]), r"shape \(n, 3\).*\(3,\)"),
        (lambda d: d.index([[0.0, 0.0, 0.0]]), "integers.*float64"),
        (lambda d: d.factors([24]), "0…23.*24"),
        (lambda d: d.factors([-1]), "0…23.*-1"),
        (lambda d: d.images([0.5]), "integers.*float64"),
        (lambda d: d.images([[0]]), r"shape \(n,\)"),
        (lambda d: d.batches(25, seed=0), "batch_size.*24"),
        (lambda d: d.batches(0, seed=0), "batch_size"),
        (lambda d: d.batches(2.5, seed=0), "batch_size"),
        (lambda d: d.batches(2, seed=None), "seed"),
        (lambda d: d.batches(2, seed=0, steps_per_epoch=0), "steps_per_epoch"),
    ],
)
def test_bad_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(small_dataset())


IMAGES = np.random.default_rng(0).random((24, 5, 6, 1))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"images": IMAGES[:0]}, "at least one"),
        ({"images": IMAGES[:20]}, "24 images.*20"),
        ({"images": IMAGES[0, 0]}, "images.*channels"),
        ({"images": np.zeros((24, 5, 6, 2))}, "channels"),
        ({"images": np.ones((24, 5, 6, 1))}, "constant"),
        ({"images": np.where(IMAGES > 0.9, np.nan, IMAGES)}, "NaN"),
        ({"images": IMAGES * 2}, r"\[0, 1\]"),
        ({"images": IMAGES - 0.5}, r"\[0, 1\]"),
        ({"images": (IMAGES * 300).astype(int)}, "0…255"),
        ({"images": IMAGES.astype(str)}, "numbers"),
        ({"factor_sizes": (2, 12)}, "one entry for each factor"),
        ({"factor_sizes": (2, 3, 0)}, "factor_sizes"),
        ({"factor_sizes": (2, 3, 4.0)}, "factor_sizes"),
    ],
)
def test_bad_data(changes, message):
    with pytest.raises(ValueError, match=message):
        small_dataset(**changes)


def test_images_of_ones_own_must_be_uint8():
    class Bars(FactorDataset):
        def __init__(self, images):
            super().__init__(["height"], [4], (4, 4, 1))
            self.images = images

    for images in (
        lambda index: np.zeros((len(index), 4, 4, 1)),
        lambda index: np.zeros((len(index), 4, 4), "uint8"),
    ):
        with pytest.raises(ValueError, match=r"`images` must return uint8 images \(n, h, w, c\)"):
            Bars(images).batches(2, seed=0)[0]


def test_batches_train_a_model():
    class Model(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            assert y is None
            return keras.ops.mean(keras.ops.square(y_pred))

    model = Model([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd")
    batches = small_dataset().batches(5, seed=0)
    model.fit(batches, epochs=3, verbose=0)
    assert batches.epoch == 3
