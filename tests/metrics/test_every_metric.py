"""Every metric keeps what it declares, and is blind to what must not matter.

The tests run over the declarations, `kd.metrics.METRICS`: a new metric takes part without a row.
The tables here are exceptions, each with its reason.
"""

import inspect

import numpy as np
import pytest
from metric_cases import (
    CASES,
    CODES,
    FACTORS,
    HELD_OUT,
    N,
    given,
    names,
    random_code,
    scores,
)
from representations import SIZES

from keras_disentangle import metrics
from keras_disentangle.metrics import METRICS

ALL = names()
OF_ARRAYS = names("codes", "factors", "mean", "log_var")
OF_FACTORS = [name for name in OF_ARRAYS if "factors" in METRICS[name].of]
OF_CODES_AND_FACTORS = [name for name in OF_FACTORS if METRICS[name].of == ("codes", "factors")]
OF_GRIDS = names("encode", "dataset")
OF_REPRESENTATIONS = [*OF_ARRAYS, *OF_GRIDS]
SEEDED = [name for name in ALL if "seed" in METRICS[name].options]


def numbers(name, found):
    return np.array([np.ravel(found[score.name]).mean() for score in METRICS[name].scores])


def agree(name, found, expected, tolerance):
    assert numbers(name, found) == pytest.approx(numbers(name, expected), abs=tolerance)


@pytest.fixture(scope="module")
def plain():
    return {name: scores(name) for name in ALL}


# Declarations


@pytest.mark.parametrize("name", ALL)
def test_a_metric_gives_what_it_declares(name, plain):
    metric = METRICS[name]
    assert getattr(metrics, metric.function.__name__) is metric.function
    assert len(metric.summary) > 20 and not metric.summary.endswith(":")
    for score in metric.scores:
        low, high = score.bounds
        for value in np.ravel(plain[name][score.name]):
            # Estimates of information may be a little below 0.
            assert low - 0.01 <= value <= high + 1e-12, score.name


def test_no_two_scores_have_one_name():
    found = [score.name for metric in METRICS.values() for score in metric.scores]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_what_learns_takes_the_rows_that_it_is_scored_on(name):
    assert METRICS[name].learns == ("held_out" in METRICS[name].options)


def expectations(kind):
    """(metric, score) of all whose value of a code of this kind is declared."""
    return [
        pytest.param(name, score, id=score.name)
        for name in ALL
        for score in METRICS[name].scores
        if getattr(score, kind) is not None
    ]


def value_of(expected, sizes):
    return expected(sizes) if callable(expected) else expected


@pytest.fixture(scope="module")
def random_scores():
    """Of a random code: with a grid so large that few images tell nothing of all."""
    codes, factors = CASES["random"]
    options = {"num_samples": 3000, "num_train": 1000, "num_eval": 1000, "batch_size": 64}
    found = {}
    for name in OF_REPRESENTATIONS:
        few = {key: value for key, value in options.items() if key in METRICS[name].options}
        few |= {"held_out": None} if METRICS[name].learns and name not in OF_GRIDS else {}
        few |= {"active": None} if name == "mig_sup" else {}
        code = random_code() if name in OF_GRIDS else (codes, factors)
        found[name] = scores(name, few, codes=code[0], factors=code[1], log_var=0.0)
    found["clustering_accuracy"] = metrics.clustering_accuracy(
        np.random.default_rng(0).integers(0, SIZES[-1], len(factors)), factors[:, -1]
    )
    return found


@pytest.mark.parametrize("name, score", expectations("random"))
def test_a_random_code_scores_what_is_declared(name, score, random_scores):
    expected = value_of(score.random, SIZES[-1:] if name == "clustering_accuracy" else SIZES)
    assert random_scores[name][score.name] == pytest.approx(expected, abs=score.tolerance)


@pytest.mark.parametrize("name, score", expectations("one_to_one"))
def test_a_one_to_one_code_scores_what_is_declared(name, score, one_to_one):
    expected = value_of(score.one_to_one, SIZES)
    assert one_to_one[name][score.name] == pytest.approx(expected, abs=score.tolerance)


@pytest.fixture(scope="module")
def one_to_one():
    codes, factors = CASES["perfect"]
    found = {}
    for name in [*OF_REPRESENTATIONS, "clustering_accuracy"]:
        options = {"num_samples": 3000} if "num_samples" in METRICS[name].options else {}
        options |= {"held_out": None} if METRICS[name].learns and name not in OF_GRIDS else {}
        options |= {"active": None} if name == "mig_sup" else {}
        if name == "clustering_accuracy":  # Whose clusters are the first factor here.
            found[name] = scores(name, factors=factors[:, [2, 1, 2]])
        else:
            found[name] = scores(name, options, codes=codes, factors=factors, log_var=-8.0)
    return found


# What must not matter

# How far a score may move with another order of dimensions: ties between equally good splits are
# broken at random, each dimension has noise of its own, solvers stop a little early.
ORDER = {"dci": 0.02, "explicitness": 1e-3, "posterior_mig": 0.03, "information": 0.15}
# And with other names for values, on whose order ties and solvers depend; `None` where their order
# counts by definition.
RENAMED = {"dci": 0.02, "sap": 0.01, "explicitness": 1e-3, "mcc": None}
# And with the codes' scale; `None` where the definition has one: noise, or a threshold.
SCALE = {
    "explicitness": 1e-3,
    "dci": 1e-9,
    "irs": 1e-9,
    "mig_sup": 1e-12,
    "factorized_support": 1e-9,
}
SCALE |= dict.fromkeys(("sap", "posterior_mig", "information", "unsupervised"))
SCALE |= dict.fromkeys(OF_GRIDS)
EXACT = 1e-12


