"""What metrics promise of one-to-one codes, of noise, of codes that split or merge factors."""

import numpy as np
import pytest
from representations import representations

from keras_disentangle import metrics
from keras_disentangle.metrics import confidence_interval

CASES = representations()


def scores(name, case, **options):
    """The scores of a metric, as a dict."""
    values = getattr(metrics, name)(*case, **options)
    return (
        {name: value for name, value in values.items() if "inform" not in name}
        if isinstance(values, dict)
        else {name: values}
    )


def test_one_to_one_codes_are_correlated_with_their_factors():
    assert metrics.sap(*CASES["perfect"], continuous=True) == pytest.approx(1, abs=5e-3)


def test_one_to_one_binary_codes_have_half_of_sap():
    # The second dimension is right half of the time.
    factors = np.random.default_rng(0).integers(0, 2, size=(6000, 3))
    assert metrics.sap(factors.astype(float), factors) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("name", ["mig", "mig_sup"])
def test_noise_has_0_in_its_interval(name):
    low, high = confidence_interval(getattr(metrics, name), *CASES["random"], num_resamples=100)
    assert low == 0 and high < 0.05


def test_noise_is_near_0_where_the_best_of_all_is_chosen():
    # The gap of the best is above 0 on every sample: so may be the interval, a little.
    codes, factors = CASES["random"]
    low, high = confidence_interval(metrics.sap, codes, factors, num_resamples=50)
    assert low < 0.01 and high < 0.05
    intervals = confidence_interval(metrics.dci, codes[:900], factors[:900], num_resamples=10)
    for name in ("disentanglement", "completeness"):
        low, high = intervals[name]
        assert low < 0.01 and high < 0.05


def test_noise_has_chance_in_its_interval_of_explicitness():
    low, high = confidence_interval(metrics.explicitness, *CASES["random"], num_resamples=50)
    assert low < 0.5 < high < 0.55


def test_independent_codes_have_unsupervised_scores_near_0():
    codes = CASES["random"][0]
    intervals = confidence_interval(
        metrics.unsupervised_scores, codes, num_resamples=100, bounds=(0, np.inf)
    )
    for name in ("total_correlation", "wasserstein_correlation", "wasserstein_correlation_norm"):
        assert intervals[name][0] == 0 and intervals[name][1] < 0.01


def test_a_gaussian_has_its_total_correlation():
    rng = np.random.default_rng(0)
    root = np.array([[1.0, 0.0], [0.8, 0.6]])
    codes = rng.standard_normal((100_000, 2)) @ root.T * [1, 5]
    found = metrics.unsupervised_scores(codes)
    assert found["total_correlation"] == pytest.approx(-0.5 * np.log(1 - 0.64), abs=0.01)
    # Of unit variances, the covariance with the product of marginals has a root of this trace.
    unit = metrics.unsupervised_scores(codes / [1, 5])["wasserstein_correlation"]
    assert unit == pytest.approx(4 - 2 * (np.sqrt(1.8) + np.sqrt(0.2)), abs=0.01)


def test_mig_is_blind_to_merged_factors_and_mig_sup_sees_them():
    # Li et al., 2020, figure 9.
    assert metrics.mig(*CASES["merged"]) > 0.99
    assert metrics.mig_sup(*CASES["merged"]) == pytest.approx(0.5, abs=0.01)
    dci = metrics.dci(*CASES["merged"])
    assert dci["completeness"] > 0.99 and dci["disentanglement"] < 0.7


def test_mig_sees_split_factors_and_mig_sup_is_blind_to_them():
    # Li et al., 2020, figure 8. Of the six values, c // 2 has three, c % 2 two: of the factor they
    # hold log 3 and log 2, and the four dimensions have nothing else.
    shares = np.log([3, 2]) / np.log(6)
    assert metrics.mig(*CASES["split"]) == pytest.approx((2 + shares @ [1, -1]) / 3, abs=0.01)
    assert metrics.mig_sup(*CASES["split"]) == pytest.approx((2 + shares.sum()) / 4, abs=0.01)
    assert metrics.modularity(*CASES["split"]) > 0.99
    dci = metrics.dci(*CASES["split"])
    assert dci["disentanglement"] > 0.99 and dci["completeness"] < 0.9


