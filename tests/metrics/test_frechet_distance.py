import json
import pathlib
import warnings

import numpy as np
import pytest

from keras_disentangle.metrics import frechet_distance

PUBLISHED = json.loads(
    pathlib.Path(__file__).with_name("published_generator_values.json").read_text()
)["pytorch_fid"]


def two_sets():
    rng = np.random.default_rng(2024)
    first = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6))
    return first, rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6)


def with_moments(mean, covariance, num_samples=50):
    """Samples whose mean and unbiased covariance are exactly these."""
    z = np.random.default_rng(0).normal(size=(num_samples, len(mean)))
    z -= z.mean(axis=0)
    z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z, rowvar=False))).T
    return mean + z @ np.linalg.cholesky(covariance).T


@pytest.mark.parametrize(
    "mean, covariance, expected",
    [
        ([3, 4], np.eye(2), 25),
        ([0, 0], 9 * np.eye(2), 2 * (3 - 1) ** 2),
        ([1, 0], np.diag([4.0, 0.25]), 1 + (2 - 1) ** 2 + (0.5 - 1) ** 2),
        # Tr S^(1/2) of a matrix with eigenvalues 1 and 3.
        ([0, 0], np.array([[2.0, 1.0], [1.0, 2.0]]), 2 + 4 - 2 * (1 + np.sqrt(3))),
    ],
)
def test_known_gaussians(mean, covariance, expected):
    features = with_moments(mean, covariance), with_moments([0, 0], np.eye(2), num_samples=70)
    assert frechet_distance(*features) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(*features[::-1]) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("rotation", [0.3, 1.2])
def test_covariances_that_do_not_commute(rotation):
    # In two dimensions, Tr (A B)^(1/2) = sqrt(Tr A B + 2 sqrt(det A B)).
    turn = np.array([[np.cos(rotation), -np.sin(rotation)], [np.sin(rotation), np.cos(rotation)]])
    a, b = np.diag([1.0, 9.0]), turn @ np.diag([4.0, 0.5]) @ turn.T
    common = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    value = frechet_distance(with_moments([0, 0], a), with_moments([0, 0], b))
    assert value == pytest.approx(np.trace(a) + np.trace(b) - 2 * common, rel=1e-10)


def test_equal_sets():
    features = np.random.default_rng(0).normal(size=(9000, 5)) * [1e-3, 1, 1, 10, 1e3] + 100
    assert 0 <= frechet_distance(features, features[::-1]) < 1e-6
    # Rounding of the features, not of the sums over them, is what float32 leaves.
    assert frechet_distance(features, features.astype("float32")) < 1e-3


def test_published_values():
    a, b = two_sets()
    assert frechet_distance(a, b) == pytest.approx(PUBLISHED["whole"], rel=1e-9)
    with pytest.warns(UserWarning, match="covariance is singular"):
        assert frechet_distance(a[:5], b[:4]) == pytest.approx(PUBLISHED["singular"], rel=1e-6)


def test_blocks_of_rows():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(10_000, 3)), rng.normal(2, 3, size=(4097, 3))
    root = np.linalg.cholesky(np.cov(a, rowvar=False))
    squares = np.linalg.eigvalsh(root.T @ np.cov(b, rowvar=False) @ root)
    traces = a.var(axis=0, ddof=1).sum() + b.var(axis=0, ddof=1).sum()
    expected = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + traces
    expected -= 2 * np.sqrt(squares).sum()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("num, names", [(4, ["features_a"]), (5, [])])
def test_too_few_samples_are_told(num, names):
    features = np.random.default_rng(0).normal(size=(10, 4))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frechet_distance(features[:num], features)
    assert [str(warning.message).split("`")[1] for warning in caught] == names


SET = np.random.default_rng(0).normal(size=(10, 2))


@pytest.mark.parametrize(
    "features_a, features_b, message",
    [
        (SET[:, 0], SET, "`features_a` must be a non-empty array"),
        (SET, SET * np.inf, "`features_b` must be finite"),
        (SET[:1], SET, r"`features_a` must have two rows or more. Received: .*\(1, 2\)"),
        (SET, SET[:1], "`features_b` must have two rows or more"),
        (SET, SET[:, :1], r"equally wide. Received: .*\(10, 2\), features_b.shape=\(10, 1\)"),
    ],
)
def test_bad_input_is_named(features_a, features_b, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(features_a, features_b)
