"""The density-ratio trick, by hand, and as the published implementation computes it."""

import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax

from keras_disentangle.losses import density_ratio_loss, log_density_ratio, permute_codes

RNG = np.random.default_rng(0)
LOGITS, OTHERS = (2 * np.random.default_rng(7).normal(size=(2, 32, 2))).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def test_each_dimension_is_permuted_on_its_own():
    z, noise = RNG.normal(size=(40, 5)).astype("float32"), RNG.random((40, 5), dtype="float32")
    permuted = numbers(permute_codes(z, noise))
    expected = np.stack([z[np.argsort(noise[:, j]), j] for j in range(5)], axis=1)
    np.testing.assert_array_equal(permuted, expected)
    # No two columns moved alike.
    sources = np.argmax(permuted[:, None] == z[None], axis=1)
    assert len(np.unique(sources, axis=1).T) == 5


def test_permuted_codes_have_lost_their_correlation():
    z = RNG.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=5000)
    permuted = numbers(permute_codes(z, RNG.random((5000, 2))))
    assert abs(np.corrcoef(permuted.T)[0, 1]) < 0.05


def test_loss_and_ratio_by_hand():
    ratio = numbers(log_density_ratio(LOGITS))
    np.testing.assert_allclose(ratio, LOGITS[:, 0] - LOGITS[:, 1], rtol=1e-6)
    expected = -(log_softmax(LOGITS, axis=1)[:, 0] + log_softmax(OTHERS, axis=1)[:, 1]) / 2
    loss = numbers(density_ratio_loss(LOGITS, OTHERS))
    assert loss.shape == (32,)
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-6)


def test_the_published_numbers():
    """Of disentanglement_lib, whose logarithms of probabilities have the same mean."""
    assert numbers(log_density_ratio(LOGITS)).mean() == pytest.approx(-0.20845455, rel=1e-5)
    assert numbers(density_ratio_loss(LOGITS, OTHERS)).mean() == pytest.approx(1.1821485, rel=1e-5)
    # Its probabilities of far logits are 0, and their logarithms infinite.
    far = np.array([[-200.0, 200.0]], "float32")
    np.testing.assert_allclose(numbers(density_ratio_loss(far, -far)), 400.0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: permute_codes(np.zeros((3, 2)), np.zeros((2, 3))), "`z` and `noise` must have"),
        (lambda: permute_codes(np.zeros(3), np.zeros(3)), "`z` and `noise` must have"),
        (lambda: log_density_ratio(np.zeros((3, 1))), r"`logits` must have the shape \(n, 2\)"),
        (lambda: density_ratio_loss(LOGITS, OTHERS[:3]), "`logits` and `permuted_logits` must"),
        (lambda: density_ratio_loss(LOGITS, OTHERS[:, :1]), "`permuted_logits` must have the"),
    ],
)
def test_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
