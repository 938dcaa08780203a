import sys

import numpy as np
import pytest
from PIL import Image

from keras_disentangle.visualization import training_curves

STEPS = np.arange(100)
FLAT = {"high": (STEPS, np.full(100, 2.0)), "low": (STEPS, np.full(100, 1.0))}


def rows_of(picture, color):
    """The rows of pixels in which a colour runs through most of the picture."""
    is_color = (np.abs(picture.astype(int) - color) < 60).all(-1)
    return np.flatnonzero(is_color.mean(axis=1) > 0.2)


BLUE, ORANGE, GREY = (31, 119, 180), (255, 127, 14), (60, 60, 60)


def test_curves_and_reference(tmp_path):
    picture = training_curves(
        FLAT, reference={"$H(c)$": 3.0}, y_label="nats", path=tmp_path / "curves.png"
    )
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "curves.png")), picture)
    assert picture.dtype == np.uint8 and picture.shape == (384, 576, 3)
    high, low = rows_of(picture, BLUE).mean(), rows_of(picture, ORANGE).mean()
    line = rows_of(picture, GREY)[0]  # then the axis
    assert low - high == pytest.approx(high - line, abs=2)
    assert low > high > line


def test_size_and_one_point():
    picture = training_curves({"one": ([1], [2])}, size=(3, 2))
    assert picture.shape == (240, 360, 3)
    assert (np.abs(picture.astype(int) - BLUE) < 40).all(-1).any()


def test_curves_differ_without_their_colours():
    """The first is drawn through, the second has gaps."""
    picture = training_curves({"a": FLAT["high"], "b": FLAT["low"]}).astype(int)
    gaps = []
    for color in (BLUE, ORANGE):
        is_color = (np.abs(picture - color) < 60).all(-1)
        row = is_color[is_color.sum(axis=1).argmax()]
        start, end = np.flatnonzero(row)[[0, -1]]
        gaps.append(np.count_nonzero(~row[start:end]))
    assert gaps[0] == 0 and gaps[1] > 20


def test_a_logarithmic_axis():
    curves = {"a": (STEPS, np.full(100, 1e3)), "b": (STEPS, np.full(100, 1e1))}
    picture = training_curves(curves, reference={"c": 1e2}, y_scale="log")
    high, low = rows_of(picture, BLUE).mean(), rows_of(picture, ORANGE).mean()
    is_grey = (np.abs(picture.astype(int) - GREY) < 60).all(-1)[:, 200:400].mean(axis=1) > 0.2
    assert np.flatnonzero(is_grey)[0] == pytest.approx((low + high) / 2, abs=3)


def test_pyplot_is_left_alone():
    before = "matplotlib.pyplot" in sys.modules
    training_curves(FLAT)
    assert ("matplotlib.pyplot" in sys.modules) == before


@pytest.mark.parametrize(
    "curves, arguments, message",
    [
        ({}, {}, "`curves` must be a dict of one or more"),
        ([FLAT["low"]], {}, "`curves` must be a dict"),
        ({"a": ([1, 2], [1])}, {}, r"`curves\['a'\]` must be two arrays"),
        ({"a": ([], [])}, {}, r"`curves\['a'\]` must be two arrays"),
        ({"a": [1, 2]}, {}, r"`curves\['a'\]` must be two arrays"),
        ({"a": [1, 2, 3]}, {}, r"`curves\['a'\]` must be two arrays"),
        ({"a": ([1], [np.nan])}, {}, r"`curves\['a'\]` must hold finite numbers"),
        (FLAT, {"reference": 3.0}, "`reference` must be None or a dict .* Received: reference=3.0"),
        (FLAT, {"reference": {"a": np.inf}}, "`reference` must be .* finite"),
        (FLAT, {"y_scale": "cubic"}, "`y_scale` must be one of"),
        ({"a": ([1, 2], [0, 1])}, {"y_scale": "log"}, '`y_scale` must be "linear" .* from 0'),
        (FLAT, {"y_scale": "log", "reference": {"a": -1}}, "numbers from -1"),
        (FLAT, {"size": 3}, r"`size` must be two positive numbers. Received: size=3"),
        (FLAT, {"size": (0, 1)}, r"`size` must be two positive .* size=\(0, 1\)"),
    ],
)
def test_bad_input_is_named(curves, arguments, message):
    with pytest.raises(ValueError, match=message):
        training_curves(curves, **arguments)
