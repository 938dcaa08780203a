"""The measure of orthogonal Jacobians, against closed forms and the penalty's expectation."""

import itertools

import numpy as np
import pytest
from keras import ops
from smooth_generator import CODES, DIM, smooth_generator

from keras_disentangle.losses.orthogonal_jacobian import jacobian_penalties
from keras_disentangle.metrics import jacobian_orthogonality

pytestmark = pytest.mark.one_backend
MATRIX = np.random.default_rng(0).normal(size=(DIM, 6))
OBLIQUE = np.random.default_rng(3).normal(size=(3, DIM)) / 2


def linear(z):
    return (z.astype("float64") @ MATRIX).reshape(-1, 2, 3)


@pytest.mark.parametrize("directions", [None, OBLIQUE])
@pytest.mark.parametrize("batch_size", [4, 64])
def test_a_linear_map(directions, batch_size):
    jacobian = (np.eye(DIM) if directions is None else directions) @ MATRIX
    gram = jacobian @ jacobian.T
    lengths = np.linalg.norm(jacobian, axis=1)
    cosines = np.abs(gram / np.outer(lengths, lengths))[np.triu_indices(len(gram), 1)]
    on, whole = np.sum(np.diag(gram) ** 2), np.sum(gram**2)
    found = jacobian_orthogonality(linear, CODES, directions=directions, batch_size=batch_size)
    assert found["on_diagonal"] == pytest.approx(on / whole, rel=1e-4)
    assert found["mean_cosine"] == pytest.approx(cosines.mean(), rel=1e-4)
    assert found["penalty"] == pytest.approx(2 * (whole - on), rel=1e-4)


def test_the_penalty_is_the_expectation_of_the_loss():
    signs = np.array(list(itertools.product((-1, 1), repeat=DIM)), "float32")
    codes = CODES.astype("float32")

    def fn(z):
        z = np.asarray(ops.convert_to_numpy(z))
        return ops.convert_to_tensor(smooth_generator(z).astype("float32"))

    losses = jacobian_penalties(
        fn,
        codes,
        num_directions=len(signs),
        directions=np.repeat(signs[None], len(codes), axis=0),
        epsilon=0.01,
        reduction="mean",
        method="finite_difference",
        unbiased=False,
        one_pass=False,
        seed=None,
    )
    found = jacobian_orthogonality(smooth_generator, codes, epsilon=0.02)
    assert found["penalty"] == pytest.approx(float(losses), rel=0.05)


def test_equal_changes_orthogonal_ones_and_none():
    same = jacobian_orthogonality(lambda z: z[:, :1] + z[:, 1:2], CODES[:, :2])
    assert same["on_diagonal"] == pytest.approx(0.5, rel=1e-4)
    assert same["mean_cosine"] == pytest.approx(1, rel=1e-4)
    rotation = np.linalg.qr(MATRIX[:, :DIM])[0]
    scales = np.array([1, 2, 3, 0])
    rows = jacobian_orthogonality(lambda z: z.astype("float64") * scales @ rotation, CODES)
    assert rows["on_diagonal"] == pytest.approx(1, abs=1e-6) and rows["mean_cosine"] < 1e-3
    columns = jacobian_orthogonality(lambda z: z.astype("float64") @ rotation * scales, CODES)
    assert columns["on_diagonal"] < 0.9 and columns["mean_cosine"] > 0.1
    none = jacobian_orthogonality(lambda z: 0 * z, CODES)
    assert none["penalty"] == 0 and np.isnan(none["on_diagonal"]) and np.isnan(none["mean_cosine"])


def test_evaluations():
    sizes = []

    def counted(z):
        sizes.append(len(z))
        return smooth_generator(z)

    jacobian_orthogonality(counted, CODES, directions=OBLIQUE, batch_size=4)
    assert sum(sizes) == len(CODES) * 2 * 3 and max(sizes) <= 4


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"z": CODES[:, :1]}, r"`z` must have two components .* Received: z.shape=\(5, 1\)"),
        ({"directions": OBLIQUE[:1]}, "`directions` must have two rows"),
        ({"epsilon": 0}, "`epsilon` must be a finite number > 0"),
        ({"batch_size": 1}, "`batch_size` must be an integer >= 4"),
        ({"fn": lambda z: z.astype("uint8")}, "`fn.z.` must be float32 or float64"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        jacobian_orthogonality(**{"fn": smooth_generator, "z": CODES, **arguments})
