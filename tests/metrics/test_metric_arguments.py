"""What metrics refuse: a table by the names of arguments and of options, for all that have them."""

import numpy as np
import pytest
from metric_cases import given

from keras_disentangle.metrics import (
    METRICS,
    confidence_interval,
    latent_information,
    mig,
    mutual_information,
    posterior_mig,
)

N = 30
CODES = np.random.default_rng(0).standard_normal((N, 2))
FACTORS = np.random.default_rng(1).integers(0, 3, size=(N, 2))
NAN = np.where(np.arange(60).reshape(N, 2) == 7, np.nan, CODES)

# Of what metrics are of: bad values, and how the error goes on after the argument's name.
BAD = {
    "codes": [
        (CODES[:, 0], r"` must be .* Received: {}.shape=\(30,\)"),
        (CODES[:0], r"` must be a non-empty .* {}.shape=\(0, 2\)"),
        (NAN, r"` must be finite. Received: 1 values .* index \(3, 1\)"),
        (CODES.astype(str), "` must be an array of numbers. Received"),
        (CODES * 1j, "` must be an array of numbers. Received"),
    ],
    "factors": [
        (FACTORS[:, 0], r"` must be .* Received: {}.shape=\(30,\)"),
        (FACTORS[:20], r"` must have as many rows as `(codes|mean)`, 30. Received: .*\(20, 2\)"),
        (FACTORS.astype(float), "` must be integers.*float64"),
        (np.arange(60).reshape(N, 2), "` must .* two samples or more.*: 30 values of factor 0"),
    ],
    "log_var": [
        (-np.inf * np.ones((N, 2)), "` must be finite"),
        (CODES[:, :1], r"` must have the shape of `mean`, \(30, 2\). Rec"),
    ],
    "encode": [
        (lambda images: np.full((len(images), 2), np.nan), r"\(images\)` must be finite"),
        (lambda images: np.zeros(len(images)), r"\(images\)` must be a non-empty array"),
        (lambda images: np.zeros((1, 3)), r"` must return one code for each of .*Received.*\(1, 3"),
        (3, "` must be a function. Received: {}=3"),
    ],
    "dataset": [(np.zeros((9, 2)), "` must be a `FactorDataset`.*without factor_sizes, index")],
}
BAD["mean"] = [BAD["codes"][0], BAD["codes"][2]]

# The same of options.
BAD_OPTIONS = {
    "num_bins": [
        (31, r"`num_bins`=31 samples. Received: .*\(30, 2\)"),
        (0, "`num_bins` must be an integer >= 1. Received: .*=0"),
        (2.0, "`num_bins` must be an integer"),
    ],
    "held_out": [
        (np.arange(N), r"`held_out` must be a boolean array of shape \(30,\).*int64"),
        (np.ones(20, bool), r"`held_out` must be a boolean .* Received: shape=\(20,\)"),
        (np.ones(N, bool), "`held_out` must leave .* some to score. Received: 30 of 30"),
        (np.zeros(N, bool), "`held_out` must leave .* some to score. Received: 0 of 30"),
    ],
    "seed": [
        (seed, "`seed` must be an integer >= 0") for seed in (-1, 0.5, np.random.default_rng(0))
    ],
    "active": [
        (active, r"`active` must be a boolean array of shape \(2,\)")
        for active in (np.array([0, 1]), np.array([True]), np.array(True))
    ],
    "rungs": [
        (rungs, "`rungs` must be positive integers that sum to the 2")
        for rungs in ([], [1], [1, 2], [3, -1], [2, 0], [1.0, 1.0])
    ],
    "factors_used": [
        (used, "`factors_used` must be distinct indices below 2")
        for used in ([2], [-1], [0, 0], 1, [0.0], [True, False], [])
    ],
    "estimator": [("lasso", "`estimator` must be one of.*binned.*'lasso'")],
    "quantile": [
        (quantile, "`quantile` must be a finite number <= 1 and > 0")
        for quantile in (0, 1.1, np.nan)
    ],
    "scaled": [(1, "`scaled` must be True or False")],
    "num_batches": [(0, "`num_batches` must be an integer >= 1")],
    "method": [("lasso", "`method` must be one of .*pearson.*'lasso'")],
    "top_k": [
        (0, "`top_k` must be an integer >= 1. Received: top_k=0"),
        (2.5, "`top_k` must be an integer >= 1"),
    ],
    "discrete_codes": [
        (1, "`discrete_codes` must be True or False"),
        (True, "`codes` must take each value in two samples or more.*30 values of dimension 0"),
    ],
    "min_range": [
        (value, "`min_range` must be a finite number >= 0 and < 1") for value in (-1, 1, np.nan)
    ],
    "num_neighbors": [(0, "`num_neighbors` must be an integer >= 1")],
    "continuous": [(1, "`continuous` must be True or False")],
    "num_samples": [(0, "`num_samples` must be an integer >= 1")],
    "num_train": [(0, "`num_train` must be an integer >= 1. Received: num_train=0")],
    "num_eval": [(2.5, "`num_eval` must be an integer >= 1. Received: num_eval=2.5")],
    "num_variance": [(1, "`num_variance` must be an integer >= 2. Received: num_variance=1")],
    "batch_size": [(0, "`batch_size` must be an integer >= .. Received: batch_size=0")],
    "encode_batch": [(-1, "`encode_batch` must be an integer >= 1. Received: encode_batch=-1")],
    "threshold": [
        (-1, "`threshold` must be a finite number >= 0. Received: threshold=-1"),
        (np.nan, "`threshold` must be a finite number >= 0"),
    ],
}


