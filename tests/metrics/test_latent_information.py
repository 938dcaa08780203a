import numpy as np
import pytest
from scipy.special import logsumexp

from keras_disentangle.metrics import latent_information
from keras_disentangle.metrics._mixture import draw_latents, log_mixture_ratio


def log_density(z, mean, log_var):
    """Of each latent, example and dimension: (S, n, d)."""
    square = (z[:, None] - mean) ** 2 * np.exp(-log_var)
    return -0.5 * (square + log_var + np.log(2 * np.pi))


@pytest.mark.parametrize("std", [1, 0.1, 1e-3, 1e-6, 1e-12])
def test_mixture_against_direct_evaluation(std):
    # More components and latents than one block of the computation holds.
    rng = np.random.default_rng(0)
    mean = 5 + 3 * rng.standard_normal((1100, 6))
    log_var = 2 * np.log(std * rng.uniform(0.5, 2, size=mean.shape))
    rows, z = draw_latents(mean, log_var, 70, rng)
    groups = [slice(0, 2), slice(2, 3), slice(3, 6)]
    density = log_density(z, mean, log_var)
    expected = []
    for group in [*groups, slice(0, 6)]:
        grouped = density[:, :, group].sum(axis=2)
        own = grouped[np.arange(70), rows]
        expected.append(logsumexp(grouped, axis=1) - np.log(1100) - own)
    actual = log_mixture_ratio(z, rows, mean, log_var, groups, joint=True)
    np.testing.assert_allclose(actual, np.stack(expected, axis=1), atol=1e-11)


@pytest.mark.parametrize("log_var", [0.0, -14.0, -100.0])
def test_separated_posteriors_tell_which_example(log_var):
    mean = 1e3 * np.arange(150.0).reshape(50, 3)
    result = latent_information(mean, np.full_like(mean, log_var), rungs=[1, 2], num_samples=200)
    np.testing.assert_allclose([result["total"], *result["rungs"]], np.log(50), atol=1e-12)


def test_identical_posteriors_tell_nothing():
    result = latent_information(np.ones((50, 3)), np.full((50, 3), -1.0), rungs=[1, 2])
    np.testing.assert_allclose([result["total"], *result["rungs"]], 0, atol=1e-12)


@pytest.mark.parametrize("signal, noise", [(1, 0.5), (2, 0.2)])
def test_linear_gaussian(signal, noise):
    mean = signal * np.random.default_rng(1).standard_normal((10_000, 2))
    log_var = np.full(mean.shape, 2 * np.log(noise))
    result = latent_information(mean, log_var, rungs=[1, 1], num_samples=2000)
    expected = 0.5 * np.log(1 + signal**2 / noise**2)
    # The standard deviation of a sample is at most 1 nat: 3.5 standard errors.
    np.testing.assert_allclose(result["rungs"], expected, atol=0.08)
    assert result["total"] == pytest.approx(2 * expected, abs=0.1)


def test_copied_dimension_adds_little_but_precision():
    # Two looks at one variable are as good as one look with half of the noise variance.
    mean = np.random.default_rng(2).standard_normal((4000, 1)).repeat(2, axis=1)
    result = latent_information(mean, np.full(mean.shape, np.log(0.25)), num_samples=2000)
    assert result["total"] == pytest.approx(0.5 * np.log(1 + 1 / 0.125), abs=0.08)


def test_many_dimensions_neither_overflow_nor_vanish():
    rng = np.random.default_rng(3)
    mean = rng.standard_normal((40, 2000))
    for std in (1e-3, 1.0):
        log_var = 2 * np.log(std * rng.uniform(0.5, 2, size=mean.shape))
        assert latent_information(mean, log_var, num_samples=40)["total"] == pytest.approx(
            np.log(40)
        )


def test_rungs_are_consecutive_dimensions(posteriors):
    mean, log_var, _ = posteriors
    each = latent_information(mean, log_var, rungs=[1, 1, 1, 1], num_samples=500, seed=3)
    pair = latent_information(mean, log_var, rungs=[1, 2, 1], num_samples=500, seed=3)
    whole = latent_information(mean, log_var, num_samples=500, seed=3)
    assert pair["rungs"][0] == each["rungs"][0] and pair["rungs"][2] == each["rungs"][3]
    assert pair["rungs"][1] > max(each["rungs"][1:3])
    assert whole["rungs"] == pytest.approx([whole["total"]])
    assert whole["total"] == pytest.approx(each["total"]) == pytest.approx(pair["total"])


def test_published_values(posteriors, published):
    # The release takes E[-log q(z | x)] from the entropies; of the latents drawn, it gives ours.
    mean, log_var, _ = posteriors
    values = published["beta-tcvae"]
    rows, z = draw_latents(mean, log_var, 480, np.random.default_rng(0))
    own = -log_density(z, mean, log_var)[np.arange(480), rows]
    result = latent_information(mean, log_var, rungs=[1] * 4, num_samples=480, seed=0)
    np.testing.assert_allclose(
        result["rungs"] + own.mean(axis=0), values["marginal_entropies"], atol=1e-9
    )
    assert result["total"] + own.sum(axis=1).mean() == pytest.approx(
        values["joint_entropy"], abs=1e-9
    )
