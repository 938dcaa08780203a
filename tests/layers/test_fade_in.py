import numpy as np
import pytest
from keras import ops

from keras_disentangle.layers import FadeIn

NEW, OLD = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0, np.float32(0.5)])
def test_blend(alpha):
    alone, blended = FadeIn()(NEW, alpha=alpha), FadeIn()(NEW, alpha=alpha, old=OLD)
    np.testing.assert_allclose(ops.convert_to_numpy(alone), alpha * NEW, rtol=1e-6)
    expected = alpha * NEW + (1 - alpha) * OLD
    np.testing.assert_allclose(ops.convert_to_numpy(blended), expected, rtol=1e-5, atol=1e-7)


def test_the_example():
    assert ops.convert_to_numpy(FadeIn()(np.ones((1, 2)), alpha=0.25)).tolist() == [[0.25, 0.25]]
