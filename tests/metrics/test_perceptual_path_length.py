import json
import pathlib

import numpy as np
import pytest
from keras import ops
from smooth_generator import DIM, normalizing_generator, smooth_generator

from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.metrics import perceptual_path_length, squared_pixel_distance

PUBLISHED = json.loads(
    pathlib.Path(__file__).with_name("published_generator_values.json").read_text()
)["hessian_penalty"]
WEIGHTS = np.random.default_rng(0).normal(size=(DIM, 3, 2, 3))


def linear(z):
    return np.tensordot(z.astype("float64"), WEIGHTS[: z.shape[1]], 1)


class TabledSpace(LatentSpace):
    """Normal dimensions whose samples come from a table, starts (n, d) and then ends (n, d)."""

    def __init__(self, starts, ends):
        super().__init__([Normal(starts.shape[1])])
        self.table = np.concatenate([starts, ends]).astype("float32")

    def sample(self, n, seed=None):
        assert n == len(self.table)
        return ops.convert_to_tensor(self.table)


def length(generator, space, *, distance=squared_pixel_distance, num_samples=200, **arguments):
    return perceptual_path_length(generator, space, distance, num_samples=num_samples, **arguments)


PAIRS = np.random.default_rng(2022).normal(size=(200, 2, DIM))
TABLED = TabledSpace(PAIRS[:, 0], PAIRS[:, 1])


@pytest.mark.parametrize("batch_size", [1, 64, 500])
def test_linear_generator_along_the_sphere(batch_size):
    start, end = PAIRS[:, 0], PAIRS[:, 1]
    lengths = [np.linalg.norm(z, axis=1, keepdims=True) for z in (start, end)]
    cosine = np.sum(start * end, axis=1, keepdims=True) / (lengths[0] * lengths[1])
    tangent = end / lengths[1] - cosine * start / lengths[0]
    turning = np.arccos(cosine) / np.sqrt(1 - cosine**2) * lengths[0] * tangent
    growing = (lengths[1] / lengths[0] - 1) * start
    expected = np.sum(linear(turning + growing) ** 2, axis=(1, 2, 3)).mean()
    value = length(linear, TABLED, percentiles=(0, 100), batch_size=batch_size)
    assert isinstance(value, float) and value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("sampling", ["end", "full"])
def test_linear_generator_along_straight_lines(sampling):
    expected = np.sum(linear(PAIRS[:, 1] - PAIRS[:, 0]) ** 2, axis=(1, 2, 3))
    arguments = {"sampling": sampling, "interpolation": "lerp", "epsilon": 1e-3}
    value = length(linear, TABLED, percentiles=(0, 100), **arguments)
    assert value == pytest.approx(expected.mean(), rel=1e-3)
    # The two values next to the 1st and the 99th percentile stay.
    value = length(linear, TABLED, **arguments)
    assert value == pytest.approx(np.sort(expected)[1:-1].mean(), rel=1e-3)


def test_mean_over_random_codes():
    value = length(linear, DIM, interpolation="lerp", num_samples=4000, percentiles=(0, 100))
    assert value == pytest.approx(2 * np.sum(WEIGHTS**2), rel=0.06)


@pytest.mark.parametrize("sampling", ["end", "full"])
def test_published_values(sampling, monkeypatch):
    times = np.random.default_rng(2023)
    monkeypatch.setattr(np.random, "default_rng", lambda seed: times)
    value = length(normalizing_generator, TABLED, sampling=sampling)
    assert value == pytest.approx(PUBLISHED[f"ppl_{sampling}"], rel=1e-4)


def test_paths_lead_to_their_ends():
    # With a step of 1 the path is walked at once.
    seen = []

    def generator(z):
        seen.append(z)
        return linear(z)

    length(generator, TABLED, epsilon=1, batch_size=200)
    np.testing.assert_allclose(seen[0], PAIRS.transpose(1, 0, 2).reshape(-1, DIM), atol=1e-6)


@pytest.mark.parametrize("interpolation", ["slerp", "lerp"])
def test_categories_stay(interpolation):
    space = LatentSpace([Uniform(2, 0, 1), Categorical(2)])

    def generator(z):
        assert set(z[:, 2:].ravel().tolist()) == {0.0, 1.0}
        starts, ends = np.split(z, 2)
        np.testing.assert_array_equal(starts[:, 2:], ends[:, 2:])
        assert (starts[:, :2] != ends[:, :2]).all()
        return linear(z)

    assert length(generator, space, batch_size=200, interpolation=interpolation, epsilon=0.01) > 0


def test_seed_and_tensors():
    distance = lambda a, b: ops.convert_to_tensor(squared_pixel_distance(a, b))  # noqa: E731
    first, same, other = (
        length(smooth_generator, DIM, seed=seed, num_samples=20, distance=distance)
        for seed in (0, 0, 1)
    )
    assert first == same != other


def test_squared_pixel_distance():
    images = np.random.default_rng(0).uniform(size=(2, 5, 4, 3, 1)).astype("float32")
    expected = np.sum((images[0].astype("float64") - images[1]) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(squared_pixel_distance(*images), expected, rtol=1e-12)
    whites = np.full((1, 2, 2, 3), 255, "uint8")
    assert squared_pixel_distance(0 * whites, whites).tolist() == [12 * 255**2]
    with pytest.raises(ValueError, match=r"one shape.*\(5, 4, 3, 1\) and \(1, 4, 3, 1\)"):
        squared_pixel_distance(images[0], images[1, :1])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"space": None}, "`space` must be a `LatentSpace`"),
        ({"space": LatentSpace([Categorical(5)])}, "`space` must have a continuous dimension"),
        ({"space": 1}, "two for a spherical path"),
        ({"num_samples": 0}, "`num_samples` must be an integer >= 1"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1"),
        ({"epsilon": -1}, "`epsilon` must be a finite number > 0. Received: epsilon=-1"),
        ({"sampling": "start"}, "`sampling` must be one of .* Received: sampling='start'"),
        ({"interpolation": "cubic"}, "`interpolation` must be one of"),
        ({"percentiles": (1, 101)}, "`percentiles` must be two numbers in"),
        ({"percentiles": (50, 10)}, r"`percentiles` must be .* percentiles=\(50, 10\)"),
        (
            {"generator": lambda z: (255 * smooth_generator(z)).astype("uint8")},
            r"`generator\(z\)` must be float32 or float64.*uint8",
        ),
        ({"distance": lambda a, b: np.zeros(3)}, r"`distance\(a, b\)` must be 2 finite numbers"),
        ({"distance": lambda a, b: np.full(2, np.nan)}, r"`distance\(a, b\)` must be 2 finite"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        length(**{"generator": smooth_generator, "space": DIM, "num_samples": 2, **arguments})
