import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from keras_disentangle.metrics import mig, mig_sup, mutual_information


def grid(*sizes):
    return np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)


ALONE = grid(3, 4, 5)  # a factor a code
ONE, TWO, FIVE = np.repeat(ALONE, 2, axis=0).astype(float).T


@pytest.mark.parametrize(
    "codes, expected_mig, expected_mig_sup",
    [
        # One-to-one, whatever the order, the sign and the scale.
        ([-ONE, 7 * FIVE, TWO], 1, 1),
        # Two factors in one code: MIG is blind to it. Half of the dimensions in use are pure.
        ([4 * ONE + TWO, FIVE], 1, 0.5),
        # A factor in two codes: MIG loses that factor, MIG-sup is blind to it.
        ([ONE, ONE, TWO, FIVE], 2 / 3, 1),
        # A factor in no code.
        ([ONE, TWO], 2 / 3, 1),
        # Dimensions that are constant, or nearly, do not count.
        ([ONE, TWO, FIVE, 0 * ONE, 1e-3 * ONE], 2 / 3, 1),
        ([ONE, TWO, FIVE, 0 * ONE], 1, 1),
        # Nothing in use.
        ([0 * ONE, 0 * ONE + 3], 0, 0),
        # A single dimension: its gap is all that it knows.
        ([TWO], 1 / 3, 1),
    ],
)
def test_closed_forms(codes, expected_mig, expected_mig_sup):
    codes, factors = np.stack(codes, axis=1), np.repeat(ALONE, 2, axis=0)
    assert mig(codes, factors) == pytest.approx(expected_mig, abs=1e-12)
    assert mig_sup(codes, factors) == pytest.approx(expected_mig_sup, abs=1e-12)


def test_partly_merged_factors():
    # The code knows all of a and, having one bit of four values of b, half of b.
    a, b = grid(2, 4).repeat(10, axis=0).T
    codes, factors = (2 * a + b // 2)[:, None].astype(float), np.stack([a, b], axis=1)
    assert mig_sup(codes, factors) == pytest.approx(0.5)
    np.testing.assert_allclose(mutual_information(codes, factors), [[np.log(2), np.log(2)]])


def test_independent_codes_score_near_zero():
    rng = np.random.default_rng(0)
    codes, factors = rng.standard_normal((10_000, 5)), rng.integers(0, 5, size=(10_000, 3))
    assert 0 <= mig(codes, factors) < 0.01
    assert 0 <= mig_sup(codes, factors) < 0.01


def test_active_dimensions_may_be_chosen():
    factors = ALONE
    merged = 4.0 * factors[:, 0] + factors[:, 1]
    codes = np.stack([merged, factors[:, 2], np.zeros(len(factors))], axis=1)
    assert mig_sup(codes, factors, active=np.array([False, True, False])) == pytest.approx(1)
    assert mig_sup(codes, factors, active=np.array([True, False, True])) == pytest.approx(0)
    assert mig_sup(codes, factors, active=np.zeros(3, bool)) == 0


@pytest.mark.parametrize("offset", [0, -4, 10**9])
def test_the_values_of_a_factor_are_names(offset):
    assert mig(ALONE, ALONE + offset) == pytest.approx(1)


@pytest.mark.parametrize("width", [1e-7, 1e-15, 1e-300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_codes_too_narrow_for_bins(dtype, width):
    codes = (1 + width * ALONE).astype(dtype)
    assert 0 <= mig(codes, ALONE) <= 1


@pytest.mark.parametrize("num_bins", [20, 7])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_published_values(discretized, published, num_bins, dtype):
    codes, factors = discretized
    codes, values = codes.astype(dtype), published["disentanglement_lib"]
    information = mutual_information(codes, factors, num_bins)
    assert mig(codes, factors, num_bins) == pytest.approx(values["mig"][str(num_bins)], abs=1e-9)
    np.testing.assert_allclose(information, values["mutual_information"][str(num_bins)], atol=1e-9)


def test_mutual_information_is_that_of_scikit_learn(discretized):
    codes, factors = discretized
    edges = [np.histogram(code, 20)[1][:-1] for code in codes.T]
    expected = [
        [mutual_info_score(factor, np.digitize(code, edge)) for factor in factors.T]
        for code, edge in zip(codes.T, edges, strict=True)
    ]
    np.testing.assert_allclose(mutual_information(codes, factors), expected, atol=1e-12)
