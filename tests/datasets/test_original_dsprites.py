import numpy as np
import pytest

from keras_disentangle.datasets import DSprites
from keras_disentangle.datasets._original_dsprites import from_file, from_tfds

NAMES = ("shape", "scale", "orientation", "x_position", "y_position")
SIZES = (3, 2, 1, 2, 2)  # the file of a smaller grid
GRID = np.stack(np.unravel_index(np.arange(24), SIZES), axis=1)
IMAGES = (np.random.default_rng(0).random((24, 64, 64)) > 0.9).astype(np.uint8)
# The first column is the colour.
CLASSES = np.concatenate([np.zeros((24, 1), int), GRID], axis=1)


def save(path, **changes):
    arrays = {"imgs": IMAGES, "latents_classes": CLASSES, "metadata": np.array({"a": object})}
    arrays = {key: value for key, value in (arrays | changes).items() if value is not None}
    np.savez(path, **arrays, allow_pickle=True)
    return path


@pytest.mark.parametrize("shuffled", [False, True])
def test_from_file(tmp_path, shuffled):
    order = np.random.default_rng(0).permutation(24) if shuffled else np.arange(24)
    path = save(tmp_path / "a.npz", imgs=IMAGES[order], latents_classes=CLASSES[order])
    data = from_file(str(path), SIZES, NAMES)
    assert data.factor_names == DSprites().factor_names and data.image_shape == (64, 64, 1)
    images = data.images(np.arange(24))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[..., 0], 255 * IMAGES)
    np.testing.assert_array_equal(data.factors(np.arange(24)), GRID)


def test_from_tfds():
    tfds = pytest.importorskip("tensorflow_datasets")
    tensorflow = pytest.importorskip("tensorflow")
    order = np.random.default_rng(0).permutation(24)
    examples = {f"label_{name}": GRID[order, i] for i, name in enumerate(NAMES)}
    examples["image"] = IMAGES[order, ..., None]
    with tfds.testing.mock_data(
        as_dataset_fn=lambda *_, **__: tensorflow.data.Dataset.from_tensor_slices(examples)
    ):
        data = from_tfds(None, SIZES, NAMES)
        np.testing.assert_array_equal(data.images(np.arange(24))[..., 0], 255 * IMAGES)
    # What the library itself makes up is no grid, but has these features.
    features = tfds.builder("dsprites").info.features
    assert set(examples) <= set(features) and features["image"].shape == (64, 64, 1)
    assert [features[f"label_{name}"].num_classes for name in NAMES] == list(
        DSprites().factor_sizes
    )


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"imgs": None}, r"must hold.*imgs.*Received: \['latents_classes'"),
        ({"latents_classes": None}, "must hold.*latents_classes.*Received: .*imgs"),
        ({"latents_classes": CLASSES[:, 1:]}, r"latents_classes.*\(24, 6\).*\(24, 5\)"),
        ({"latents_classes": CLASSES / 1}, "latents_classes.*float64"),
        ({"latents_classes": CLASSES[[0, *range(23)]]}, r"2 are \[0, 0, 0, 0, 0\]"),
        ({"latents_classes": CLASSES + 1}, r"0…size-1.*\[1, 1, 1, 1, 1\]"),
        ({"imgs": IMAGES[:23]}, r"imgs.*\(24, 64, 64\).*\(23, 64, 64\)"),
        ({"imgs": IMAGES[:, :32, :32]}, r"imgs.*\(24, 32, 32\)"),
        ({"imgs": IMAGES / 1}, "imgs.*float64"),
        ({"imgs": np.array([None])}, "imgs is damaged: .*objects"),
        ({"imgs": 0 * IMAGES}, "constant"),
    ],
)
def test_bad_files(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        from_file(save(tmp_path / "a.npz", **changes), SIZES, NAMES)


def test_the_file_must_be_all_of_dsprites(tmp_path):
    with pytest.raises(ValueError, match=r"\(737280, 6\).*\(24, 6\)"):
        DSprites.from_file(save(tmp_path / "a.npz"))
    (tmp_path / "b.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="b.npz is not a readable npz"):
        DSprites.from_file(tmp_path / "b.npz")
    with pytest.raises(FileNotFoundError, match="c.npz"):
        DSprites.from_file(tmp_path / "c.npz")
