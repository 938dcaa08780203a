"""The posteriors of pairs, by hand, in float64 and as the published implementation has them."""

import json
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from keras_disentangle.losses import adaptive_posteriors, laplace_kl

PUBLISHED = json.loads(Path(__file__).with_name("published_weak_supervision.json").read_text())
RNG = np.random.default_rng(11)
MEAN, OTHER = RNG.normal(size=(2, 6, 5)).astype("float32")
LOG_VAR, OTHER_LOG_VAR = (0.5 * RNG.normal(size=(2, 6, 5)) - 1).astype("float32")


def numbers(*arguments, **options):
    return np.array(
        [
            [ops.convert_to_numpy(x) for x in pair]
            for pair in adaptive_posteriors(*arguments, **options)
        ]
    )


def divergence(mean, log_var, other, other_log_var):
    var, other_var = np.exp(log_var.astype("float64")), np.exp(other_log_var.astype("float64"))
    error = (mean - other.astype("float64")) ** 2
    return 0.5 * (np.log(other_var / var) + (var + error) / other_var - 1)


@pytest.mark.parametrize("average", ["group", "multi_level"])
def test_the_published_numbers(average):
    found = numbers(MEAN, LOG_VAR, OTHER, OTHER_LOG_VAR, average)
    np.testing.assert_allclose(found, PUBLISHED[average], rtol=2e-6, atol=2e-6)
    # Some dimensions are shared and some are not, in every pair.
    shared = (found[0] == found[1]).all(axis=0)
    assert shared.any(axis=1).all() and (~shared).any(axis=1).all()


@pytest.mark.parametrize("symmetric", [False, True])
def test_what_is_shared_by_hand(symmetric):
    delta = divergence(MEAN, LOG_VAR, OTHER, OTHER_LOG_VAR)
    if symmetric:
        delta += divergence(OTHER, OTHER_LOG_VAR, MEAN, LOG_VAR)
    own = delta >= (delta.min(1) + delta.max(1))[:, None] / 2
    var, other_var = np.exp(LOG_VAR), np.exp(OTHER_LOG_VAR)
    precision = 1 / var + 1 / other_var
    averages = {
        "group": ((MEAN + OTHER) / 2, (var + other_var) / 2),
        "multi_level": ((MEAN / var + OTHER / other_var) / precision, 2 / precision),
    }
    for average, (mean, variance) in averages.items():
        found = numbers(MEAN, LOG_VAR, OTHER, OTHER_LOG_VAR, average, symmetric)
        for i, (m, v) in enumerate([(MEAN, LOG_VAR), (OTHER, OTHER_LOG_VAR)]):
            expected = np.where(own, m, mean), np.where(own, v, np.log(variance))
            np.testing.assert_allclose(found[i], expected, rtol=1e-5, atol=1e-6)


def test_the_two_divergences_choose_differently():
    found = [numbers(MEAN, LOG_VAR, OTHER, OTHER_LOG_VAR, symmetric=s) for s in (False, True)]
    assert (found[0] != found[1]).any()


def test_equal_posteriors_and_single_dimensions_stay():
    found = numbers(MEAN, LOG_VAR, MEAN, LOG_VAR)
    np.testing.assert_array_equal(found[0], [MEAN, LOG_VAR])
    single = MEAN[:, :1], LOG_VAR[:, :1], OTHER[:, :1], OTHER_LOG_VAR[:, :1]
    np.testing.assert_array_equal(numbers(*single), [single[:2], single[2:]])


def test_extreme_variances_are_finite():
    log_var = np.float32([[-80.0, 80.0, 80.0]])
    mean = np.float32([[1.0, 0.0, 0.0]])
    for average in ("group", "multi_level"):
        found = numbers(mean, log_var, 0 * mean, log_var, average)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found[:, 1, 0, 1:], 80.0, rtol=1e-6)


def test_a_variance_beyond_float32_is_its_own():
    mean, log_var = np.zeros((1, 2), "float32"), np.float32([[-100, 0]])
    (_, first), (_, second) = adaptive_posteriors(mean, 0 * mean, mean, log_var)
    np.testing.assert_array_equal(ops.convert_to_numpy(first), 0 * mean)
    np.testing.assert_array_equal(ops.convert_to_numpy(second), log_var)


def test_the_published_slow_terms():
    """Its Laplace terms subtract half of the entropies: divergences of twice the rate."""
    published = PUBLISHED["slow"]
    entropy = published["normal_entropy"]
    log_vars = (LOG_VAR + OTHER_LOG_VAR).sum(1) / 2
    assert (0.5 * (log_vars + 5 * np.log(2 * np.pi * np.e))).mean() == pytest.approx(entropy)
    both = (MEAN, LOG_VAR, OTHER), (OTHER, OTHER_LOG_VAR, MEAN)
    # As divergences they are the cross-entropies without the entropies.
    forward = ops.convert_to_numpy(laplace_kl(*both[0], rate=6))
    own_entropy = 0.5 * (LOG_VAR + np.log(2 * np.pi * np.e)).sum(1)
    np.testing.assert_allclose(forward + own_entropy, published["per_pair_forward"], rtol=1e-5)
    found = np.mean([ops.convert_to_numpy(laplace_kl(*args, rate=6)) for args in both])
    assert 2 * found == pytest.approx(published["cross_ent_laplace"] - 2 * entropy, rel=1e-5)
    # What the published objective has instead.
    twice = np.mean([ops.convert_to_numpy(laplace_kl(*args, rate=12)) for args in both])
    constant = 5 * np.log(12 / 2) - 2 * 5 * np.log(6 / 2)
    expected = published["cross_ent_laplace"] - entropy
    assert twice + constant == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((MEAN, LOG_VAR[:3], OTHER, OTHER_LOG_VAR), "`mean` and `log_var` must have the same"),
        ((MEAN, LOG_VAR, OTHER[:3], OTHER_LOG_VAR), "`mean` and `other_mean` must have the same"),
        ((MEAN, LOG_VAR, OTHER, OTHER_LOG_VAR[:, :2]), "`mean` and `other_log_var` must have"),
        ((MEAN[0], LOG_VAR[0], OTHER[0], OTHER_LOG_VAR[0]), r"the same shape \(batch, d\)"),
        ((MEAN, LOG_VAR, OTHER, None), "`other_log_var` must be a tensor"),
        ((MEAN, LOG_VAR, OTHER, OTHER_LOG_VAR, "ml"), "`average` must be one of .*average='ml'"),
        ((MEAN, LOG_VAR, OTHER, OTHER_LOG_VAR, "group", 1), "`symmetric` must be True or False"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        adaptive_posteriors(*arguments)