@pytest.mark.parametrize("name", OF_REPRESENTATIONS)
def test_order_of_dimensions(name, plain):
    found = scores(name, codes=CODES[:, [2, 3, 0, 1]])
    agree(name, found, plain[name], ORDER.get(name, 1e-9))


@pytest.mark.parametrize("name", [*OF_FACTORS, *OF_GRIDS])
@pytest.mark.parametrize("value, place", [(0, 3), (7, 0), (-3, 1)])
def test_constant_factor(name, value, place, plain):
    found = scores(name, factors=np.insert(FACTORS, place, value, axis=1))
    agree(name, found, plain[name], EXACT)


@pytest.mark.parametrize("name", [*OF_FACTORS, *OF_GRIDS])
def test_only_constant_factors(name):
    found = scores(name, factors=np.full((N, 2), 4))
    assert set(numbers(name, found)) == {0.5 if name == "explicitness" else 0.0}


@pytest.mark.parametrize("name", OF_FACTORS)
@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_values_counted_from_elsewhere(name, dtype, plain):
    agree(name, scores(name, factors=(FACTORS - 100).astype(dtype)), plain[name], EXACT)


@pytest.mark.parametrize("name", [n for n in OF_FACTORS if RENAMED.get(n, 0) is not None])
def test_values_under_other_names(name, plain):
    renamed = [np.random.default_rng(k).permutation(10)[f] for k, f in enumerate(FACTORS.T)]
    found = scores(name, factors=np.stack(renamed, axis=1))
    agree(name, found, plain[name], RENAMED.get(name, EXACT))


@pytest.mark.parametrize("name", [n for n in OF_REPRESENTATIONS if SCALE.get(n, 0) is not None])
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e4])
def test_scale_of_codes(name, scale, plain):
    agree(name, scores(name, codes=scale * CODES), plain[name], SCALE.get(name, EXACT))


@pytest.mark.parametrize("name", OF_CODES_AND_FACTORS)
def test_order_and_sign_of_dimensions_and_names_of_values(name):
    codes, factors = (array[:600] for array in CASES["rotated"])
    options = {"held_out": np.arange(600) >= 400} if METRICS[name].learns else {}
    options |= {"active": None} if name == "mig_sup" else {}
    expected = scores(name, options, codes=codes, factors=factors)
    changed = {"codes": -codes[:, [2, 0, 1]], "factors": factors[:, ::-1] + 10**9}
    # Bins are closed on one side, and trees put thresholds between two values.
    agree(name, scores(name, options, **changed), expected, 0.02)


@pytest.mark.parametrize("name", OF_CODES_AND_FACTORS)
def test_a_constant_dimension(name):
    codes, factors = (array[:N] for array in CASES["perfect"])
    options = {"active": None} if name == "mig_sup" else {}
    nothing = scores(name, options, codes=np.ones((N, 2)), factors=factors)
    informative = [s.name for s in METRICS[name].scores if "informativeness" not in s.name]
    expected = 0.5 if name == "explicitness" else 0
    assert [nothing[n] for n in informative] == [expected] * len(informative)
    if name == "modularity":  # Whose mean over dimensions counts it.
        return
    wider = np.concatenate([codes, np.full((N, 1), 0.3)], axis=1)
    found = scores(name, options, codes=wider, factors=factors)
    expected = scores(name, options, codes=codes, factors=factors)
    # A gap to chance may become one to nothing; an entropy's maximum is that of all dimensions.
    agree(name, found, expected, {"sap": 0.2, "med": 0.05}.get(name, 1e-6))


@pytest.mark.parametrize("name", OF_CODES_AND_FACTORS)
def test_one_dimension_and_one_factor(name):
    codes, factors = (array[:N] for array in CASES["perfect"])
    options = {"continuous": True} if name == "sap" else {}
    options |= {"active": None} if name == "mig_sup" else {}
    found = scores(name, options, codes=codes[:, 2:], factors=factors[:, :1])
    # A regression that separates classes stops before it is certain of them.
    assert numbers(name, found) == pytest.approx(1, abs=1e-3 if name == "info_mec" else 1e-9)


# Seeds and arrays


@pytest.mark.parametrize("name", ALL)
def test_a_metric_is_reproducible_and_leaves_its_input(name, plain):
    arrays = {key: value.copy() for key, value in given().items() if hasattr(value, "flags")}
    for array in arrays.values():
        array.flags.writeable = False
    found = scores(name, codes=arrays["codes"], factors=arrays["factors"])
    for score in METRICS[name].scores:
        np.testing.assert_array_equal(found[score.name], plain[name][score.name])


@pytest.mark.parametrize("name", SEEDED)
def test_the_seed_decides(name, plain):
    options = {"held_out": None} if "held_out" in METRICS[name].options else {}
    tied = np.round(CODES)  # There are metrics whose seed decides between equal codes alone.
    first, same, other = (scores(name, {"seed": seed, **options}, codes=tied) for seed in (1, 1, 2))
    for score in METRICS[name].scores:
        np.testing.assert_array_equal(first[score.name], same[score.name])
    assert str(first) != str(other)


def test_the_rows_that_are_held_out_decide():
    for name in OF_ARRAYS:
        if METRICS[name].learns:
            other = scores(name, {"held_out": ~HELD_OUT})
            assert not np.array_equal(numbers(name, other), numbers(name, scores(name)))


@pytest.mark.parametrize("name", ALL)
def test_options_have_defaults_that_are_documented(name):
    documented = inspect.getdoc(METRICS[name].function)
    missing = [option for option in METRICS[name].options if f"{option}:" not in documented]
    assert not missing
