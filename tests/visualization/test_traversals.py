import numpy as np
import pytest

from keras_disentangle.latents import LatentSpace, Normal, Quantized
from keras_disentangle.visualization import (
    _labelled_grid,
    latent_grid,
    latent_traversal,
    rung_samples,
    traversal_frames,
)

SIZE = 20  # the gap between groups is then 4 pixels
RUNGS = (2, 1)
SMALL = {"padding": 0, "height": 1}
BARE = {**SMALL, "value_labels": False}


class Decoder:
    """Writes each latent dimension, mapped from [-4, 4] to [0, 1], into its rows of the image."""

    calls = 0

    def __call__(self, latents):
        self.calls += 1
        assert latents.dtype == np.float32
        values = np.repeat(np.clip(latents / 8 + 0.5, 0, 1), 4, axis=1)
        values = np.pad(values, [(0, 0), (0, SIZE - values.shape[1])])
        return np.repeat(values[:, :, None, None], SIZE, axis=2)


def codes(picture, row, group, columns):
    """Reads the latent codes of a row of images back from a picture with `padding=0`."""
    picture = picture[:, -columns * SIZE :]  # without the labels
    top = row * SIZE + group * 4
    pixels = picture[top : top + 12 : 4, ::SIZE, 0]
    return (pixels.T / 255 - 0.5) * 8


def test_traversal_moves_one_dimension_a_row():
    decode, latent = Decoder(), np.array([0.5, -0.5, 1.0])
    picture = latent_traversal(decode, latent, span=2, steps=5, rungs=RUNGS, **BARE)
    assert decode.calls == 1
    assert picture.shape[0] == 3 * SIZE + 4
    for row, group in enumerate([0, 0, 1]):
        expected = np.tile(latent, (5, 1))
        expected[:, row] = [-2, -1, 0, 1, 2]
        np.testing.assert_allclose(codes(picture, row, group, 5), expected, atol=0.02)


def test_values_replace_the_default_range():
    picture = latent_traversal(Decoder(), np.zeros(3), [3, -1], **BARE)
    np.testing.assert_allclose(codes(picture, 2, 0, 2)[:, 2], [3, -1], atol=0.02)


def test_each_row_has_a_label_and_each_group_a_gap():
    picture = latent_traversal(Decoder(), np.zeros(3), rungs=RUNGS, **BARE)
    margin = picture[:, : -9 * SIZE, 0]
    assert (picture[2 * SIZE : 2 * SIZE + 4] == 255).all()
    for top in (0, SIZE, 2 * SIZE + 4):
        assert margin[top : top + SIZE].min() < 100
    assert (margin[:, 0] == 255).all() and (margin[:, -1] == 255).all()  # nothing is cut off


def test_frames_go_there_and_back():
    decode = Decoder()
    frames = traversal_frames(decode, np.zeros(3), span=2, steps=5, rungs=RUNGS, **SMALL)
    assert decode.calls == 1 and len(frames) == 8
    first = [codes(frame, 0, 0, 2) for frame in frames]
    np.testing.assert_allclose(
        [frame[1, 1] for frame in first], [-2, -1, 0, 1, 2, 1, 0, -1], atol=0.02
    )
    assert np.abs([frame[1, 0] for frame in first]).max() < 0.02
    last = [codes(frame, 1, 1, 2)[0, 2] for frame in frames[:5]]
    np.testing.assert_allclose(last, [-2, -1, 0, 1, 2], atol=0.02)
    assert (frames[0][SIZE:, -SIZE:] == 255).all()  # the second rung has one dimension only


def test_rung_samples_are_from_the_prior_in_one_rung_alone():
    latent = np.array([0.5, -0.5, 1.0])
    picture = rung_samples(Decoder(), latent, RUNGS, num=200, seed=1, **SMALL)
    top, bottom = codes(picture, 0, 0, 200), codes(picture, 1, 1, 200)
    np.testing.assert_allclose(top[:, 2], 1, atol=0.02)
    np.testing.assert_allclose(bottom[:, :2], np.tile(latent[:2], (200, 1)), atol=0.02)
    sampled = np.stack([*top[:, :2].T, bottom[:, 2]])
    assert np.abs(sampled.mean(1)).max() < 0.25 and np.abs(sampled.std(1) - 1).max() < 0.2
    again = rung_samples(Decoder(), latent, RUNGS, num=200, seed=1, **SMALL)
    other = rung_samples(Decoder(), latent, RUNGS, num=200, seed=2, **SMALL)
    np.testing.assert_array_equal(picture, again)
    assert (picture != other).any()


@pytest.mark.parametrize("draw", [latent_traversal, traversal_frames, rung_samples])
@pytest.mark.parametrize(
    "latent, rungs, message",
    [
        (np.zeros((1, 3)), None, r"`latent` must be of shape \(d,\).*\(1, 3\)"),
        (np.zeros(3), (2, 2), r"sum to the 3 latent dimensions.*\(2, 2\)"),
        (np.zeros(3), (4, -1), "`rungs` must be positive"),
        (np.zeros(3), (), "`rungs` must be positive"),
    ],
)
def test_bad_latents_and_rungs_are_named(draw, latent, rungs, message):
    with pytest.raises(ValueError, match=message):
        draw(Decoder(), latent, rungs=rungs)


