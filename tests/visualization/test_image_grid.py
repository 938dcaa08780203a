import numpy as np
import pytest

from keras_disentangle.visualization import image_grid, reconstruction_grid


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_each_image_is_in_its_place_on_white(channels):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 3, channels), dtype="uint8")
    grid = image_grid(images, columns=2, padding=2)
    assert grid.dtype == np.uint8 and grid.shape == (3 * 6 + 2, 2 * 5 + 2, channels)
    np.testing.assert_array_equal(grid[2:6, 2:5], images[0])
    np.testing.assert_array_equal(grid[2:6, 7:10], images[1])
    np.testing.assert_array_equal(grid[14:18, 2:5], images[4])
    assert (grid[12:, 7:] == 255).all() and (grid[:2] == 255).all()


def test_floats_are_rounded_to_uint8():
    values = np.array([0, 0.5, 1, 1.0000001, -1e-7], "float32").reshape(5, 1, 1, 1)
    assert image_grid(values, columns=5, padding=0).ravel().tolist() == [0, 128, 255, 255, 0]


@pytest.mark.parametrize(
    "images, arguments, message",
    [
        (np.zeros((4, 4)), {}, r"`images` must be images.*\(4, 4\)"),
        (np.zeros((0, 4, 4, 1)), {}, "`images` must be images"),
        (np.zeros((2, 4, 4, 2)), {}, "`images` must be images"),
        (np.full((2, 4, 4, 1), 255.0), {}, r"in \[0, 1\].*255"),
        (np.full((2, 4, 4, 1), np.nan), {}, r"in \[0, 1\].*nan"),
        (np.zeros((2, 4, 4, 1)), {"columns": 0}, "columns=0"),
        (np.zeros((2, 4, 4, 1)), {"padding": -1}, "padding=-1"),
    ],
)
def test_bad_input_is_named(images, arguments, message):
    with pytest.raises(ValueError, match=message):
        image_grid(images, **{"columns": 2, **arguments})


def test_reconstructions_stand_below_their_originals():
    images = np.linspace(0, 0.4, 5 * 16).reshape(5, 4, 4, 1)
    grid = reconstruction_grid(images, images + 0.5, columns=3, padding=0)
    assert grid.shape == (2 * 8 + 4, 12, 1)  # two blocks of two rows, a gap of 4 between them
    np.testing.assert_array_equal(grid[:4], image_grid(images[:3], 3, 0))
    np.testing.assert_array_equal(grid[16:, :8], image_grid(images[3:] + 0.5, 2, 0))
    assert (grid[8:12] == 255).all() and (grid[12:, 8:] == 255).all()
    with pytest.raises(ValueError, match=r"one shape.*\(5, 4, 4, 1\) and \(4, 4, 4, 1\)"):
        reconstruction_grid(images, images[1:])
