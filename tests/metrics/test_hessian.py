import itertools
import json
import pathlib
import tracemalloc

import numpy as np
import pytest
from keras import ops
from smooth_generator import CODES, DIM, IMAGE_SHAPE, smooth_generator, smooth_hessian

from keras_disentangle.metrics import (
    hessian_diagonality,
    hessian_matrix,
    hessian_penalty_map,
    peak_hessians,
)

PUBLISHED = json.loads(
    pathlib.Path(__file__).with_name("published_generator_values.json").read_text()
)["hessian_penalty"]
MEASURES = [hessian_matrix, hessian_diagonality, hessian_penalty_map, peak_hessians]
ZERO = np.zeros((1, 2))
# Products of it with small integers are exact, in float32 too.
EPSILON = 0.125


def quadratic(*hessians):
    """A generator of pixels with these Hessians, whatever the code."""
    return lambda z: 0.5 * np.einsum("ni,kij,nj->nk", z, np.array(hessians, "float32"), z)


def off_diagonal(hessian):
    return hessian * (1 - np.eye(hessian.shape[-1]))


@pytest.mark.parametrize(
    "fn, z, expected",
    [
        (lambda z: z[:, 0] ** 2 * z[:, 1], [[1, 3]], [[[6, 2], [2, 0]]]),
        (lambda z: np.prod(z, axis=1), [[1, 2, 3]], [[[0, 3, 2], [3, 0, 1], [2, 1, 0]]]),
        (lambda z: z[:, 0] ** 2 / 2, [[5], [-1]], [[[1]], [[1]]]),
        (quadratic([[1, 2], [2, -3]], [[0, 0], [0, 4]]), [[2, -1]], None),
    ],
)
def test_polynomials(fn, z, expected):
    if expected is None:
        expected = [[[[1, 2], [2, -3]], [[0, 0], [0, 4]]]]
    hessian = hessian_matrix(fn, np.array(z), epsilon=EPSILON)
    assert hessian.dtype == np.float64
    np.testing.assert_allclose(hessian, np.array(expected, "float64"), atol=1e-4)


def test_error_is_of_second_order():
    exact = smooth_hessian(CODES)
    errors = []
    for epsilon in (0.4, 0.2, 0.1):
        hessian = hessian_matrix(smooth_generator, CODES, epsilon=epsilon)
        assert hessian.shape == (5, *IMAGE_SHAPE, DIM, DIM)
        errors.append(np.abs(hessian - exact).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.2)
    assert errors[2] < 0.02


@pytest.mark.parametrize("epsilon", [0.1, 0.01])
@pytest.mark.parametrize("size", [1, 100])
def test_rounding_is_what_the_documentation_says(epsilon, size):
    weights = np.random.default_rng(0).normal(size=(DIM, 500)).astype("float32")

    def linear(z):
        outputs = z @ weights
        assert outputs.dtype == np.float32
        return size * outputs

    hessian = hessian_matrix(linear, CODES, epsilon=epsilon)
    assert 0 < np.sqrt(np.mean(hessian**2)) < 1e-7 / epsilon**2 * size


def test_published_hessian():
    hessian = hessian_matrix(smooth_generator, CODES)[0, 0, 0, 0]
    np.testing.assert_allclose(hessian, PUBLISHED["hessian"], atol=5e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_batches_change_nothing_and_are_no_larger(measure):
    sizes = []

    def counted(z):
        assert z.dtype == np.float32
        sizes.append(len(z))
        return smooth_generator(z)

    results = []
    for batch_size in (4, 9, 1000):
        sizes.clear()
        results.append(measure(counted, CODES, batch_size=batch_size))
        times = 2 if measure is peak_hessians else 1
        assert sum(sizes) == times * len(CODES) * (2 * DIM**2 + 1)
        assert max(sizes) <= batch_size
    for other in results[1:]:
        if isinstance(other, dict):
            assert other == pytest.approx(results[0], rel=1e-12)
        else:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-11)


