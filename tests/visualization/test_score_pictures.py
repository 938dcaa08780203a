import numpy as np
import pytest
from PIL import Image

from keras_disentangle.visualization import information_matrix, score_points

INFORMATION = np.array([[1.5, 0.0], [0.1, 0.9], [0.0, 0.0]])
POINTS = {"pro-VLAE": {"1": (0.5, 0.6), "8": (0.6, 0.7)}, "beta-VAE": {"4": (0.2, 0.3)}}
LABELS = {"x_label": "MIG", "y_label": "MIG-sup"}


def dark(picture):
    """Mask of the dark blue of the scale's upper end, without the scale itself."""
    blue = (picture[..., 2] > 70) & (picture[..., 0] < 30) & (picture[..., 1] < 60)
    blue[:, 2 * picture.shape[1] // 3 :] = False
    return blue


def test_a_matrix_is_drawn(tmp_path):
    path = tmp_path / "matrix.png"
    picture = information_matrix(INFORMATION, ["hue", "size"], path=path)
    assert picture.dtype == np.uint8 and picture.shape[-1] == 3
    np.testing.assert_array_equal(np.asarray(Image.open(path)), picture)
    apart = information_matrix(INFORMATION, ["hue", "size"], rungs=[2, 1])
    assert apart.shape == picture.shape and (apart != picture).any()
    # The cell with the most information is the only one in dark blue.
    other = information_matrix(INFORMATION[::-1], ["hue", "size"])
    left, right = (np.median(np.nonzero(dark(drawn))[1]) for drawn in (picture, other))
    assert right > left + 50
    assert information_matrix(0 * INFORMATION, ["hue", "size"]).shape == picture.shape


@pytest.mark.parametrize(
    "information, names, options, message",
    [
        (INFORMATION[0], ["a"], {}, "`information` must be an array"),
        (-INFORMATION, ["a", "b"], {}, "`information` must be .* numbers >= 0"),
        (INFORMATION * np.nan, ["a", "b"], {}, "`information` must be .* numbers >= 0"),
        (INFORMATION, ["a"], {}, r"`factor_names` must be 2 names. Received: \['a'\]"),
        (
            INFORMATION,
            ["a", "b"],
            {"rungs": [2, 2]},
            "`rungs` must be positive integers that sum to the 3",
        ),
        (INFORMATION, ["a", "b"], {"size": (1, 0)}, "`size` must be two positive"),
    ],
)
def test_what_is_no_matrix(information, names, options, message):
    with pytest.raises(ValueError, match=message):
        information_matrix(information, names, **options)


def test_points_are_drawn(tmp_path):
    path = tmp_path / "points.png"
    picture = score_points(POINTS, **LABELS, path=path)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), picture)
    assert picture.dtype == np.uint8 and picture.shape == (432, 504, 3)
    assert (score_points({"pro-VLAE": POINTS["pro-VLAE"]}, **LABELS) != picture).any()


@pytest.mark.parametrize(
    "points, options, message",
    [
        ({}, {}, "`points` must be a dict of one or more models"),
        ([(1, 2)], {}, "`points` must be a dict of one or more models"),
        ({"a": {"1": (1, np.nan)}}, {}, r"`points\['a'\]` must hold \(x, y\), two finite"),
        ({"a": {"1": (1,)}}, {}, r"`points\['a'\]` must hold \(x, y\), two finite"),
        (POINTS, {"size": (1, -1)}, "`size` must be two positive"),
    ],
)
def test_what_are_no_points(points, options, message):
    with pytest.raises(ValueError, match=message):
        score_points(points, **LABELS, **options)
