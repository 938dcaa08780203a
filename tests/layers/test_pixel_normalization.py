import numpy as np
import pytest
from keras import ops

from keras_disentangle.layers import PixelNormalization


@pytest.mark.parametrize("shape", [(4, 7), (4, 3, 2, 7)])
@pytest.mark.parametrize("epsilon", [1e-8, 0.5])
def test_against_numpy(shape, epsilon):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    expected = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + epsilon)
    y = ops.convert_to_numpy(PixelNormalization(epsilon)(x))
    np.testing.assert_allclose(y, expected, rtol=1e-5)


def test_the_example():
    y = ops.convert_to_numpy(PixelNormalization()(np.array([[3.0, 4.0]], "float32")))
    np.testing.assert_allclose(y, [[3 / 12.5**0.5, 4 / 12.5**0.5]], rtol=1e-6)


def test_vectors_of_zeros_stay_zero():
    zeros = np.zeros((2, 5), "float32")
    assert (ops.convert_to_numpy(PixelNormalization()(zeros)) == 0).all()
    # In half precision, epsilon would be 0, and the result not a number.
    assert (ops.convert_to_numpy(PixelNormalization(dtype="float16")(zeros)) == 0).all()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="`epsilon` must be a finite number > 0. Rec.*=0"):
        PixelNormalization(0)