def test_tensors():
    z = ops.convert_to_tensor(CODES, "float32")
    weights = ops.convert_to_tensor(np.eye(DIM)[:2], "float32")
    hessian = hessian_matrix(lambda z: ops.square(ops.matmul(z, ops.transpose(weights))), z)
    expected = 2 * np.einsum("ki,kj->kij", np.eye(DIM)[:2], np.eye(DIM)[:2])
    np.testing.assert_allclose(hessian, np.broadcast_to(expected, (5, 2, DIM, DIM)), atol=1e-3)


DIAGONAL, TIE, CROSS, NONE = (
    [[3, 1], [1, 0]],
    [[2, -2], [-2, 1]],
    [[1, 2], [2, 0]],
    np.zeros((2, 2)),
)


@pytest.mark.parametrize(
    "hessians, min_curvature, share, ratio, pooled, count",
    [
        ([DIAGONAL], None, 1, 1.5, 1.5, 1),
        ([TIE], None, 1, 0.75, 0.75, 1),
        ([CROSS], None, 0, 0.25, 0.25, 1),
        ([DIAGONAL, CROSS], None, 1 / 2, 0.875, 2 / 3, 2),
        # Of a pixel that never changes the largest entry, 0, is on the diagonal too.
        ([DIAGONAL, CROSS, NONE], None, 2 / 3, 1.75 / 3, 2 / 3, 3),
        ([DIAGONAL, CROSS, NONE], 0, 1 / 2, 0.875, 2 / 3, 2),
        ([DIAGONAL, CROSS, NONE], 2, 1, 1.5, 1.5, 1),
        ([NONE], None, 1, 0, np.nan, 1),
        ([NONE], 0, np.nan, np.nan, np.nan, 0),
        ([[[2, 0], [0, 4]]], None, 1, 3e8, np.inf, 1),
    ],
)
def test_diagonality(hessians, min_curvature, share, ratio, pooled, count):
    result = hessian_diagonality(
        quadratic(*hessians), ZERO, epsilon=EPSILON, min_curvature=min_curvature
    )
    expected = dict(
        max_on_diagonal=share, diagonal_ratio=ratio, pooled_ratio=pooled, num_hessians=count
    )
    assert result == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_diagonality_of_whole_hessians():
    hessian = np.abs(hessian_matrix(smooth_generator, CODES)).reshape(-1, DIM, DIM)
    on = np.diagonal(hessian, axis1=1, axis2=2)
    off = off_diagonal(hessian)
    means = on.mean(axis=1), off.sum(axis=(1, 2)) / (DIM * (DIM - 1))
    assert hessian_diagonality(smooth_generator, CODES, batch_size=8) == pytest.approx(
        {
            "max_on_diagonal": np.mean(on.max(axis=1) >= off.max(axis=(1, 2))),
            "diagonal_ratio": np.mean(means[0] / (means[1] + 1e-8)),
            "pooled_ratio": means[0].mean() / means[1].mean(),
            "num_hessians": len(hessian),
        }
    )


def test_published_diagonality():
    result = hessian_diagonality(smooth_generator, CODES)
    assert result["max_on_diagonal"] == pytest.approx(PUBLISHED["max_on_diagonal"])
    assert result["diagonal_ratio"] == pytest.approx(PUBLISHED["diagonal_ratio"], rel=1e-5)


@pytest.mark.parametrize("directions", [None, np.eye(6)[:5]], ids=["axes", "directions"])
@pytest.mark.parametrize("measure", [hessian_diagonality, hessian_penalty_map])
def test_hessians_are_never_held_whole(measure, directions):
    num_codes, dim, size, batch_size = 8, 6, 20_000, 16
    weights = np.random.default_rng(0).normal(size=(dim, size)).astype("float32")
    codes = np.random.default_rng(1).normal(size=(num_codes, dim))
    outputs = np.empty((batch_size, size), "float32")

    def fn(z):
        np.matmul(z, weights, out=outputs[: len(z)])
        return np.square(outputs[: len(z)], out=outputs[: len(z)])

    tracemalloc.start()
    try:
        measure(fn, codes, directions=directions, batch_size=batch_size)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 25 * batch_size * size < 8 * num_codes * dim**2 * size / 5


