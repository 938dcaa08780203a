import numpy as np
import pytest
from keras import ops

from keras_disentangle.visualization import direction_frames, direction_traversal

SIZE = 12
GAP = 4
SMALL = {"padding": 0, "height": 1}
BARE = {**SMALL, "value_labels": False}
LATENTS = np.array([[0.5, -0.5, 1.0], [-1.0, 2.0, 0.0]])
DIRECTIONS = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])


class Decoder:
    """Writes each latent dimension, mapped from [-8, 8] to [0, 1], into its 4 rows of the image."""

    calls = 0

    def __call__(self, latents):
        self.calls += 1
        assert isinstance(latents, np.ndarray) and latents.dtype == np.float32
        values = np.repeat(latents / 16 + 0.5, 4, axis=1)
        return np.repeat(values[:, :, None, None], SIZE, axis=2)


def cells(picture, rows, columns, groups=1):
    """The latents (groups, rows, columns, 3) that a picture with `**SMALL` shows."""
    picture = picture[:, picture.shape[1] - columns * SIZE :].astype("float64")  # without labels
    height = rows * SIZE + GAP
    assert len(picture) == groups * height - GAP
    tops = [group * height for group in range(groups)]
    parts = np.stack([picture[top : top + rows * SIZE, ..., 0] for top in tops])
    parts = parts.reshape(groups, rows, SIZE, columns, SIZE)[:, :, 1::4, :, 0]
    return (parts.transpose(0, 1, 3, 2) / 255 - 0.5) * 16


def moved(latents, directions, values):
    """z + eta q, (directions, latents, values, 3)."""
    steps = np.asarray(values)[:, None] * directions[:, None, None]
    return latents[:, None] + steps


def without(latents, direction):
    return latents - np.outer(latents @ direction, direction) / (direction @ direction)


def test_one_latent_has_a_row_for_each_direction():
    decode = Decoder()
    picture = direction_traversal(decode, LATENTS[0], DIRECTIONS, steps=5, **BARE)
    assert decode.calls == 1 and picture.dtype == np.uint8
    expected = moved(LATENTS[:1], DIRECTIONS, [-5, -2.5, 0, 2.5, 5])[:, 0]
    np.testing.assert_allclose(cells(picture, 3, 5)[0], expected, atol=0.04)
    margin = picture[:, : -5 * SIZE, 0]
    assert all(margin[row * SIZE : (row + 1) * SIZE].min() < 100 for row in range(3))
    same = direction_traversal(Decoder(), LATENTS[:1], DIRECTIONS, steps=5, **BARE)
    np.testing.assert_array_equal(same, picture)


def test_one_direction_has_a_row_for_each_latent():
    direction = 2 * DIRECTIONS[0]
    picture = direction_traversal(Decoder(), LATENTS, direction, [-1, 3], **BARE)
    assert picture.shape == (2 * SIZE, 2 * SIZE, 1)  # no labels
    expected = moved(LATENTS, direction[None], [-1, 3])[0]
    np.testing.assert_allclose(cells(picture, 2, 2)[0], expected, atol=0.04)


def test_several_of_both_are_groups_of_rows():
    decode = Decoder()
    picture = direction_traversal(decode, LATENTS, DIRECTIONS[:2], span=3, steps=3, **BARE)
    assert decode.calls == 1
    expected = moved(LATENTS, DIRECTIONS[:2], [-3, 0, 3])
    np.testing.assert_allclose(cells(picture, 2, 3, groups=2), expected, atol=0.04)
    # The label stands before the first row of its group.
    margin = picture[:, : -3 * SIZE, 0]
    tops = [0, SIZE, 2 * SIZE + GAP, 3 * SIZE + GAP]
    assert [margin[top : top + SIZE].min() < 100 for top in tops] == [True, False, True, False]


@pytest.mark.parametrize("scale", [1, 3])
def test_orthogonal_latents_start_alike(scale):
    directions = scale * DIRECTIONS[:2]
    arguments = {"values": [-1, 0, 1], **BARE}
    picture = direction_traversal(Decoder(), LATENTS, directions, orthogonal=True, **arguments)
    expected = [moved(without(LATENTS, q), q[None], [-1, 0, 1])[0] for q in directions]
    received = cells(picture, 2, 3, groups=2)
    np.testing.assert_allclose(received, expected, atol=0.04)
    along = np.einsum("mnvd,md->mnv", received, DIRECTIONS[:2])
    np.testing.assert_allclose(along, scale * np.broadcast_to([-1, 0, 1], (2, 2, 3)), atol=0.06)