def call(name, options=None, **changed):
    """A metric of 30 codes and factors, in which some arguments are others."""
    arguments = {**given(CODES, FACTORS), **changed}
    if name == "mutual_information":
        return mutual_information(arguments["codes"], arguments["factors"], **options or {})
    metric = METRICS[name]
    few = {"num_train": 9, "num_eval": 9, "num_variance": 9, "num_samples": 9}
    few = {key: value for key, value in few.items() if key in metric.options}
    return metric(*(arguments[argument] for argument in metric.of), **few | (options or {}))


def cases(table, attribute):
    """(metric, argument or option, value, message) wherever a metric has it."""
    for key, bad in table.items():
        for name, metric in METRICS.items():
            known = getattr(metric, attribute)
            if key in known and set(metric.of) <= set(BAD):
                for i, (value, message) in enumerate(bad):
                    yield pytest.param(name, key, value, message, id=f"{name}-{key}-{i}")


@pytest.mark.parametrize("name, argument, value, message", cases(BAD, "of"))
def test_bad_input_is_named(name, argument, value, message):
    with pytest.raises(ValueError, match=f"`{argument}" + message.format(argument)):
        call(name, **{argument: value})


@pytest.mark.parametrize("name, option, value, message", cases(BAD_OPTIONS, "options"))
def test_bad_options_are_named(name, option, value, message):
    with pytest.raises(ValueError, match=message):
        call(name, {option: value})


def test_every_option_has_a_bad_value():
    options = {o for m in METRICS.values() if set(m.of) <= set(BAD) for o in m.options}
    assert options == set(BAD_OPTIONS)


def test_the_matrix_of_information_refuses_the_same():
    for argument in ("codes", "factors"):
        for value, message in BAD[argument]:
            with pytest.raises(ValueError, match=f"`{argument}" + message.format(argument)):
                call("mutual_information", **{argument: value})
    for value, message in BAD_OPTIONS["num_bins"]:
        with pytest.raises(ValueError, match=message):
            call("mutual_information", {"num_bins": value})


@pytest.mark.parametrize("name", [n for n, m in METRICS.items() if "held_out" in m.options])
def test_too_few_to_hold_any_out(name):
    with pytest.raises(ValueError, match="`codes` must hold at least 3 samples.*Received: 2"):
        call(name, codes=CODES[:2], factors=FACTORS[:2])


def test_a_vote_of_variances_takes_two_images():
    with pytest.raises(ValueError, match="`batch_size` must be an integer >= 2. Received: .*=1"):
        call("factor_vae", {"batch_size": 1})


def test_intervals_are_of_numbers():
    with pytest.raises(ValueError, match="`metric` must return a number.*ndarray mutual_inf"):
        confidence_interval(posterior_mig, CODES, 0 * CODES, FACTORS)
    with pytest.raises(ValueError, match="`metric` must return a number.*list information"):
        confidence_interval(METRICS["information"], CODES, 0 * CODES)
    with pytest.raises(ValueError, match="`metric` must return a number.*list rungs"):
        confidence_interval(latent_information, CODES, 0 * CODES)


@pytest.mark.parametrize(
    "arrays, options, message",
    [
        ((CODES, FACTORS[:20]), {}, r"`arrays` must be of one length.*lengths \[30, 20\]"),
        ((), {}, "`arrays` must be of one length"),
        ((CODES, FACTORS), {"level": 1}, "`level` must be a finite number > 0 and < 1"),
        ((CODES, FACTORS), {"num_resamples": 1}, "`num_resamples` must be an integer >= 2"),
        ((CODES, FACTORS), {"seed": -1}, "`seed` must be an integer >= 0"),
        ((CODES, FACTORS), {"bounds": (1, 0)}, r"`bounds` must be None or two .*\(1, 0\)"),
        ((CODES, FACTORS), {"bounds": "all"}, "`bounds` must be an array of numbers.*'all'"),
        ((NAN, FACTORS), {}, "`codes` must be finite"),
    ],
)
def test_intervals(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        confidence_interval(mig, *arrays, **options)
