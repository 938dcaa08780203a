"""Quantised codes: which values, which gradients, and what codes out of range become."""

import keras
import numpy as np
import pytest
from derivatives import value_and_gradients
from keras import ops

from keras_disentangle.layers import FiniteScalarQuantization, LatentQuantization
from keras_disentangle.losses import commitment_loss, quantization_loss

RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(7, 3)).astype("float32")


def numbers(x):
    return ops.convert_to_numpy(x)


def learnt(num_values=4, **arguments):
    """A layer whose codebooks are no longer alike, nor in order."""
    layer = LatentQuantization(num_values, **arguments)
    layer.build((None, 3))
    layer.codebooks.assign(np.random.default_rng(1).normal(size=(3, num_values)))
    return layer


def test_codebooks_begin_as_published():
    layer = LatentQuantization()
    layer.build((None, 3))
    expected = np.tile(np.linspace(-0.5, 0.5, 10), (3, 1))
    np.testing.assert_allclose(numbers(layer.codebooks), expected, rtol=1e-6)
    assert [v.path.split("/")[-1] for v in layer.trainable_variables] == ["codebooks"]


def test_the_nearest_value_of_its_own_codebook():
    layer = learnt()
    codebooks = numbers(layer.codebooks)
    index = np.abs(CODES[:, :, None] - codebooks).argmin(-1)
    expected = np.take_along_axis(codebooks, index.T, 1).T
    values, found = layer.nearest(CODES)
    np.testing.assert_array_equal(numbers(found), index)
    np.testing.assert_array_equal(numbers(values), expected)
    # Not a rounding error away: metrics of discrete codes count equal numbers.
    np.testing.assert_array_equal(numbers(layer(CODES)), expected)


def test_of_equally_near_values_the_first():
    """As NumPy's `argmin`, of values in any order, equal ones, and codes that are not finite."""
    codebooks = np.array([[0.5, -0.5, 1.5, 0.5], [2, 0, 0, 1], [-0.25, 0.25, 0, -0.0]], "float32")
    row = np.array([0, 0.5, -0.5, 1, -1, 1.5, 0.125, -0.125, 1e-7, np.inf, np.nan], "float32")
    z = np.tile(row[:, None], (1, 3))
    layer = learnt()
    layer.codebooks.assign(codebooks)
    values, index = layer.nearest(z)
    expected = np.abs(z[:, :, None] - codebooks).argmin(-1)
    np.testing.assert_array_equal(numbers(index), expected)
    assert "int32" in str(index.dtype)
    chosen = np.take_along_axis(codebooks, expected.T, 1).T
    np.testing.assert_array_equal(numbers(values)[:-2], chosen[:-2])
    assert np.isnan(numbers(values)[-2:]).all()


def test_gradients_of_a_learnt_codebook():
    """Of the reconstruction, to the codes alone; of each loss, to what it trains alone."""
    layer, codes = learnt(), keras.Variable(CODES)
    weights = RNG.normal(size=(7, 3)).astype("float32")

    def gradients(fn):
        return value_and_gradients(lambda: ops.sum(fn()), [codes, layer.codebooks])[1]

    of_codes, of_codebooks = gradients(lambda: ops.multiply(layer(codes), weights))
    np.testing.assert_allclose(of_codes, weights, rtol=1e-6)
    assert not of_codebooks.any()

    values, index = (ops.convert_to_numpy(x) for x in layer.nearest(CODES))
    pairs = lambda: (codes, layer.nearest(codes)[0])  # noqa: E731
    of_codes, of_codebooks = gradients(lambda: quantization_loss(*pairs()))
    expected = np.zeros((3, 4))
    for i, j in np.ndindex(7, 3):
        expected[j, index[i, j]] += 2 * (values - CODES)[i, j] / 3
    assert not of_codes.any()
    np.testing.assert_allclose(of_codebooks, expected, rtol=1e-4, atol=1e-6)

    of_codes, of_codebooks = gradients(lambda: commitment_loss(*pairs()))
    np.testing.assert_allclose(of_codes, 2 * (CODES - values) / 3, rtol=1e-5, atol=1e-6)
    assert not of_codebooks.any()


