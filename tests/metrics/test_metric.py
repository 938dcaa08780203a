"""Metrics of one's own, and what declarations refuse."""

import functools

import numpy as np
import pytest
from factor_images import KnowingModel, factor_images

import keras_disentangle as kd
from keras_disentangle.metrics import METRICS, Metric, Score, confidence_interval

DATA = factor_images()
FEW = {"num_samples": 40, "num_votes": 40}


def spread(codes, factors, *, scale=1.0, seed=0):
    """How far codes go."""
    return {"whole": scale * float(np.ptp(codes)), "seed": seed}


def latents(mean, log_var, *, num_samples=7, rungs=None):
    return float(num_samples), rungs


def test_a_metric_of_ones_own_is_evaluated():
    scores = kd.evaluate(
        KnowingModel(),
        DATA,
        ["mig", Metric(spread)],
        options={"spread": {"scale": 2.0}},
        seed=3,
        num_resamples=2,
        **FEW,
    )
    assert list(scores) == ["mig", "spread_whole", "spread_seed", "intervals"]
    assert scores["spread_whole"] == pytest.approx(2 * 4, rel=1e-6) and scores["spread_seed"] == 3
    assert list(scores["intervals"]) == ["mig"]


def test_a_metric_of_ones_own_may_have_intervals_and_names():
    length = Score("length", "whole", bounds=(0, np.inf))
    metric = Metric(spread, scores=[length], interval="resamples")
    scores = kd.evaluate(KnowingModel(), DATA, metric, num_resamples=5, **FEW)
    assert scores["length"] == pytest.approx(4, rel=1e-6)
    low, high = scores["intervals"]["length"]
    assert 0 < low <= 4 <= high + 1e-6


def test_a_metric_of_several_models_is_not_evaluated():
    metric = Metric(lambda codes: float(len(codes)), name="count", several_models=True)
    assert metric.of == ("codes of models",) and metric([1, 2]) == {"count": 2}
    with pytest.raises(ValueError, match="`metrics` must have inputs among .*codes of models"):
        kd.evaluate(KnowingModel(), DATA, metric, **FEW)


def test_what_evaluate_fills_in():
    metric = Metric(latents, scores=[Score("latents")])
    found = kd.evaluate(KnowingModel(), DATA, metric, **FEW)
    assert found == {"latents": (40.0, KnowingModel.rung_sizes)}


def test_a_metric_of_images_and_data():
    def share(encode, dataset, *, encode_batch=1, num_eval=10):
        return float(len(encode(dataset.images(np.arange(3)) / np.float32(255))) == 3)

    metric = Metric(share, interval="votes")
    scores = kd.evaluate(KnowingModel(), DATA, metric, num_resamples=2, **FEW)
    assert scores["share"] == 1
    assert scores["intervals"]["share"] == pytest.approx([20 / (20 + 1.96**2), 1], abs=1e-3)


def test_a_callback_knows_which_end_is_better():
    metric = Metric(spread, scores=[Score("length", "whole", better="lower")])
    callback = kd.callbacks.FactorMetrics(DATA, metrics=["mig", metric])
    found = {name: callback.direction(name) for name in ("mig", "length", "information_2", "kl")}
    assert found == {"mig": "up", "length": "down", "information_2": "up", "kl": None}
    assert callback.direction("total_correlation") == "down"
    assert callback.direction("loss") is None


def test_what_a_metric_is_of():
    metric = Metric(functools.partial(spread, scale=3.0), name="wide")
    assert metric.of == ("codes", "factors") and metric.options == {"scale": 3.0, "seed": 0}
    assert METRICS["dci"].of == ("codes", "factors") and "held_out" in METRICS["dci"].options
    assert Metric(spread).summary == "How far codes go." and metric.name == "wide"


def test_intervals_keep_to_declared_bounds():
    rng = np.random.default_rng(0)
    codes, factors = rng.normal(size=(60, 2)), rng.integers(0, 2, (60, 1))
    found = confidence_interval(METRICS["unsupervised"], codes, num_resamples=4)
    plain = confidence_interval(METRICS["unsupervised"].function, codes, num_resamples=4)
    assert found == plain and all(low >= 0 for low, _ in found.values())
    wide = 50 * codes @ [[1, 0.9], [0, 1]]
    assert (
        confidence_interval(METRICS["unsupervised"], wide, num_resamples=4)[
            "wasserstein_correlation"
        ][1]
        > 1
    )
    beyond = confidence_interval(Metric(spread), codes, factors, num_resamples=4)
    assert beyond["spread_whole"][1] > 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"function": 3}, "`function` must be a function. Received: function=3"),
        ({"function": functools.partial(spread)}, "`name` must be a string.*Received: name=None"),
        ({"name": 3}, "`name` must be a string.*Received: name=3"),
        ({"scores": "mig"}, "`scores` must be None or a list of `Score`. Received: scores='mig'"),
        ({"scores": []}, "`scores` must be None or a list"),
        ({"scores": [Score("a"), Score("a", "b")]}, r"`scores` must each have.*\['a', 'a'\]"),
        ({"interval": "wilson"}, "`interval` must be one of"),
        ({"interval": "votes"}, "`interval` must be .* without an option `num_eval`"),
        ({"function": latents, "interval": "resamples"}, "`interval` must be .*'log_var'"),
        ({"learns": 1}, "`learns` must be True or False"),
        ({"needs_grid": "yes"}, "`needs_grid` must be True or False"),
    ],
)
def test_bad_declarations(arguments, message):
    with pytest.raises(ValueError, match=message):
        Metric(**{"function": spread, **arguments})


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": ""}, "`name` must be a string.* Received: name=''"),
        ({"bounds": (1, 0)}, r"`bounds` must be two numbers, in order. .*\(1, 0\)"),
        ({"bounds": 1}, "`bounds` must be two numbers"),
        ({"bounds": None}, "`bounds` must be an array of numbers"),
        ({"better": "more"}, "`better` must be one of"),
        ({"random": "none"}, "`random` must be a finite number. Received: random='none'"),
        ({"one_to_one": np.nan}, "`one_to_one` must be a finite number"),
        ({"tolerance": -1}, "`tolerance` must be a finite number >= 0"),
    ],
)
def test_bad_scores(arguments, message):
    with pytest.raises(ValueError, match=message):
        Score(**{"name": "a", **arguments})


@pytest.mark.parametrize(
    "metrics, message",
    [
        ([Metric(spread), Metric(latents, name="spread")], r"of their own. .*twice: \['spread'\]"),
        (["mig", Metric(spread, scores=[Score("mig", "whole")])], r"names of .*twice: \['mig'\]"),
        (
            [METRICS["activeness"]],
            r"`metrics` must have inputs among .*activeness, of .'generator'",
        ),
        (["activeness"], r"`metrics` must be \"all\" or names out of .*\['activeness'\]"),
        ([spread], "`metrics` must be .*Received: .*function spread"),
    ],
)
def test_what_evaluate_refuses(metrics, message):
    with pytest.raises(ValueError, match=message):
        kd.evaluate(KnowingModel(), DATA, metrics, **FEW)
