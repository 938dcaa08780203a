import numpy as np
import pytest

from keras_disentangle.metrics import posterior_mig


def grid(*sizes):
    return np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)


def test_published_values(posteriors, published):
    result = posterior_mig(*posteriors, num_samples=480, seed=0)
    values = published["proVLAE"]
    assert result["mig"] == pytest.approx(values["mig"], abs=1e-9)
    assert result["mig"] == pytest.approx(published["beta-tcvae"]["mig"], abs=1e-9)
    assert result["mig_sup"] == pytest.approx(values["mig_sup"], abs=1e-9)
    assert np.flatnonzero(result["active"]).tolist() == values["active"]
    np.testing.assert_allclose(
        result["mutual_information"], values["mutual_information"], atol=1e-9
    )


@pytest.mark.parametrize(
    "combine, expected_mig, expected_mig_sup",
    [
        (lambda a, b: [a, b], 1, 1),
        (lambda a, b: [8 * a + b], 1, 0),  # merged
        (lambda a, b: [a, a, b], 0.5, 1),  # split
        (lambda a, b: [a, b, 0 * a], 1, 1),  # a dimension that is not in use
        (lambda a, b: [0 * a, 0 * a], 0, 0),
    ],
)
def test_closed_forms(combine, expected_mig, expected_mig_sup):
    factors = np.tile(grid(3, 4), (20, 1))
    mean = np.stack(combine(*factors.T), axis=1).astype(float)
    # Dimensions in use are sharp; that of no use is the prior.
    log_var = np.where(mean.var(axis=0) > 0, -8.0, 0.0) + np.zeros_like(mean)
    result = posterior_mig(mean, log_var, factors, num_samples=1200)
    assert result["mig"] == pytest.approx(expected_mig, abs=1e-9)
    assert result["mig_sup"] == pytest.approx(expected_mig_sup, abs=1e-9)


def test_linear_gaussian_information():
    # z = v + noise with v in {-1, 1}: I(z; v) by quadrature of a mixture of two Gaussians.
    factors = np.tile([[0], [1]], (2000, 1))
    mean, std = 2.0 * factors - 1, 0.8
    grid_z = np.linspace(-8, 8, 20_001)
    pdf = [np.exp(-0.5 * ((grid_z - m) / std) ** 2) / (std * np.sqrt(2 * np.pi)) for m in (-1, 1)]
    mixture = (pdf[0] + pdf[1]) / 2
    expected = np.trapezoid(pdf[0] * np.log(pdf[0] / mixture), grid_z)
    result = posterior_mig(mean, np.full(mean.shape, 2 * np.log(std)), factors, num_samples=4000)
    assert result["mutual_information"][0, 0] == pytest.approx(expected, abs=0.03)
    assert result["mig"] == pytest.approx(expected / np.log(2), abs=0.05)


def test_factors_used(posteriors):
    mean, log_var, factors = posteriors
    whole = posterior_mig(mean, log_var, factors, num_samples=480)
    part = posterior_mig(mean, log_var, factors, factors_used=[2, 0], num_samples=480)
    alone = posterior_mig(mean, log_var, factors[:, [2, 0]], num_samples=480)
    np.testing.assert_array_equal(
        part["mutual_information"], whole["mutual_information"][:, [2, 0]]
    )
    assert part["mig"] == alone["mig"] and part["mig_sup"] == alone["mig_sup"]


def test_fewer_latents_than_values(posteriors):
    result = posterior_mig(*posteriors, num_samples=2)
    assert np.isfinite(result["mutual_information"]).all()
    assert 0 <= result["mig"] <= 2 and 0 <= result["mig_sup"] <= 2


def test_a_sample_of_the_grid_is_near_the_whole():
    factors = grid(5, 6, 40)
    mean = factors[:, :2] + 0.05 * np.random.default_rng(0).standard_normal((1200, 2))
    log_var = np.full(mean.shape, -2.0)
    rows = np.random.default_rng(1).choice(1200, 600, replace=False)
    whole = posterior_mig(mean, log_var, factors, factors_used=[0, 1])
    part = posterior_mig(mean[rows], log_var[rows], factors[rows], factors_used=[0, 1])
    assert part["mig"] == pytest.approx(whole["mig"], abs=0.03)
    assert part["mig_sup"] == pytest.approx(whole["mig_sup"], abs=0.03)
