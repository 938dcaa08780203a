import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from derivatives import value_and_gradients
from keras import Variable, ops

from keras_disentangle.losses import gaussian_kl, laplace_kl


@pytest.mark.parametrize(
    "mean, log_var, expected",
    [
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([1.0, 1.0], [0.0, 0.0], 1.0),
        ([0.0], [1.0], (np.e - 2) / 2),
        ([3.0, -2.0], [-20.0, -20.0], (13 + 2 * np.exp(-20) + 38) / 2),
    ],
)
def test_closed_form(mean, log_var, expected):
    value = gaussian_kl(np.float32([mean]), np.float32([log_var]))
    np.testing.assert_allclose(ops.convert_to_numpy(value), [expected], rtol=1e-6, atol=1e-7)


def test_the_integral():
    rng = np.random.default_rng(0)
    mean, log_var = rng.normal(size=(2, 4, 3)).astype("float32")

    def divergence(m, v):
        q = scipy.stats.norm(m, np.exp(v / 2))
        prior = scipy.stats.norm(0, 1)
        return scipy.integrate.quad(
            lambda z: q.pdf(z) * (q.logpdf(z) - prior.logpdf(z)), m - 30, m + 30, points=[m]
        )[0]

    expected = np.vectorize(divergence)(mean, log_var).sum(1)
    value = gaussian_kl(mean, log_var)
    np.testing.assert_allclose(ops.convert_to_numpy(value), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "mean, log_var, message",
    [
        ((3, 2), (3, 1), r"`mean` and `log_var` must .* mean.shape=\(3, 2\), log_var.shape=\(3, 1"),
        ((3,), (3,), r"the same shape \(batch, d\). Received: mean.shape=\(3,\)"),
        ((3, 2, 1), (3, 2, 1), r"the same shape \(batch, d\)"),
    ],
)
def test_bad_shapes_are_named(mean, log_var, message):
    with pytest.raises(ValueError, match=message):
        gaussian_kl(np.zeros(mean), np.zeros(log_var))


@pytest.mark.parametrize("log_var", [-90.0, -210.0])
def test_a_vanishing_variance_beside_a_laplace(log_var):
    mean, scale = Variable([[1.0, 0.0]]), Variable([[log_var, log_var]])

    def loss():
        return ops.sum(laplace_kl(mean, scale, np.zeros((1, 2), "float32"), 6.0))

    value, (of_mean, of_log_var) = value_and_gradients(loss, [mean, scale])
    expected = 6 - 2 * np.log(3) - np.log(2 * np.pi * np.e) - log_var
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(of_mean, [[6, 0]], atol=1e-6)
    np.testing.assert_allclose(of_log_var, [[-0.5, -0.5]], atol=1e-6)


def test_the_integral_of_the_laplace():
    rng = np.random.default_rng(1)
    mean, log_var, location = rng.normal(size=(3, 4, 3)).astype("float32")

    def divergence(m, v, at):
        q = scipy.stats.norm(m, np.exp(v / 2))
        prior = scipy.stats.laplace(at, 1 / 3.5)
        ends = min(m, at) - 30, max(m, at) + 30
        return scipy.integrate.quad(
            lambda z: q.pdf(z) * (q.logpdf(z) - prior.logpdf(z)), *ends, points=[m, at], limit=200
        )[0]

    expected = np.vectorize(divergence)(mean, log_var, location).sum(1)
    value = laplace_kl(mean, log_var, location, rate=3.5)
    np.testing.assert_allclose(ops.convert_to_numpy(value), expected, rtol=1e-5)
    # Far away, and narrow, it is the distance alone.
    far = ops.convert_to_numpy(laplace_kl([[40.0]], [[-20.0]], [[-10.0]], rate=2.0))
    np.testing.assert_allclose(far, [100 - 0.5 * (np.log(2 * np.pi * np.e) - 20)], rtol=1e-6)


@pytest.mark.parametrize(
    "shapes, rate, message",
    [
        (((3, 2), (3, 1), (3, 2)), 1, "`mean` and `log_var` must have the same shape"),
        (((3, 2), (3, 2), (2,)), 1, "`mean` and `location` must have the same shape"),
        (((3, 2), (3, 2), (3, 2)), 0, "`rate` must be a finite number > 0. Received: rate=0"),
        (((3, 2), (3, 2), (3, 2)), None, "`rate` must be a finite number > 0. Received: rate=None"),
    ],
)
def test_bad_input_of_the_laplace_is_named(shapes, rate, message):
    with pytest.raises(ValueError, match=message):
        laplace_kl(*map(np.zeros, shapes), rate)
