"""The distance of a support from a product of supports."""

import keras
import numpy as np
import pytest
from derivatives import value_and_gradients
from keras import ops

from keras_disentangle.losses import factorized_support
from keras_disentangle.penalties import FactorizedSupport

RNG = np.random.default_rng(0)


def hausdorff(z, candidates):
    """The sum over pairs of dimensions, in loops."""
    total = 0.0
    for i in range(z.shape[1]):
        for j in range(i):
            points = z[:, [j, i]]
            found = [((points - z[[p, q], [j, i]]) ** 2).sum(1).min() for p, q in candidates]
            total += max(found)
    return total


def test_definition():
    z = RNG.normal(size=(7, 4)).astype("float32")
    everything = [(p, q) for p in range(7) for q in range(7)]
    expected = hausdorff(z, everything)
    np.testing.assert_allclose(float(factorized_support(z)), expected, rtol=1e-5)
    # All shifts are all combinations, but for each code with itself.
    np.testing.assert_allclose(float(factorized_support(z, 6)), expected, rtol=1e-5)
    some = [(p, (p + s) % 7) for p in range(7) for s in (1, 2)]
    np.testing.assert_allclose(float(factorized_support(z, 2)), hausdorff(z, some), rtol=1e-5)


@pytest.mark.one_backend
def test_correlated_dimensions_with_full_support():
    """Frequencies do not matter, only which combinations occur."""
    z = np.float32([[0, 0]] * 20 + [[1, 1]] * 20 + [[0, 1], [1, 0]])
    assert np.corrcoef(z.T)[0, 1] > 0.9 and float(factorized_support(z)) == 0
    assert float(factorized_support(z[:40])) == 1
    # It scales as the square of the codes, and is 0 for a single dimension.
    assert float(factorized_support(3 * z[:40])) == 9
    assert float(factorized_support(z[:, :1])) == 0


@pytest.mark.one_backend
def test_published_numbers():
    """Those of the authors' hard Hausdorff matching with the full product of supports."""
    z = np.random.default_rng(5).normal(size=(12, 4)).astype("float32")
    np.testing.assert_allclose(float(factorized_support(z)), 8.98430919, rtol=1e-5)


def test_gradients_reach_codes_and_candidates():
    """Of two dimensions, by hand: the candidate (0, 2) is nearest to (0, 0) or (2, 2)."""
    codes = keras.Variable(np.float32([[0, 0], [2, 2.5]]))
    value, (gradient,) = value_and_gradients(lambda: factorized_support(codes * 1.0), [codes])
    # The candidate (2, 0) is at a distance of 4 from (0, 0), (0, 2.5) at 4 from (2, 2.5).
    assert float(value) == 4
    np.testing.assert_allclose(np.abs(ops.convert_to_numpy(gradient)[:, 0]), [4, 4])
    assert ops.convert_to_numpy(gradient)[:, 1].tolist() == [0, 0]


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: factorized_support(np.ones((1, 2))), r"`z` .*at least two codes.*\(1, 2\)"),
        (lambda: factorized_support(np.ones(3)), r"`z` must have the shape \(batch, d\)"),
        (lambda: factorized_support(np.ones((3, 2)), 0), "`num_shifts` must be an integer >= 1"),
        (lambda: factorized_support(np.ones((3, 2)), 3), "`num_shifts` must be an integer <= 2"),
        (lambda: FactorizedSupport(-1), "`weight` must be a finite number >= 0.*-1"),
        (lambda: FactorizedSupport(num_shifts=0), "`num_shifts` must be an integer >= 1"),
        (lambda: FactorizedSupport(of="codes"), "`of` must be one of .*'codes'"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
