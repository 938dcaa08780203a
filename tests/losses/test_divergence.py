import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from keras import ops

from keras_disentangle.losses import gaussian_kl


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