def test_labels():
    def width(**arguments):
        picture = direction_traversal(Decoder(), LATENTS, steps=2, **BARE, **arguments)
        return picture.shape[1] - 2 * SIZE

    assert width(directions=DIRECTIONS[0]) == 0
    assert 0 < width(directions=DIRECTIONS) < width(directions=DIRECTIONS, labels=["rotation"] * 3)
    assert width(directions=DIRECTIONS[0], labels=["w17"]) > 0


def test_tensors_and_padding():
    latents, directions = map(ops.convert_to_tensor, (LATENTS, DIRECTIONS))
    options = {"steps": 2, "height": 1, "value_labels": False}
    picture = direction_traversal(Decoder(), latents, directions, **options)
    assert picture.shape[0] == 3 * (2 * (SIZE + 1) + 1) + 2 * GAP
    np.testing.assert_array_equal(
        picture,
        direction_traversal(Decoder(), LATENTS.tolist(), DIRECTIONS.tolist(), **options),
    )


def test_frames_of_one_latent_fill_a_square():
    decode = Decoder()
    frames = direction_frames(decode, LATENTS[0], DIRECTIONS, span=2, steps=5, **SMALL)
    assert decode.calls == 1 and len(frames) == 8
    values = [-2, -1, 0, 1, 2, 1, 0, -1]
    for value, frame in zip(values, frames, strict=True):
        assert frame.shape == (2 * SIZE, 2 * SIZE, 1)
        received = cells(frame, 2, 2)[0].reshape(4, 3)
        expected = moved(LATENTS[:1], DIRECTIONS, [value])[:, 0, 0]
        np.testing.assert_allclose(received[:3], expected, atol=0.04)
        assert (frame[SIZE:, SIZE:] == 255).all()


@pytest.mark.parametrize("orthogonal", [False, True])
def test_frames_of_several_latents_have_a_row_for_each(orthogonal):
    frames = direction_frames(
        Decoder(), LATENTS, DIRECTIONS, [-1, 3], orthogonal=orthogonal, **SMALL
    )
    assert len(frames) == 2
    for value, frame in zip([-1, 3], frames, strict=True):
        for column, q in enumerate(DIRECTIONS):
            start = without(LATENTS, q) if orthogonal else LATENTS
            received = cells(frame, 2, 3)[0, :, column]
            np.testing.assert_allclose(received, start + value * q, atol=0.04)


def test_default_frames():
    frames = direction_frames(Decoder(), np.zeros(3), DIRECTIONS[0], height=1)
    assert len(frames) == 48 and frames[0].shape == (SIZE + 2, SIZE + 2, 1)


@pytest.mark.parametrize("draw", [direction_traversal, direction_frames])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"latents": np.zeros((1, 1, 3))}, r"`latents` must be of shape \(d,\) or .*\(1, 1, 3\)"),
        ({"latents": np.zeros((0, 3))}, r"`latents` must be of shape .*\(0, 3\)"),
        ({"latents": np.zeros(2)}, r"`directions` must be of shape \(2,\) or \(m, 2\).*\(3, 3\)"),
        ({"directions": np.zeros((0, 3))}, r"`directions` must be of shape .*\(0, 3\)"),
        ({"directions": 1.0}, r"`directions` must be of shape .*\(\)"),
        ({"directions": DIRECTIONS * np.nan}, r"`directions` must be finite.*rows \[0, 1, 2\]"),
        ({"directions": DIRECTIONS * [[1], [0], [1]]}, r"and none of them 0. .*rows \[1\]"),
        ({"span": 0}, "`span` must be a finite number > 0"),
        ({"steps": 1}, "`steps` must be an integer >= 2"),
        ({"values": []}, r"`values` must be of shape \(n,\)"),
        ({"padding": -1}, "`padding` must be an integer >= 0"),
        ({"decode": lambda z: 20 + Decoder()(z)}, r"`decode\(latents\)` must be uint8 or hold"),
    ],
)
def test_bad_input_is_named(draw, arguments, message):
    with pytest.raises(ValueError, match=message):
        draw(**{"decode": Decoder(), "latents": LATENTS, "directions": DIRECTIONS[:3], **arguments})


@pytest.mark.parametrize("labels", [["w1"], [], "w1w2w3w4"])
def test_bad_labels_are_named(labels):
    with pytest.raises(ValueError, match="`labels` must be 3 strings, one for each direction. Rec"):
        direction_traversal(Decoder(), LATENTS, DIRECTIONS, labels=labels)