@pytest.mark.parametrize("draw", [latent_traversal, traversal_frames])
@pytest.mark.parametrize(
    "arguments", [{"span": 0}, {"steps": 1}, {"values": []}, {"values": np.zeros((2, 2))}]
)
def test_bad_values_are_named(draw, arguments):
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}`"):
        draw(Decoder(), np.zeros(3), **arguments)


def test_bad_numbers_and_decoders_are_named():
    with pytest.raises(ValueError, match="num=0"):
        rung_samples(Decoder(), np.zeros(3), num=0)
    with pytest.raises(ValueError, match=r"`decode\(latent\)` must be"):
        latent_traversal(lambda latents: Decoder()(latents) * 30, np.ones(3))
    with pytest.raises(ValueError, match=r"`decode\(latent\)` must be 27 images.*Received: 1$"):
        latent_traversal(lambda latents: Decoder()(latents)[:1], np.ones(3))
    with pytest.raises(ValueError, match="`decode` must be a function"):
        latent_traversal(None, np.ones(3))
    first = np.zeros((27, 1, 20, 20), "float32")
    with pytest.raises(ValueError, match=r"shape \(27, 1, 20, 20\) \(channels must come last\)"):
        latent_traversal(lambda latents: first, np.ones(3))


@pytest.mark.parametrize("draw", [latent_traversal, rung_samples])
def test_a_decoder_may_leave_the_range_a_little(draw):
    """As the mean of a Gaussian one: it is shown clipped, and a warning tells."""

    def decode(latents):
        return Decoder()(latents) * 1.25 - 0.5

    with pytest.warns(UserWarning, match=r"`decode\(latent\)` holds numbers from -0.5 to 0"):
        picture = draw(decode, np.zeros(3), **SMALL)
    expected = draw(lambda z: decode(z).clip(0, 1), np.zeros(3), **SMALL)
    np.testing.assert_array_equal(picture, expected)


def test_two_dimensions_on_a_grid():
    decode, latent, values = Decoder(), np.array([0.5, -0.5, 1.0]), [-2, 0, 1, 2]
    picture = latent_grid(decode, latent, (2, 0), values, rungs=RUNGS, **SMALL)
    assert decode.calls == 1
    foot, margin = np.subtract(picture.shape[:2], 4 * SIZE)
    for row, value in enumerate(values):
        expected = np.tile(latent, (4, 1))
        expected[:, 2], expected[:, 0] = value, values
        np.testing.assert_allclose(codes(picture, row, 0, 4), expected, atol=0.02)
    # Their values stand below and beside the images, their names in the corner.
    assert picture[-foot:, :margin].min() < 100
    assert picture[-foot:, margin:].min() < 100
    for i in range(4):
        assert picture[i * SIZE : (i + 1) * SIZE, :margin].min() < 100


@pytest.mark.parametrize(
    "dims", [(0, 0), (0, 3), (-1, 1), (0,), (0, 1, 2), 5, None, (0.5, 1), "ab"]
)
def test_bad_dimensions_of_a_grid_are_named(dims):
    with pytest.raises(ValueError, match="`dims` must be two different dimensions.* 0 to 2"):
        latent_grid(Decoder(), np.zeros(3), dims)


def test_values_stand_below_the_columns():
    bare = latent_traversal(Decoder(), np.zeros(3), steps=3, value_labels=False)
    picture = latent_traversal(Decoder(), np.zeros(3), steps=3)
    size = 100  # 20 pixels, five times as large
    np.testing.assert_array_equal(picture[: len(bare), -bare.shape[1] :], bare)
    for column in range(3):
        end = picture.shape[1] - (2 - column) * (size + 1)
        assert picture[len(bare) :, end - size - 1 : end].min() < 100


@pytest.fixture
def written(monkeypatch):
    """The texts of a picture, by where they are written."""
    texts = []

    def keep(canvas, found, title, size):
        texts.extend([text for _, _, text, _, _ in found if text])
        return canvas

    monkeypatch.setattr(_labelled_grid, "_written", keep)
    return texts


def test_rows_are_named_as_the_space_names_them(written):
    space = LatentSpace([Normal(1, name="pose"), Normal(2, name="2")])
    factors = ["azimuth 97%", "", "scale 40%"]
    latent_traversal(Decoder(), np.zeros(3), [-1, 0.5], rungs=space, factors=factors)
    rows = ["pose\nazimuth 97%", "z2·1", "z2·2\nscale 40%"]
    assert written == [*rows, "value", "−1.00", "0.50"]
    with pytest.raises(ValueError, match="`factors` must be 3 strings, one for each dimension"):
        latent_traversal(Decoder(), np.zeros(3), factors=factors[:2])


def test_values_that_differ_stand_below_each_row(written):
    space = LatentSpace([Quantized(2, 2), Quantized(1, 2)])
    latent_traversal(Decoder(), np.zeros(3), rungs=space)
    assert written.count("value") == 1 and written.count("−1.00") == 1
    written.clear()
    grid = np.zeros((3, 2, 8, 8, 1), "uint8")
    below = [["a", "b"], ["a", "b"], ["c"]]
    _labelled_grid.labelled_grid(grid, [3], ["1", "2", "3"], below, "is")
    assert written == ["1", "2", "is", "a", "b", "3", "is", "c"]


@pytest.mark.parametrize(
    "values, texts",
    [
        ([-2.5, 0, 2.5], ["−2.50", "0.00", "2.50"]),
        ([-1, -1e-9, 1], ["−1.00", "0.00", "1.00"]),
        ([0.001, 0.002], ["0.001", "0.002"]),
        ([3.0], ["3.00"]),
        ([0.0, 0.0], ["0.00", "0.00"]),
    ],
)
def test_values_have_two_digits_or_as_many_as_tell_them_apart(values, texts):
    assert _labelled_grid.texts_of(values) == texts
