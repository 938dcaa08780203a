import sys

import numpy as np
import pytest

from keras_disentangle.metrics import hessian_penalty_map, peak_hessians
from keras_disentangle.visualization import enlarge, hessian_grid, penalty_heatmap

RNG = np.random.default_rng(0)
PENALTY = RNG.uniform(0, 4, size=(3, 5, 4))
IMAGES = RNG.uniform(size=(3, 5, 4, 3))
HESSIANS = RNG.normal(size=(2, 3, 6, 6))
MARK = np.array([255, 221, 0])


def heat(values, images=None, **arguments):
    """The colours of `values` themselves."""
    arguments = {"scale_bar": False, "padding": 0, "height": 1, **arguments}
    return penalty_heatmap(values, images, **arguments)


def test_one_colour_scale():
    picture = heat(PENALTY)
    assert picture.dtype == np.uint8 and picture.shape == (5, 12, 3)
    values = np.concatenate(PENALTY, axis=1)
    # The scale runs from light to dark, and equal colours are equal numbers.
    brightness = picture.astype(float).sum(axis=-1)
    order = np.argsort(values, axis=None)
    assert np.diff(brightness.ravel()[order]).max() <= 3
    assert brightness.max() > 600 and brightness.min() < 200
    np.testing.assert_array_equal(heat(PENALTY[0], limit=PENALTY.max()), picture[:, :4])
    np.testing.assert_array_equal(heat(10 * PENALTY), picture)


def test_limit_and_nothing_to_see():
    picture = heat(np.array([[0.0, 1.0, 2.0, 9.0]]), limit=2)
    np.testing.assert_array_equal(picture[0, 2], picture[0, 3])
    assert (picture[0, 1] != picture[0, 2]).any()
    np.testing.assert_array_equal(heat(np.zeros((2, 2))), np.tile(picture[:, :1], (2, 2, 1)))


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_over_images(channels):
    images = IMAGES[..., :channels]
    pure, bare = heat(PENALTY).astype(float), np.rint(255 * np.concatenate(images, axis=1))
    np.testing.assert_array_equal(heat(PENALTY, images, opacity=1), pure)
    np.testing.assert_array_equal(
        heat(PENALTY, images, opacity=0), np.broadcast_to(bare, pure.shape)
    )
    np.testing.assert_allclose(
        heat(PENALTY, images, opacity=0.25), 0.25 * pure + 0.75 * bare, atol=0.51
    )


def test_grid_of_heatmaps():
    assert heat(PENALTY, columns=2).shape == (10, 8, 3)
    assert heat(PENALTY, padding=2).shape == (9, 20, 3)


@pytest.mark.parametrize("height", [5, 200])
def test_scale_bar(height):
    penalty = np.linspace(0, 3, height)[:, None].repeat(8, axis=1)
    bare, picture = heat(penalty), heat(penalty, scale_bar=True)
    assert picture.shape[0] >= height
    np.testing.assert_array_equal(picture[:height, :8], bare)
    assert (picture[height:, :8] == 255).all()
    # From the colour of the limit, above, to that of 0, below; beside it are numbers.
    bar = picture[:, 8 + 6 + 2]
    inside = np.flatnonzero((bar != 255).any(axis=-1))
    np.testing.assert_array_equal(bar[inside[[0, -1]]], bare[[-1, 0], 0])
    assert (picture[:, 8 + 15 :].min(axis=-1) < 128).any()


def test_entries_and_their_magnitude():
    picture = hessian_grid(HESSIANS, scale_bar=False, height=6, padding=0)
    assert picture.dtype == np.uint8 and picture.shape == (12, 18, 3)
    magnitudes = np.abs(HESSIANS).transpose(0, 2, 1, 3).reshape(12, 18)
    np.testing.assert_array_equal(picture, heat(magnitudes))
    np.testing.assert_array_equal(
        hessian_grid(HESSIANS[1], scale_bar=False, height=6, padding=0, limit=magnitudes.max()),
        picture[6:],
    )


def test_entries_are_enlarged_and_padded():
    picture = hessian_grid(HESSIANS, scale_bar=False)
    assert picture.shape == (2 * 97 + 1, 3 * 97 + 1, 3)
    colours = enlarge(heat(np.abs(HESSIANS[1, 2]), limit=np.abs(HESSIANS).max())[None])[0]
    np.testing.assert_array_equal(picture[98:-1, 195:-1], colours)
    labelled = hessian_grid(HESSIANS, labels=["a", "with penalty"], scale_bar=False)
    np.testing.assert_array_equal(labelled[:, -picture.shape[1] :], picture)
    with_bar = hessian_grid(HESSIANS)
    np.testing.assert_array_equal(with_bar[:, : picture.shape[1]], picture)
    assert with_bar.shape[1] > picture.shape[1] + 20


