import json
import pathlib

import numpy as np
import pytest
from keras import ops
from smooth_generator import CODES, DIM, smooth_generator

from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.metrics import activeness

PUBLISHED = json.loads(
    pathlib.Path(__file__).with_name("published_generator_values.json").read_text()
)["hessian_penalty"]
WEIGHTS = np.random.default_rng(0).normal(size=(6, 2, 3)).astype("float32")


def linear(z):
    return np.tensordot(z, WEIGHTS[: z.shape[1]], 1)


@pytest.mark.parametrize(
    "space, arguments, variance",
    [
        (3, {}, np.var([-2, 0, 2], ddof=1)),
        (LatentSpace([Normal(3)]), {"num_values": 2}, np.var([-2, 2], ddof=1)),
        (3, {"num_values": 5, "extent": 2}, np.var([-4, -2, 0, 2, 4], ddof=1)),
        (LatentSpace([Uniform(3, 0, 4)]), {}, np.var([0, 2, 4], ddof=1)),
    ],
)
def test_linear_generator(space, arguments, variance):
    expected = variance * np.mean(WEIGHTS[:3] ** 2, axis=(1, 2))
    scores = activeness(linear, space, num_samples=4, **arguments)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_categories_change_together():
    space = LatentSpace([Normal(1), Categorical(3), Uniform(2)])
    scores = activeness(linear, space, num_samples=3)
    categories = WEIGHTS[1:4].var(axis=0, ddof=1).mean()
    np.testing.assert_allclose(scores[1:4], categories, rtol=1e-5)
    others = [4, 1, 1] * np.mean(WEIGHTS[[0, 4, 5]] ** 2, axis=(1, 2))
    np.testing.assert_allclose(scores[[0, 4, 5]], others, rtol=1e-5)


def test_one_component_is_off():
    scores = activeness(lambda z: ops.sin(ops.convert_to_tensor(z)[:, ::2]), 3, num_samples=5)
    assert scores[1] == pytest.approx(0, abs=1e-12) and min(scores[::2]) > 0.1


def test_published_values():
    scores = activeness(smooth_generator, DIM, codes=CODES)
    np.testing.assert_allclose(scores, PUBLISHED["activeness"], rtol=1e-6)


def test_mean_over_random_codes():
    # x = z_0 z_1: the variance 4 z_1^2 of the first component has mean 4 and deviation 4 sqrt(2).
    scores = activeness(lambda z: z[:, 0] * z[:, 1], 2, num_samples=2000)
    np.testing.assert_allclose(scores, 4, atol=4 * 4 * np.sqrt(2 / 2000))


def test_batches_and_seed():
    sizes = []

    def counted(z):
        sizes.append(len(z))
        return smooth_generator(z)

    first, same, other = (
        activeness(counted, DIM, num_samples=7, seed=seed, batch_size=size)
        for seed, size in ((0, 6), (0, 100), (1, 100))
    )
    np.testing.assert_allclose(first, same, rtol=1e-12)
    assert (first != other).all()
    assert sum(sizes) == 3 * DIM * 3 * 7 and sizes[:4] == [6, 6, 6, 3]


def test_the_axes_are_the_components_of_a_normal_code():
    arguments = {"num_samples": 5, "num_values": 4, "extent": 1.5}
    components = activeness(smooth_generator, DIM, **arguments)
    for directions in (np.eye(DIM), ops.eye(DIM)):
        axes = activeness(smooth_generator, DIM, directions=directions, **arguments)
        np.testing.assert_array_equal(axes, components)


@pytest.mark.parametrize("space", [3, LatentSpace([Uniform(1, 5, 6), Categorical(2)])])
def test_directions_of_a_linear_generator(space):
    """Of a direction q the values t have variance 4, whatever the space's own codes are."""
    directions = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0, 3]])
    scores = activeness(linear, space, directions=directions, num_samples=4)
    slopes = np.tensordot(directions, WEIGHTS[:3], 1)
    np.testing.assert_allclose(scores, 4 * np.mean(slopes**2, axis=(1, 2)), rtol=1e-4)


def test_codes_start_orthogonal_to_the_direction():
    """Of (z.q)^3, whose variance depends on where z.q starts: 0 has that of -8, 0 and 8."""
    q = np.array([0.6, 0.8, 0])
    scores = activeness(
        lambda z: (z @ q) ** 3, 3, codes=CODES[:, :3], directions=np.stack([2 * q, [0, 0, 1]])
    )
    np.testing.assert_allclose(scores, [64 * 64, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"space": "z"}, "`space` must be a `LatentSpace` or the number .* Received: space='z'"),
        ({"space": 0}, "`space` must be an integer >= 1"),
        ({"space": True}, "`space` must be a `LatentSpace`"),
        ({"num_samples": 0}, "`num_samples` must be an integer >= 1"),
        ({"num_values": 1}, "`num_values` must be an integer >= 2"),
        ({"extent": 0}, "`extent` must be a finite number > 0"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1"),
        ({"codes": CODES[:, :3]}, r"`codes` must be of shape \(n, 4\).*Received: .*\(5, 3\)"),
        ({"codes": CODES[0]}, "`codes` must be a non-empty array"),
        ({"directions": CODES[:, :3]}, r"`directions` must be .*\(m, 4\).* Received: .*\(5, 3\)"),
        ({"directions": CODES[0]}, r"`directions` must be of shape .*\(4,\)"),
        ({"directions": CODES * np.nan}, "`directions` must be finite"),
        ({"directions": 0 * CODES[:1]}, r"`directions` must not hold a row of zeros.* \[0\]"),
        ({"generator": lambda z: z[:1]}, r"`generator\(z\)` must be of shape"),
        ({"generator": lambda z: z > 0}, r"`generator\(z\)` must be float32 .*dtype=bool"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        activeness(**{"generator": smooth_generator, "space": DIM, "num_samples": 2, **arguments})