def test_penalty_is_the_variance_over_all_directions():
    penalty = hessian_penalty_map(smooth_generator, CODES, epsilon=0.02)
    directions = np.array(list(itertools.product([-1, 1], repeat=DIM)))
    exact = np.einsum("vi,...ij,vj->v...", directions, smooth_hessian(CODES), directions)
    np.testing.assert_allclose(penalty, exact.var(axis=0), atol=2e-2, rtol=2e-3)


def test_penalty_of_whole_hessians():
    hessian = hessian_matrix(smooth_generator, CODES)
    expected = 2 * np.sum(off_diagonal(hessian) ** 2, axis=(-2, -1))
    penalty = hessian_penalty_map(smooth_generator, CODES)
    np.testing.assert_allclose(penalty, expected, rtol=1e-12)
    np.testing.assert_array_equal(hessian_penalty_map(lambda z: z[:, 0] ** 2, [[1.0]]), [0])


def test_peaks():
    hessians, elements = peak_hessians(smooth_generator, CODES)
    whole = hessian_matrix(smooth_generator, CODES)
    penalty = hessian_penalty_map(smooth_generator, CODES)
    assert len(np.unique(elements, axis=0)) > 1
    for n, (hessian, element) in enumerate(zip(hessians, elements, strict=True)):
        assert penalty[(n, *element)] == penalty[n].max()
        np.testing.assert_array_equal(hessian, whole[(n, *element)])


@pytest.mark.parametrize("measure", MEASURES)
def test_the_axes_are_the_default(measure):
    expected = measure(smooth_generator, CODES)
    for directions in (np.eye(DIM), ops.eye(DIM)):
        result = measure(smooth_generator, CODES, directions=directions)
        if isinstance(expected, dict):
            assert result == expected
        else:
            for a, b in zip(result, expected, strict=True):
                np.testing.assert_array_equal(a, b)


# Neither orthogonal nor of unit length, and orthonormal.
OBLIQUE = np.random.default_rng(3).normal(size=(3, DIM)) / 2
ORTHONORMAL = np.linalg.qr(OBLIQUE.T)[0].T


@pytest.mark.parametrize("directions", [OBLIQUE, ORTHONORMAL, OBLIQUE[:1]])
def test_along_directions(directions):
    """The closed form q_i^T H q_j, which is the Hessian with respect to w of G(z + w Q)."""
    hessian = hessian_matrix(smooth_generator, CODES, epsilon=0.02, directions=directions)
    assert hessian.shape == (5, *IMAGE_SHAPE, len(directions), len(directions))
    exact = directions @ smooth_hessian(CODES) @ directions.T
    np.testing.assert_allclose(hessian, exact, atol=0.01)

    for n, code in enumerate(CODES):
        by_w = hessian_matrix(
            lambda w, z=code: smooth_generator(z + w.astype("float64") @ directions),
            np.zeros((1, len(directions))),
            epsilon=0.02,
        )
        np.testing.assert_allclose(hessian[n : n + 1], by_w, atol=1e-3)

    arguments = {"epsilon": 0.02, "directions": directions}
    penalty = hessian_penalty_map(smooth_generator, CODES, **arguments)
    expected = 2 * np.sum(off_diagonal(hessian) ** 2, axis=(-2, -1))
    np.testing.assert_allclose(penalty, expected, rtol=1e-12)
    peaks, elements = peak_hessians(smooth_generator, CODES, **arguments)
    for n, element in enumerate(elements):
        np.testing.assert_array_equal(peaks[n], hessian[(n, *element)])


