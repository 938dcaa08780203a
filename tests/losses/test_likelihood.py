import numpy as np
import pytest
import scipy.special
import scipy.stats
from keras import ops

from keras_disentangle.losses import bernoulli_nll, gaussian_nll

RNG = np.random.default_rng(0)
X = RNG.random((5, 4, 3, 2)).astype("float32")
Y = RNG.normal(size=X.shape).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def test_bernoulli_is_the_log_probability():
    binary = (X > 0.5).astype("float32")
    expected = -scipy.stats.bernoulli.logpmf(binary, scipy.special.expit(Y.astype("float64")))
    value = numbers(bernoulli_nll(binary, Y))
    np.testing.assert_allclose(value, expected.sum((1, 2, 3)), rtol=1e-5)
    # Grey pixels: the cross-entropy.
    y = Y.astype("float64")
    expected = -(X * scipy.special.log_expit(y) + (1 - X) * scipy.special.log_expit(-y))
    np.testing.assert_allclose(numbers(bernoulli_nll(X, Y)), expected.sum((1, 2, 3)), rtol=1e-5)


def test_bernoulli_with_sure_logits():
    x, logits = np.float32([[1, 0, 1, 0]]), np.float32([[200, -200, -200, 200]])
    np.testing.assert_allclose(numbers(bernoulli_nll(x, logits)), [400])
    np.testing.assert_allclose(
        numbers(bernoulli_nll(np.ones((1, 4)), np.zeros((1, 4)))), [4 * np.log(2)], rtol=1e-6
    )


@pytest.mark.parametrize(
    "log_std", [0.0, -1.5, RNG.normal(size=X.shape), RNG.normal(size=(5, 1, 1, 1))]
)
def test_gaussian_is_the_log_density(log_std):
    log_std = np.float32(log_std)
    expected = -scipy.stats.norm.logpdf(X, Y, np.exp(log_std)).sum((1, 2, 3))
    np.testing.assert_allclose(numbers(gaussian_nll(X, Y, log_std)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "loss, second",
    [(bernoulli_nll, "logits"), (lambda x, mean: gaussian_nll(x, mean, 0.0), "mean")],
    ids=["bernoulli", "gaussian"],
)
@pytest.mark.parametrize("a, b", [((2, 4), (2, 5)), ((2, 4, 1), (2, 4)), ((2,), (2,))])
def test_bad_shapes_are_named(loss, second, a, b):
    with pytest.raises(ValueError, match=f"`x` and `{second}` must .* x.shape=\\({a[0]},"):
        loss(np.zeros(a), np.zeros(b))
