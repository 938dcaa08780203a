import numpy as np
import pytest

from keras_disentangle.metrics import (
    beta_vae,
    confidence_interval,
    dci,
    explicitness,
    factor_vae,
    irs,
    latent_information,
    mig,
    mig_sup,
    modularity,
    mutual_information,
    posterior_mig,
    sap,
    unsupervised_scores,
)

CODES = np.random.default_rng(0).standard_normal((30, 2))
FACTORS = np.random.default_rng(1).integers(0, 3, size=(30, 2))
NAN = np.where(np.arange(60).reshape(30, 2) == 7, np.nan, CODES)


LEARNED = [dci, sap, explicitness]


@pytest.mark.parametrize(
    "metric",
    [mig, mig_sup, mutual_information, modularity, irs, *LEARNED],
    ids=lambda m: m.__name__,
)
@pytest.mark.parametrize(
    "codes, factors, message",
    [
        (CODES[:, 0], FACTORS, r"`codes` must be .* Received: codes.shape=\(30,\)"),
        (CODES[:0], FACTORS[:0], r"`codes` must be a non-empty .* codes.shape=\(0, 2\)"),
        (NAN, FACTORS, r"`codes` must be finite. Received: 1 values .* index \(3, 1\)"),
        (CODES.astype(str), FACTORS, "`codes` must be an array of numbers. Received"),
        (CODES * 1j, FACTORS, "`codes` must be an array of numbers. Received"),
        (CODES, FACTORS[:, 0], r"`factors` must be .* Received: factors.shape=\(30,\)"),
        (CODES, FACTORS[:20], r"as many rows as `codes`, 30. Received: .*\(20, 2\)"),
        (CODES, FACTORS.astype(float), "`factors` must be integers.*float64"),
        (CODES, np.arange(60).reshape(30, 2), "two samples or more.*: 30 values of factor 0"),
    ],
)
def test_codes_and_factors(metric, codes, factors, message):
    with pytest.raises(ValueError, match=message):
        metric(codes, factors)


@pytest.mark.parametrize(
    "num_bins, message",
    [
        (31, r"`num_bins`=31 samples. Received: .*\(30, 2\)"),
        (0, "`num_bins` must be an integer >= 1. Received: .*=0"),
        (2.0, "`num_bins` must be an integer"),
    ],
)
def test_bins(num_bins, message):
    for metric in (mig, mig_sup, mutual_information, modularity):
        with pytest.raises(ValueError, match=message):
            metric(CODES, FACTORS, num_bins=num_bins)
    with pytest.raises(ValueError, match=message):
        unsupervised_scores(CODES, num_bins=num_bins)


def test_unsupervised_codes():
    with pytest.raises(ValueError, match="`codes` must be finite"):
        unsupervised_scores(NAN)


@pytest.mark.parametrize("metric", LEARNED, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize(
    "held_out, message",
    [
        (np.arange(30), r"must be a boolean array of shape \(30,\).*int64"),
        (np.ones(20, bool), r"must be a boolean .* Received: shape=\(20,\)"),
        (np.ones(30, bool), "must leave .* some to score. Received: 30 of 30"),
        (np.zeros(30, bool), "must leave .* some to score. Received: 0 of 30"),
    ],
)
def test_held_out(metric, held_out, message):
    with pytest.raises(ValueError, match=f"`held_out` {message}"):
        metric(CODES, FACTORS, held_out=held_out)


@pytest.mark.parametrize("metric", LEARNED, ids=lambda metric: metric.__name__)
def test_too_few_to_hold_any_out(metric):
    with pytest.raises(ValueError, match="`codes` must hold at least 3 samples.*Received: 2"):
        metric(CODES[:2], FACTORS[:2])


@pytest.mark.parametrize("metric", LEARNED, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize("seed", [-1, 0.5, np.random.default_rng(0)])
def test_seeds(metric, seed):
    with pytest.raises(ValueError, match="`seed` must be an integer >= 0"):
        metric(CODES, FACTORS, seed=seed)


def test_intervals_are_of_numbers():
    with pytest.raises(ValueError, match="`metric` must return a number.*ndarray mutual_inf"):
        confidence_interval(posterior_mig, CODES, 0 * CODES, FACTORS)


def test_options_of_one_metric():
    with pytest.raises(ValueError, match="`estimator` must be one of.*binned.*'lasso'"):
        dci(CODES, FACTORS, estimator="lasso")
    for quantile in (0, 1.1, np.nan):
        with pytest.raises(ValueError, match="`quantile` must be a finite number <= 1 and > 0"):
            irs(CODES, FACTORS, quantile=quantile)


@pytest.mark.parametrize("metric", [beta_vae, factor_vae])
def test_data_without_a_grid(metric):
    class Labelled:
        def images(self, index):
            return index

    with pytest.raises(ValueError, match="`dataset` must be a `FactorDataset`.*_sizes, index"):
        metric(lambda images: images, Labelled())


@pytest.mark.parametrize(
    "arrays, options, message",
    [
        (
            (CODES, FACTORS[:20]),
            {},
            r"`arrays` must be of one length.*lengths \[30, 20\]",
        ),
        ((), {}, "`arrays` must be of one length"),
        ((CODES, FACTORS), {"level": 1}, "`level` must be a finite number > 0 and < 1"),
        ((CODES, FACTORS), {"num_resamples": 1}, "`num_resamples` must be an integer >= 2"),
        ((CODES, FACTORS), {"seed": -1}, "`seed` must be an integer >= 0"),
        ((NAN, FACTORS), {}, "`codes` must be finite"),
    ],
)
def test_intervals(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        confidence_interval(mig, *arrays, **options)


@pytest.mark.parametrize("active", [np.array([0, 1]), np.array([True]), np.array(True)])
def test_active(active):
    with pytest.raises(ValueError, match=r"`active` must be a boolean array of shape \(2,\)"):
        mig_sup(CODES, FACTORS, active=active)


@pytest.mark.parametrize(
    "metric, rest", [(latent_information, ()), (posterior_mig, (FACTORS,))], ids=["latent", "mig"]
)
@pytest.mark.parametrize(
    "mean, log_var, arguments, message",
    [
        (CODES[:, 0], CODES[:, 0], {}, "`mean` must be a non-empty array"),
        (NAN, CODES, {}, "`mean` must be finite"),
        (CODES, -np.inf * np.ones((30, 2)), {}, "`log_var` must be finite"),
        (CODES, CODES[:, :1], {}, r"`log_var` must have the shape of `mean`, \(30, 2\). Rec"),
        (CODES, CODES, {"num_samples": 0}, "`num_samples` must be an integer >= 1"),
    ],
)
def test_posteriors(metric, rest, mean, log_var, arguments, message):
    with pytest.raises(ValueError, match=message):
        metric(mean, log_var, *rest, **arguments)


@pytest.mark.parametrize("rungs", [[], [1], [1, 2], [3, -1], [2, 0], [1.0, 1.0]])
def test_rungs(rungs):
    with pytest.raises(ValueError, match="`rungs` must be positive integers that sum to the 2"):
        latent_information(CODES, CODES, rungs=rungs)


@pytest.mark.parametrize("factors_used", [[2], [-1], [0, 0], 1, [0.0], [True, False], []])
def test_factors_used(factors_used):
    with pytest.raises(ValueError, match="`factors_used` must be distinct indices below 2"):
        posterior_mig(CODES, CODES, FACTORS, factors_used=factors_used)


def test_factors_of_posteriors():
    with pytest.raises(ValueError, match="as many rows as `mean`, 30"):
        posterior_mig(CODES, CODES, FACTORS[:5])
