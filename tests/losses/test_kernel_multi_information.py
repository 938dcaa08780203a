import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from derivatives import value_and_gradients
from keras import ops

from keras_disentangle.losses import kernel_multi_information
from keras_disentangle.penalties import KernelMultiInformation

RNG = np.random.default_rng(0)
# Of the published function, for the arrays of `published_arrays`.
PUBLISHED = [
    *(0.6904568659741308, 0.7940846254298997, 0.9413001841889663, 0.6693457048826805),
    *(0.5116235934445452, 0.527103385442667, 0.8211686504135542, 1.0341922660774137),
    *(1.7705377583657456, 0.9513379166554605, 1.443721690766004, 1.1394216065975873),
]


def numbers(x):
    return ops.convert_to_numpy(x)


def published_arrays():
    """Codes quantised to 12 levels, and the codes before."""
    continuous = np.tanh(np.random.default_rng(1).normal(size=(12, 3)) * [1.0, 0.5, 0.3])
    return 2 * np.round((continuous + 1) / 2 * 11) / 11 - 1, continuous


def test_the_published_numbers():
    z, continuous = (x.astype("float32") for x in published_arrays())
    found = numbers(kernel_multi_information(z, continuous))
    np.testing.assert_allclose(found, PUBLISHED, rtol=1e-4)
    penalty = KernelMultiInformation()
    np.testing.assert_allclose(numbers(penalty.evaluate(z, continuous, None)), found, rtol=1e-6)


@pytest.mark.parametrize("bandwidth", ["scale", "silverman"])
def test_the_formula(bandwidth):
    """With SciPy's densities."""
    z = RNG.normal(size=(9, 2)) @ [[1.0, 0.5], [0.0, 2.0]]
    std, n, d = z.std(0), 9, 2
    joint = std * (4 / (d + 2)) ** (1 / (d + 4)) * n ** (-1 / (d + 4))
    marginal = std if bandwidth == "scale" else std * (4 / (3 * n)) ** (1 / 5)
    expected = [
        np.log(np.mean([scipy.stats.norm.pdf(row, other, joint).prod() for other in z]))
        - np.log(scipy.stats.norm.pdf(row, z, marginal).mean(0)).sum()
        for row in z
    ]
    z = z.astype("float32")
    found = numbers(kernel_multi_information(z, marginal_bandwidth=bandwidth))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    # Of a VAE's codes, whatever the posteriors are.
    penalty = KernelMultiInformation(marginal_bandwidth=bandwidth)
    np.testing.assert_allclose(numbers(penalty.evaluate(z, 0 * z, 0 * z)), found, rtol=1e-6)


@pytest.mark.one_backend
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_gaussians(correlation):
    """With Silverman's rule throughout, near the multiinformation of the distribution."""
    covariance = [[1, correlation], [correlation, 1]]
    z = np.random.default_rng(2).multivariate_normal([0, 0], covariance, 2000).astype("float32")
    found = numbers(kernel_multi_information(z, marginal_bandwidth="silverman")).mean()
    assert found == pytest.approx(-0.5 * np.log(1 - correlation**2), abs=0.05)
    # The wider marginals of the authors' code shift it, for any number of codes.
    assert numbers(kernel_multi_information(z)).mean() > found + 0.15


def test_units_do_not_matter():
    z = RNG.normal(size=(20, 3)).astype("float32")
    expected = numbers(kernel_multi_information(z))
    found = numbers(kernel_multi_information(np.float32([5, 0.2, 100]) * z - 3))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_dead_dimension_changes_no_gradient():
    """It shifts the value and narrows the bandwidths; all is finite, and it has no gradient."""
    z = RNG.normal(size=(8, 3)).astype("float32")
    z[:, 1] = 0.25
    codes = keras.Variable(z)
    value, (gradient,) = value_and_gradients(
        lambda: ops.mean(kernel_multi_information(codes * 1.0)), [codes]
    )
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert not gradient[:, 1].any() and gradient[:, 0].any()


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: kernel_multi_information(np.ones((1, 2), "float32")),
            r"`z` must hold at least two examples.*\(1, 2\)",
        ),
        (
            lambda: kernel_multi_information(np.ones((3, 2)), np.ones((3, 3))),
            "`z` and `continuous` must have the same shape",
        ),
        (
            lambda: kernel_multi_information(np.ones((3, 2)), marginal_bandwidth="wide"),
            "`marginal_bandwidth` must be one of .*'wide'",
        ),
        (lambda: KernelMultiInformation(-1), "`weight` must be a finite number >= 0.*-1"),
        (
            lambda: KernelMultiInformation(marginal_bandwidth=None),
            "`marginal_bandwidth` must be one of .*None",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