@pytest.mark.parametrize("channels", [1, 3])
def test_images_stand_beside_their_hessians(channels):
    images = IMAGES[..., :channels]
    picture = hessian_grid(HESSIANS[0], images, scale_bar=False, height=10, padding=1)
    height, width = 12, 2 * 4 + 1 + 12  # images of 10 x 8, twice as large; a gap; the Hessian
    assert picture.shape == (height + 2, 3 * (width + 1) + 1, 3)
    tile = picture[1:-1, 2 + width : 2 + 2 * width]
    image = np.rint(255 * images[1].repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_array_equal(tile[:10, :8], np.broadcast_to(image, (10, 8, 3)))
    assert (tile[10:, :9] == 255).all() and (tile[:, 8] == 255).all()
    expected = heat(np.abs(HESSIANS[0, 1]), limit=np.abs(HESSIANS[0]).max())
    np.testing.assert_array_equal(tile[:, 9:], expected.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize(
    "pixel, rows, columns", [((4, 5), (6, 11), (8, 13)), ((0, 9), (0, 3), (16, 19))]
)
def test_frames_of_pixels(pixel, rows, columns):
    images = np.zeros((1, 8, 10, 3))
    picture = hessian_grid(
        HESSIANS[0, :1], images, [(*pixel, 2)], scale_bar=False, height=16, padding=0
    )
    is_marked = (picture == MARK).all(axis=-1)
    # Two pixels off the enlarged pixel, where the picture is so large.
    top, bottom, left, right = rows[0], rows[1], columns[0], columns[1]
    expected = np.zeros(is_marked.shape, bool)
    expected[top : bottom + 1, left : right + 1] = True
    expected[top + 1 : bottom, left + 1 : right] = False
    np.testing.assert_array_equal(is_marked, expected)


def test_pictures_of_measures():
    weights = RNG.normal(size=(3, 6, 5, 3))

    def generator(z):
        return 0.5 + 0.5 * np.sin(np.tensordot(z, weights, 1))

    z = RNG.normal(size=(2, 3))
    penalty = hessian_penalty_map(generator, z).max(axis=-1)
    assert penalty_heatmap(penalty, generator(z)).shape[2] == 3
    hessians, pixels = peak_hessians(generator, z)
    for n, (row, column, _) in enumerate(pixels):
        assert penalty[n, row, column] == penalty[n].max()
    assert hessian_grid(hessians, generator(z), pixels).shape[2] == 3


def test_pyplot_is_left_alone():
    before = "matplotlib.pyplot" in sys.modules
    penalty_heatmap(PENALTY)
    assert ("matplotlib.pyplot" in sys.modules) == before


@pytest.mark.parametrize(
    "penalty, arguments, message",
    [
        (PENALTY[0, 0], {}, r"`penalty` must be of shape .* Received: shape \(4,\)"),
        (PENALTY[:, :0], {}, "`penalty` must be of shape"),
        (-PENALTY, {}, "`penalty` must hold finite numbers >= 0. Received: numbers from -"),
        (PENALTY * np.nan, {}, "`penalty` must hold finite numbers"),
        (PENALTY + np.inf, {}, "`penalty` must hold finite numbers"),
        (PENALTY, {"opacity": 2}, "`opacity` must be .* >= 0 and <= 1. Received: opacity=2"),
        (PENALTY, {"limit": 0}, "`limit` must be a finite number > 0. Received: limit=0"),
        (PENALTY, {"columns": 0}, "`columns` must be an integer >= 1"),
        (PENALTY, {"images": IMAGES[:2]}, r"`images` must be of shape \(3, 5, 4, 3\) or"),
        (PENALTY, {"images": IMAGES[..., [0, 1, 2, 0]]}, r"Received: shape \(3, 5, 4, 4\)"),
        (PENALTY, {"images": IMAGES * 99}, r"`images` must be uint8 or"),
    ],
)
def test_bad_input_of_heatmaps(penalty, arguments, message):
    with pytest.raises(ValueError, match=message):
        penalty_heatmap(penalty, **arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"hessians": HESSIANS[0, 0]}, r"`hessians` must be of shape .* Received: shape \(6, 6\)"),
        ({"hessians": HESSIANS[..., :5]}, "`hessians` must be of shape"),
        ({"hessians": HESSIANS * np.nan}, "`hessians` must be finite"),
        ({"labels": ["one"]}, r"`labels` must be 2 strings.* Received: labels=\['one'\]"),
        ({"limit": -1}, "`limit` must be a finite number > 0"),
        ({"images": IMAGES}, r"`images` must hold one .* 2 rows of 3. Received: .*\(3, 5, 4, 3\)"),
        ({"pixels": np.zeros((2, 3, 2), int)}, "`pixels` are drawn in images"),
        (
            {"images": np.stack([IMAGES] * 2), "pixels": np.zeros((3, 2))},
            "`pixels` must hold a row",
        ),
        ({"images": np.stack([IMAGES] * 2), "pixels": np.zeros((2, 3, 1))}, r"\(2, 3, 1\)"),
    ],
)
def test_bad_input_of_hessians(arguments, message):
    with pytest.raises(ValueError, match=message):
        hessian_grid(**{"hessians": HESSIANS, **arguments})
