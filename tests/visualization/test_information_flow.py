import numpy as np
import pytest
from PIL import Image

from keras_disentangle.visualization import information_flow

STAGES = [
    {"total": 10.61, "rungs": [10.59, 0.02, 0.0]},
    {"total": 12.84, "rungs": [6.94, 5.98, 0.0]},
]


def bar_pixels(picture):
    """Counts the green pixels in each row of the picture."""
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    return ((green > red + 50) & (green > blue + 50)).sum(1)


def test_bars_are_as_long_as_their_information(tmp_path):
    picture = information_flow(STAGES, path=tmp_path / "flow.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "flow.png")), picture)
    lengths = bar_pixels(picture)
    lengths = lengths[lengths > 5]  # of z_3 above, then of z_2, which only stage 1 has
    assert lengths[0] / lengths[-1] == pytest.approx((10.59 + 6.94) / (5.98 + 0.02), rel=0.03)


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_stand_beside_the_bars(channels):
    images = [np.full((3, 4, 8, 8, channels), 0.5)] * 2
    picture, bare = information_flow(STAGES, images), information_flow(STAGES)
    assert picture.dtype == np.uint8 and picture.shape[1] > bare.shape[1] + 400
    # 24 images, each as high and wide as a row of 0.85 inches, less the lines between them.
    grey = (np.abs(picture.astype(int) - 128).max(-1) <= 1).sum()
    assert grey == pytest.approx(24 * (0.85 * 120) ** 2 * 0.97, rel=0.05)


def test_no_information_at_all_is_drawn():
    nothing = information_flow([{"total": 0.0, "rungs": [0.0]}])
    assert not bar_pixels(nothing).any()
    # An estimate a little below it looks the same, and no bar goes to the left of its axis.
    below = information_flow([{"total": 0.0, "rungs": [-1e-4]}])
    np.testing.assert_array_equal(below, nothing)


@pytest.mark.parametrize(
    "stages, images, message",
    [
        ([], None, "one or more stages"),
        ([STAGES[0], {"total": 1.0, "rungs": [1.0]}], None, "equally many rungs"),
        ([{"total": np.nan, "rungs": [1.0]}], None, "finite"),
        ([{"rungs": [1.0]}], None, r"must be dicts with \['rungs', 'total'\]"),
        ([{"total": None, "rungs": [1.0]}], None, "`stages` must be a finite number"),
        (7, None, "one or more stages"),
        (STAGES, 5, "for each of 2 stages, 3 rows"),
        (STAGES, [np.zeros((3, 4, 8, 8, 1))], "for each of 2 stages, 3 rows"),
        (STAGES, [np.zeros((3, 8, 8, 1))] * 2, "must be images of shape"),
    ],
)
def test_bad_input_is_named(stages, images, message):
    with pytest.raises(ValueError, match=message):
        information_flow(stages, images)
