import numpy as np
import pytest

from keras_disentangle.visualization import enlarge, image_grid, reconstruction_grid


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_each_image_is_in_its_place_on_white(channels):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 3, channels), dtype="uint8")
    grid = image_grid(images, columns=2, padding=2, height=1)
    assert grid.dtype == np.uint8 and grid.shape == (3 * 6 + 2, 2 * 5 + 2, channels)
    np.testing.assert_array_equal(grid[2:6, 2:5], images[0])
    np.testing.assert_array_equal(grid[2:6, 7:10], images[1])
    np.testing.assert_array_equal(grid[14:18, 2:5], images[4])
    assert (grid[12:, 7:] == 255).all() and (grid[:2] == 255).all()


def test_floats_are_rounded_to_uint8():
    values = np.array([0, 0.5, 1, 1.0000001, -1e-7], "float32").reshape(5, 1, 1, 1)
    assert image_grid(values, columns=5, padding=0, height=1).ravel().tolist() == [
        0,
        128,
        255,
        255,
        0,
    ]


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
    grid = reconstruction_grid(images, images + 0.5, columns=3, padding=0, height=1)
    assert grid.shape[0] == 2 * 8 + 4  # two blocks of two rows, a gap of 4 between them
    assert grid[:, :-12].min() < 100  # what they are, at the left
    grid = grid[:, -12:]
    np.testing.assert_array_equal(grid[:4], image_grid(images[:3], 3, 0, height=1))
    np.testing.assert_array_equal(grid[16:, :8], image_grid(images[3:] + 0.5, 2, 0, height=1))
    assert (grid[8:12] == 255).all() and (grid[12:, 8:] == 255).all()
    with pytest.raises(ValueError, match=r"one shape.*\(5, 4, 4, 1\) and \(4, 4, 4, 1\)"):
        reconstruction_grid(images, images[1:])


def test_rows_and_columns_have_labels():
    images = np.full((5, 96, 96, 1), 0.5)
    grid = image_grid(images, 2, row_labels=["a", "b", "c"], column_labels=["left", "right"])
    bare = image_grid(images, 2)
    foot, margin = np.subtract(grid.shape[:2], bare.shape[:2])
    np.testing.assert_array_equal(grid[:-foot, margin:], bare)
    for row in range(3):
        assert grid[97 * row : 97 * (row + 1), :margin].min() < 100
    for column in range(2):
        assert grid[-foot:, margin + 97 * column : margin + 97 * (column + 1)].min() < 100
    assert (grid[-foot:, :margin] == 255).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_title_stands_above(channels):
    images = np.full((2, 96, 96, channels), 0.5)
    bare = image_grid(images, 2)
    for title in ("short", "longer than all of the images of the picture together"):
        grid = image_grid(images, 2, title=title)
        head = len(grid) - len(bare)
        np.testing.assert_array_equal(grid[head:, : bare.shape[1]], bare)
        dark = (grid[..., :3].min(axis=-1) < 100)[:head]
        # Whole: it touches no border.
        assert dark.any() and not (dark[[0, -1]].any() or dark[:, -1].any())
    with pytest.raises(ValueError, match="`title` must be a text or None. Received: title=5"):
        image_grid(images, 2, title=5)


@pytest.mark.parametrize("size, factor", [(28, 4), (32, 3), (64, 2), (95, 2), (96, 1), (128, 1)])
def test_small_images_are_enlarged_by_repeating_pixels(size, factor):
    images = np.random.default_rng(0).integers(0, 256, (2, size, 5, 3), dtype="uint8")
    expected = np.kron(images, np.ones((1, factor, factor, 1), "uint8"))
    np.testing.assert_array_equal(enlarge(images), expected)
    grid = image_grid(images, 1, padding=0)
    np.testing.assert_array_equal(grid, np.concatenate(expected))


def test_labels_that_are_too_wide_do_not_overlap():
    images = np.full((6, 8, 8, 1), 0.5)
    grid = image_grid(images, 6, column_labels=["-2.5"] * 6, height=1)
    written = np.flatnonzero(grid[10:, :, 0].min(axis=0) < 200)
    gaps = np.diff(written)
    # Some are left out: between those that are drawn there is room.
    assert written.size and gaps.max() > 4


@pytest.mark.parametrize("labels", [["a"], ["a", "b", "c"], "ab", 5, [1, 2]])
def test_bad_labels_are_named(labels):
    images = np.zeros((4, 8, 8, 1))
    for name, of in (("row_labels", "row"), ("column_labels", "column")):
        with pytest.raises(ValueError, match=f"`{name}` must be 2 strings, one for each {of}"):
            image_grid(images, 2, **{name: labels})


def test_a_little_beyond_the_range_is_clipped_with_a_warning():
    images = np.array([-0.5, 0.5, 1.5]).reshape(3, 1, 1, 1)
    with pytest.warns(UserWarning, match="`images` holds numbers from -0.5 to 1.5: shown clipped"):
        assert image_grid(images, 3, padding=0, height=1).ravel().tolist() == [0, 128, 255]