def test_a_rotation_hides_factors_from_all_but_explicitness():
    rotated = CASES["rotated"]
    for name in ("mig", "mig_sup", "dci", "modularity", "irs"):
        assert max(scores(name, rotated).values()) < 0.6
    assert metrics.explicitness(*rotated) == pytest.approx(1)


def test_irs_may_be_below_0():
    # In each half most codes are at one end, so the few others are two deviations from its mean.
    codes = np.repeat([-1.0, 1.0], 100)
    codes[[0, 150]] *= -1
    factors = np.repeat([[0], [1]], 100, axis=0)
    assert -1 < metrics.irs(codes[:, None], factors, quantile=1.0) < -0.9


def test_dimensions_that_are_one():
    codes = CASES["random"][0]
    for dependent in (codes[:, :1], codes.sum(axis=1, keepdims=True), 1e6 * codes[:, :1]):
        both = np.concatenate([codes, dependent], axis=1)
        assert metrics.unsupervised_scores(both)["total_correlation"] == np.inf
    interval = confidence_interval(
        metrics.unsupervised_scores, both, num_resamples=3, bounds=(0, np.inf)
    )
    assert interval["total_correlation"] == (np.inf, np.inf)
    assert all(value == 0 for value in metrics.unsupervised_scores(codes[:, :1]).values())
    assert np.isfinite(list(metrics.unsupervised_scores(np.ones((50, 3))).values())).all()


@pytest.mark.parametrize("name, size", [("mig", 600), ("sap", 300), ("irs", 600), ("dci", 200)])
def test_intervals_hold_the_mean_score_of_such_samples(name, size):
    """Of 20 samples of one population, 95% intervals should hold the mean about 19 times."""
    metric, rng = getattr(metrics, name), np.random.default_rng(0)
    resamples = 6 if name == "dci" else 40
    found, intervals = [], []
    for _ in range(20):
        factors = rng.integers(0, (3, 4), size=(size, 2))
        codes = factors + rng.uniform(-1, 1, size=factors.shape) + 0.4 * factors[:, ::-1]
        interval = confidence_interval(metric, codes, factors, num_resamples=resamples)
        score = metric(codes, factors)
        if name == "dci":
            score, interval = score["disentanglement"], interval["disentanglement"]
        found.append(score)
        intervals.append(interval)
    assert sum(low <= np.mean(found) <= high for low, high in intervals) >= 16
    assert all(low <= score <= high for score, (low, high) in zip(found, intervals, strict=True))
    # Nor are they so wide that they say nothing: the scores stray about as much.
    widths = [high - low for low, high in intervals]
    assert np.median(widths) < 12 * np.std(found)


@pytest.mark.parametrize("metric", [metrics.mig, metrics.modularity])
def test_intervals_cover(metric):
    """Of 60 samples of one population, 95% intervals should hold its score about 57 times."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, (3, 4), size=(200_000, 2))
    codes = factors + rng.uniform(-1, 1, size=factors.shape) + 0.4 * factors[:, ::-1]
    truth = metric(codes, factors, num_bins=8)
    held = 0
    for part in np.split(rng.permutation(len(codes))[: 60 * 600], 60):
        low, high = confidence_interval(
            metric, codes[part], factors[part], num_resamples=80, num_bins=8
        )
        held += low <= truth <= high
    assert held >= 50


def test_intervals_of_all_that_is_named():
    codes, factors = CASES["perfect"]
    intervals = confidence_interval(metrics.dci, codes[:300], factors[:300], num_resamples=3)
    assert intervals.keys() == metrics.dci(codes[:300], factors[:300]).keys()
    for low, high in intervals.values():
        assert 0 <= low <= high <= 1
