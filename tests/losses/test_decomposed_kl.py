"""Mutual information, total correlation and dimension-wise KL, and DIP, of posteriors."""

import itertools

import keras
import numpy as np
import pytest
import scipy.special
from derivatives import value_and_gradients
from keras import ops

from keras_disentangle.losses import decomposed_kl, dip
from keras_disentangle.penalties import DIP, Capacity, TotalCorrelation


def posteriors(n, d, seed=0):
    rng = np.random.default_rng(seed)
    mean, log_var, noise = rng.normal(size=(3, n, d)).astype("float32")
    log_var = 0.5 * log_var - 1
    return mean + np.exp(log_var / 2) * noise, mean, log_var


def numbers(parts):
    return [ops.convert_to_numpy(part) for part in parts]


def log_densities(z, mean, log_var):
    """log q(z_i | x_k) of each dimension, (n, n, d), in float64."""
    z, mean, log_var = (np.asarray(x, "float64") for x in (z, mean, log_var))
    squares = (z[:, None] - mean) ** 2 / np.exp(log_var)
    return -0.5 * (squares + log_var + np.log(2 * np.pi))


@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_a_batch_that_is_the_data_set(estimator):
    """Each part is its plain estimate, and their sum log q(z|x) - log p(z)."""
    z, mean, log_var = posteriors(9, 3)
    found = numbers(decomposed_kl(z, mean, log_var, 9, estimator))
    log_q = log_densities(z, mean, log_var)
    own = np.einsum("iij->i", log_q)
    aggregate = scipy.special.logsumexp(log_q.sum(-1), axis=1) - np.log(9)
    marginals = (scipy.special.logsumexp(log_q, axis=1) - np.log(9)).sum(-1)
    prior = -0.5 * (z.astype("float64") ** 2 + np.log(2 * np.pi)).sum(-1)
    expected = own - aggregate, aggregate - marginals, marginals - prior
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.one_backend
@pytest.mark.parametrize("variance", [1e-6, 1e-2, 1e2])
def test_float32_is_enough(variance):
    """Also for variances so small that squares of codes in units of them nearly cancel."""
    z, mean, log_var = posteriors(64, 10)
    log_var = log_var + np.float32(np.log(variance))
    mean[1], log_var[1] = mean[0], log_var[0]  # Two images are alike.
    z = mean + np.exp(log_var / 2) * np.random.default_rng(1).normal(size=z.shape)
    z = z.astype("float32")
    found = numbers(decomposed_kl(z, mean, log_var))
    log_q = log_densities(z, mean, log_var)
    own = np.einsum("iij->i", log_q)
    aggregate = scipy.special.logsumexp(log_q.sum(-1), axis=1) - np.log(64)
    marginals = (scipy.special.logsumexp(log_q, axis=1) - np.log(64)).sum(-1)
    np.testing.assert_allclose(found[0], own - aggregate, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[1], aggregate - marginals, rtol=1e-5, atol=1e-5)


@pytest.mark.one_backend
@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
@pytest.mark.parametrize("dataset_size", [None, 40, 60_000])
def test_the_sum_is_the_monte_carlo_kl(estimator, dataset_size):
    z, mean, log_var = posteriors(30, 4)
    found = sum(numbers(decomposed_kl(z, mean, log_var, dataset_size, estimator)))
    own = np.einsum("iij->i", log_densities(z, mean, log_var))
    prior = -0.5 * (z.astype("float64") ** 2 + np.log(2 * np.pi)).sum(-1)
    np.testing.assert_allclose(found, own - prior, rtol=1e-4, atol=1e-4)


@pytest.mark.one_backend
def test_stratified_is_unbiased_over_batches():
    """The mean of q(z) over all batches of 3 of 7 with the example is that of the data set."""
    z, mean, log_var = posteriors(7, 2)
    log_q = log_densities(z, mean, log_var)
    own = np.einsum("iij->i", log_q)
    for row in range(3):
        found = []
        for others in itertools.combinations([k for k in range(7) if k != row], 2):
            rows = [row, *others]
            information = decomposed_kl(z[rows], mean[rows], log_var[rows], 7, "stratified")[0]
            found.append(np.exp(own[row] - float(information[0])))
        expected = np.exp(log_q[row].sum(-1)).mean()
        assert np.mean(found) == pytest.approx(expected, rel=1e-4)
        # The weighted estimate is of a batch in which it occurs too often.
        biased = np.mean(
            [
                np.exp(own[row] - float(decomposed_kl(z[r], mean[r], log_var[r])[0][0]))
                for r in ([row, *o] for o in itertools.combinations({*range(7)} - {row}, 2))
            ]
        )
        assert biased > 1.1 * expected