def test_both_losses_are_means_of_squares():
    values = CODES + RNG.normal(size=CODES.shape).astype("float32")
    expected = np.square(CODES - values).mean(1)
    for loss in (quantization_loss, commitment_loss):
        np.testing.assert_allclose(numbers(loss(CODES, values)), expected, rtol=1e-5)


@pytest.mark.parametrize("num_levels", [2, 3, 12])
def test_finite_scalar_quantization(num_levels):
    layer, top = FiniteScalarQuantization(num_levels), num_levels - 1
    index = np.round((np.tanh(CODES.astype("float64")) + 1) / 2 * top)
    values, found = layer.nearest(CODES)
    np.testing.assert_array_equal(numbers(found), index)
    np.testing.assert_allclose(
        numbers(values), layer.code(3).traversal()[index.astype(int)], atol=1e-6
    )
    np.testing.assert_array_equal(numbers(layer(CODES)), numbers(values))
    assert len(np.unique(numbers(values))) == len(np.unique(index))
    codes = keras.Variable(CODES)
    _, (of_codes,) = value_and_gradients(lambda: ops.sum(layer(codes)), [codes])
    np.testing.assert_allclose(of_codes, 1 - np.tanh(CODES) ** 2, rtol=1e-4, atol=1e-6)


def test_codes_that_diverged_stay_visible():
    codes = np.float32([[np.nan, np.inf, 0.1]])
    for layer in (LatentQuantization(3), FiniteScalarQuantization(3)):
        values, index = (numbers(x) for x in layer.nearest(codes))
        given = numbers(layer(codes))
        np.testing.assert_array_equal(given, values)
        assert np.isnan(values[0, 0]) and values[0, 2] == 0
        assert ((index >= 0) & (index < 3)).all()
    assert values[0, 1] == 1  # tanh


def test_a_dead_dimension_keeps_its_other_values():
    """A codebook of which one value is used: the others have no gradient."""
    layer = LatentQuantization(3)
    codes = keras.Variable(np.full((5, 1), 40.0, "float32"))
    layer.build((None, 1))
    _, (of_codebooks,) = value_and_gradients(
        lambda: ops.sum(quantization_loss(codes, layer.nearest(codes)[0])), [layer.codebooks]
    )
    np.testing.assert_array_equal(of_codebooks[0, :2], 0)
    assert of_codebooks[0, 2] == pytest.approx(2 * 5 * (0.5 - 40))


@pytest.mark.parametrize("kind", [LatentQuantization, FiniteScalarQuantization])
def test_mixed_precision(kind):
    layer = kind(3, dtype="mixed_bfloat16")
    found = layer(ops.cast(CODES, "bfloat16"))
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    for variable in layer.variables:
        assert variable.dtype == "float32"


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: LatentQuantization(1), "`num_values` must be an integer >= 2. Received: .*=1"),
        (lambda: LatentQuantization(3, 1, 1), "`low` must be less than `high`. Received: low=1"),
        (lambda: LatentQuantization(3, high=np.nan), "`high` must be a finite number"),
        (lambda: LatentQuantization(3)(np.zeros((2, 3, 4))), "`z` must be codes .*2, 3, 4"),
        (lambda: FiniteScalarQuantization(1), "`num_levels` must be an integer >= 2. Rec.*=1"),
        (lambda: FiniteScalarQuantization(3)(np.zeros((2, 3, 4))), "`z` must be codes .*2, 3, 4"),
        (
            lambda: quantization_loss(np.zeros((2, 3)), np.zeros((2, 4))),
            "`continuous` and `quantized` must have the same shape",
        ),
        (lambda: commitment_loss(np.zeros(3), np.zeros(3)), "`continuous` and `quantized` must"),
        (lambda: commitment_loss(None, np.zeros((2, 3))), "`continuous` must be a tensor"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
