import numpy as np
import pytest
from keras import ops

from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.visualization import code_traversal

BARE = {"padding": 0, "height": 1, "value_labels": False}
SPACE = LatentSpace([Normal(1), Categorical(3), Uniform(2, -1, 1)])


class Decoder:
    """Writes each latent dimension, mapped from [-4, 4] to [0, 1], into its row of pixels."""

    calls = 0

    def __call__(self, latents):
        self.calls += 1
        assert isinstance(latents, np.ndarray) and latents.dtype == np.float32
        values = np.clip(latents / 8 + 0.5, 0, 1)
        return np.repeat(values[:, :, None, None], SPACE.dim, axis=2)


def vectors(picture, rows):
    """The latent vectors (rows, columns, d) that a picture with `padding=0` shows."""
    size = SPACE.dim
    images = picture.reshape(rows, size, -1, size)[..., 0]
    return (images.transpose(0, 2, 1) / 255 - 0.5) * 8


@pytest.mark.parametrize(
    "name, dim, part, values",
    [
        ("categorical", 0, slice(1, 4), np.eye(3)),
        ("uniform", 0, slice(4, 5), [[-2], [-1], [0], [1], [2]]),
        ("uniform", 1, slice(5, 6), [[-2], [-1], [0], [1], [2]]),
        ("normal", 0, slice(0, 1), [[-4], [-2], [0], [2], [4]]),
    ],
)
def test_columns_are_values_and_rows_random_vectors(name, dim, part, values):
    decode = Decoder()
    picture = code_traversal(decode, SPACE, name, dim, rows=4, steps=5, extent=2, seed=3, **BARE)
    assert decode.calls == 1 and picture.dtype == np.uint8
    start = ops.convert_to_numpy(SPACE.sample(4, seed=3))
    expected = np.repeat(start[:, None], len(values), axis=1)
    expected[:, :, part] = values
    np.testing.assert_allclose(vectors(picture, 4), expected.clip(-4, 4), atol=0.02)


def test_defaults_and_padding():
    picture = code_traversal(Decoder(), SPACE, "uniform", height=1, value_labels=False)
    assert picture.shape == (5 * 7 + 1, 10 * 7 + 1, 1)
    assert (picture[0] == 255).all() and (picture[:, 0] == 255).all()


@pytest.mark.parametrize("name, columns", [("categorical", 3), ("uniform", 4)])
def test_categories_and_values_stand_below_the_columns(name, columns):
    def decode(z):
        return np.full((len(z), 48, 48, 1), 0.5)

    bare = code_traversal(decode, SPACE, name, rows=2, steps=4, value_labels=False)
    picture = code_traversal(decode, SPACE, name, rows=2, steps=4)
    margin = picture.shape[1] - bare.shape[1]
    np.testing.assert_array_equal(picture[: len(bare), margin:], bare)
    below = picture[len(bare) :]
    assert below[:, :margin].min() < 100  # the name of the code
    for column in range(columns):
        assert below[:, margin + 97 * column : margin + 97 * (column + 1)].min() < 100


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "pose"}, "`name` must be one of .* Received: name='pose'"),
        ({"name": "uniform", "space": None}, "`space` must be a `LatentSpace`"),
        ({"name": "uniform", "seed": -1}, "`seed` must be .*integer >= 0"),
        ({"name": "uniform", "dim": 2}, "`dim` must be less than 2"),
        ({"name": "uniform", "rows": 0}, "`rows` must be an integer >= 1. Received: rows=0"),
        ({"name": "uniform", "steps": 1}, "`steps` must be an integer >= 2. Received: steps=1"),
        (
            {"name": "uniform", "extent": 0},
            "`extent` must be a finite number > 0. Received: extent=0",
        ),
        ({"name": "uniform", "padding": -1}, "`padding` must be an integer >= 0"),
        (
            {"name": "uniform", "decode": lambda z: 20 + Decoder()(z)},
            r"`decode\(latents\)` must be uint8 or hold numbers in \[0, 1\]",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        code_traversal(**{"decode": Decoder(), "space": SPACE, **arguments})