def test_a_rotated_separable_function_is_diagonal_along_its_own_directions():
    rotation = np.kron(np.eye(2), np.array([[1, 1], [1, -1]]) / np.sqrt(2))

    def fn(z):
        w = np.asarray(z, "float64") @ rotation.T
        each = np.stack([w**2, np.exp(w)], axis=1)
        return each @ [1, -1, 3, -3]

    own = hessian_diagonality(fn, CODES, directions=rotation)
    assert own["max_on_diagonal"] == 1 and own["pooled_ratio"] > 1e4
    # Along the axes, of each pair, the difference stands off the diagonal that was on it.
    axes = hessian_diagonality(fn, CODES)
    assert axes["max_on_diagonal"] == 0 and axes["pooled_ratio"] < 10
    penalty = hessian_penalty_map(fn, CODES, directions=rotation[1:3])
    np.testing.assert_allclose(penalty, 0, atol=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_evaluations_along_directions(measure):
    sizes = []

    def counted(z):
        sizes.append(len(z))
        return smooth_generator(z)

    measure(counted, CODES, directions=OBLIQUE[:2], batch_size=9)
    times = 2 if measure is peak_hessians else 1
    assert sum(sizes) == times * len(CODES) * (2 * 2**2 + 1) and max(sizes) <= 9


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    "fn, z, arguments, message",
    [
        (smooth_generator, CODES[0], {}, r"`z` must be .* Received: z.shape=\(4,\)"),
        (smooth_generator, CODES * np.nan, {}, "`z` must be finite"),
        (
            smooth_generator,
            CODES,
            {"epsilon": 0},
            "`epsilon` must be a finite number > 0. Received: .*=0",
        ),
        (smooth_generator, CODES, {"batch_size": 3}, "`batch_size` must be an integer >= 4"),
        (smooth_generator, CODES, {"directions": CODES[0]}, r"`directions` must be .*\(m, 4\).*"),
        (smooth_generator, CODES, {"directions": np.eye(3)}, r"`directions` must be .*\(3, 3\)"),
        (smooth_generator, CODES, {"directions": CODES[:0]}, r"`directions` must be .*\(0, 4\)"),
        (smooth_generator, CODES, {"directions": CODES * np.inf}, "`directions` must be finite"),
        (smooth_generator, CODES, {"directions": 0 * CODES}, r"row of zeros.* \[0, 1, 2, 3, 4\]"),
        (lambda z: z[:1], CODES, {}, r"`fn\(z\)` must be of shape \(5, ...\).*\(1, 4\)"),
        (lambda z: z[:, :0], CODES, {}, r"`fn\(z\)` must be of shape"),
        (lambda z: z[0, 0], CODES, {}, r"`fn\(z\)` must be of shape"),
        (lambda z: z.astype("uint8"), CODES, {}, "must be float32 or float64.*dtype=uint8"),
        (lambda z: z.astype("float16"), CODES, {}, "must be float32 or float64.*dtype=float16"),
        (lambda z: z / 0, CODES, {}, r"`fn\(z\)` must be finite. Received: 20 values"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_input_is_named(measure, fn, z, arguments, message):
    with pytest.raises(ValueError, match=message):
        measure(fn, z, **arguments)


@pytest.mark.parametrize(
    "z, min_curvature, message",
    [
        (CODES[:, :1], None, r"`z` must have two components .* Received: z.shape=\(5, 1\)"),
        (CODES, -1, "`min_curvature` must be a finite number >= 0. Received: min_curvature=-1"),
        (CODES, np.nan, "`min_curvature` must be"),
    ],
)
def test_what_diagonality_refuses(z, min_curvature, message):
    with pytest.raises(ValueError, match=message):
        hessian_diagonality(smooth_generator, z, min_curvature=min_curvature)


def test_one_direction_has_nothing_off_the_diagonal():
    message = r"`directions` must have two rows or more.* Received: directions.shape=\(1, 4\)"
    with pytest.raises(ValueError, match=message):
        hessian_diagonality(smooth_generator, CODES, directions=CODES[:1])
