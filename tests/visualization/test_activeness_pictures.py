import sys

import numpy as np
import pytest
from PIL import Image

from keras_disentangle.visualization import activeness_bars, components_by_activeness

LATENT = np.array([0.5, -1.0, 0.0], "float32")
SCORES = np.array([0.1, 0.3, 0.2])
BLUE, ORANGE = (0, 114, 178), (230, 159, 0)
BARE = {"padding": 0, "height": 1, "value_labels": False}


def decode(latents):
    """Writes each latent component, mapped from [-4, 4] to [0, 1], into its row of pixels."""
    return np.repeat(latents[:, :, None, None] / 8 + 0.5, 3, axis=2)


def rows_of(picture, number, columns):
    """The latents (rows, columns, 3) that a picture with `padding=0` shows, right of its labels."""
    images = picture[:, -3 * columns :].reshape(number, 3, columns, 3)
    return (images[..., 0].transpose(0, 2, 1) / 255 - 0.5) * 8


@pytest.mark.parametrize("num, order", [(None, [1, 2, 0]), (2, [1, 2]), (9, [1, 2, 0])])
def test_rows_are_in_falling_order(num, order):
    picture = components_by_activeness(decode, LATENT, SCORES, num=num, steps=5, **BARE)
    assert picture.dtype == np.uint8 and picture.shape[1] > 5 * 3 + 20
    expected = np.tile(LATENT, (len(order), 5, 1))
    for row, component in enumerate(order):
        expected[row, :, component] = [-2, -1, 0, 1, 2]
    np.testing.assert_allclose(rows_of(picture, len(order), 5), expected, atol=0.02)


def test_values_and_ties():
    picture = components_by_activeness(decode, LATENT, np.ones(3), values=[0, 3], **BARE)
    for component in range(3):
        row = rows_of(picture, 3, 2)[component, :, component]
        np.testing.assert_allclose(row, [0, 3], atol=0.02)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"latent": np.zeros((1, 3))}, "`latent` must be of shape"),
        ({"activeness": SCORES[:2]}, r"`activeness` must be 3 finite numbers.*=\[0.1 0.3\]"),
        ({"activeness": SCORES * np.nan}, "`activeness` must be 3 finite numbers"),
        ({"num": 0}, "`num` must be an integer >= 1"),
        ({"steps": 1}, "`steps` must be an integer >= 2"),
        ({"decode": lambda z: 20 + decode(z)}, r"`decode\(latent\)` must be uint8 or"),
    ],
)
def test_bad_input_of_components(arguments, message):
    with pytest.raises(ValueError, match=message):
        components_by_activeness(
            **{"decode": decode, "latent": LATENT, "activeness": SCORES, **arguments}
        )


def heights(picture, color):
    """The heights of the bars of one colour, left to right."""
    is_color = (np.abs(picture.astype(int) - color) < 8).all(-1)
    # The legend is in the upper half, at the right; bars stand on the axis.
    is_color[: len(is_color) // 2, picture.shape[1] * 2 // 3 :] = False
    columns = is_color.sum(axis=0)
    edges = np.flatnonzero(np.diff(columns > 0)) + 1
    rows = [np.flatnonzero(is_color[:, a:b].any(axis=1)) for a, b in edges.reshape(-1, 2)]
    return [1 + found[-1] - found[0] for found in rows]


def test_bars_are_sorted_for_each_generator(tmp_path):
    picture = activeness_bars({"a": [1, 4, 2], "b": [3, 0.5]}, path=tmp_path / "bars.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "bars.png")), picture)
    assert picture.dtype == np.uint8 and picture.shape == (384, 576, 3)
    first, second = heights(picture, BLUE), heights(picture, ORANGE)
    assert len(first) == 3 and len(second) == 2
    unit = first[0] / 4
    np.testing.assert_allclose(first, np.array([4, 2, 1]) * unit, atol=2)
    np.testing.assert_allclose(second, np.array([3, 0.5]) * unit, atol=2)


def test_bars_differ_without_their_colours():
    picture = activeness_bars({"a": [1.0], "b": [1.0]}).astype(int)
    white = (picture.min(axis=-1) > 250)[picture.shape[0] // 3 : -60]
    for color, is_hatched in ((BLUE, False), (ORANGE, True)):
        is_color = (np.abs(picture - color) < 8).all(-1)[picture.shape[0] // 3 : -60]
        columns = np.flatnonzero(is_color.mean(axis=0) > 0.3)[5:-5]
        assert white[:, columns].any() == is_hatched


def test_pyplot_is_left_alone():
    before = "matplotlib.pyplot" in sys.modules
    assert activeness_bars({"a": SCORES}, size=(3, 2)).shape == (240, 360, 3)
    assert ("matplotlib.pyplot" in sys.modules) == before


@pytest.mark.parametrize(
    "scores, arguments, message",
    [
        ({}, {}, "`scores` must be a dict of one or more labels"),
        (SCORES, {}, "`scores` must be a dict"),
        ({"a": []}, {}, r"`scores\['a'\]` must be an array \(d,\) of finite numbers"),
        ({"a": 1.0}, {}, r"`scores\['a'\]` must be an array"),
        ({"a": [np.inf]}, {}, r"`scores\['a'\]` must be an array"),
        ({"a": SCORES}, {"size": (0, 1)}, r"`size` must be two positive .* size=\(0, 1\)"),
    ],
)
def test_bad_input_of_bars(scores, arguments, message):
    with pytest.raises(ValueError, match=message):
        activeness_bars(scores, **arguments)