@pytest.mark.one_backend
def test_correlated_gaussians():
    """Where x is Gaussian and the means are x, all parts are known in closed form."""
    rng, n, correlation, noise = np.random.default_rng(3), 2000, 0.8, 0.5
    covariance = np.array([[1, correlation], [correlation, 1]])
    mean = rng.multivariate_normal([0, 0], covariance, n)
    z = mean + noise * rng.normal(size=mean.shape)
    log_var = np.full_like(mean, 2 * np.log(noise))
    of_z = covariance + noise**2 * np.eye(2)
    log_det, variance = np.linalg.slogdet(of_z)[1], of_z[0, 0]
    expected = (
        0.5 * log_det - 2 * np.log(noise),
        0.5 * (2 * np.log(variance) - log_det),
        variance - 1 - np.log(variance),
    )
    for estimator in ("weighted", "stratified"):
        found = [part.mean() for part in numbers(decomposed_kl(z, mean, log_var, n, estimator))]
        np.testing.assert_allclose(found, expected, atol=0.06)


def test_published_numbers():
    """Those of disentanglement_lib; its total correlation lacks a constant, (d - 1) log(batch)."""
    rng = np.random.default_rng(7)
    mean, log_var, noise = rng.normal(size=(3, 16, 5)).astype("float32")
    log_var = 0.5 * log_var - 1
    z = mean + np.exp(log_var / 2) * noise
    correlation = numbers(decomposed_kl(z, mean, log_var, 50_000))[1].mean()
    assert correlation - 4 * np.log(16) == pytest.approx(-10.535114288330078, rel=1e-5)
    assert float(dip(mean, log_var, "i")) == pytest.approx(4.935617923736572, rel=1e-5)
    assert float(dip(mean, log_var, "ii")) == pytest.approx(0.8110685348510742, rel=1e-5)


def test_extreme_variances_keep_gradients_finite():
    z, mean, log_var = posteriors(6, 2)
    log_var = keras.Variable(np.float32([-60, -20, 0, 20, 60, -60])[:, None] * np.ones((6, 2)))
    value, (gradient,) = value_and_gradients(
        lambda: sum(ops.sum(part) for part in decomposed_kl(mean, mean, log_var * 1.0)), [log_var]
    )
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_dip_by_hand():
    mean = np.array([[1.0, 2.0], [-1.0, 0.0], [3.0, -2.0], [1.0, 0.0]])  # covariance: 2, -1; -1, 2
    log_var = np.log(np.array([[1.0, 2.0]] * 4))
    assert float(dip(mean, log_var, "i")) == pytest.approx(2 * 1 + 10 * 2)
    assert float(dip(mean, log_var, "ii")) == pytest.approx(2 * 1 + 4 + 9)
    assert float(dip(mean, log_var, "ii", diagonal_weight=0)) == pytest.approx(2)


@pytest.mark.one_backend
def test_capacity_is_of_the_mean():
    """Examples may differ, as long as their mean is C."""
    mean = np.float32([[0, 0], [2, 0]])  # KL: 0 and 2
    found = Capacity().evaluate(mean, mean, 0 * mean, 3.0)
    assert float(found) == 2
    assert float(Capacity().evaluate(mean, mean, 0 * mean, 1.0)) == 0


Z = np.ones((3, 2), "float32")


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: decomposed_kl(Z[:1], Z[:1], Z[:1]), r"`z` must hold at least two.*\(1, 2\)"),
        (lambda: decomposed_kl(Z, Z, Z, 2), "`dataset_size` must be at least the batch's size, 3"),
        (lambda: decomposed_kl(Z, Z, Z, 0), "`dataset_size` must be an integer >= 2"),
        (lambda: decomposed_kl(Z, Z, Z, 5, "exact"), "`estimator` must be one of .*'exact'"),
        (lambda: decomposed_kl(Z, Z[:2], Z[:2]), "`z` and `mean` must have the same shape"),
        (lambda: dip(Z, Z, "iii"), "`kind` must be one of .*'iii'"),
        (lambda: dip(Z, Z, "i", -1), "`diagonal_weight` must be a finite number >= 0"),
        (lambda: dip(Z[:1], Z[:1]), r"`mean` must hold at least two examples.*\(1, 2\)"),
        (lambda: TotalCorrelation(-1), "`weight` must be a finite number >= 0.*-1"),
        (lambda: TotalCorrelation(dataset_size=1), "`dataset_size` must be an integer >= 2"),
        (lambda: TotalCorrelation(estimator=1), "`estimator` must be one of"),
        (
            lambda: TotalCorrelation(mutual_information_weight=-2),
            "`mutual_information_weight` must be a finite number >= 0",
        ),
        (lambda: DIP(kind=2), "`kind` must be one of"),
        (lambda: DIP(diagonal_weight="1"), "`diagonal_weight` must be a finite number >= 0"),
        (lambda: Capacity(capacity=-1), "`capacity` must be a finite number >= 0"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
