"""InfoMEC: by hand, and the scores of the authors' code."""

import numpy as np
import pytest
from representations import representations

from keras_disentangle.metrics import info_mec

pytestmark = pytest.mark.one_backend

# disentangle/metrics/infomec.py of kylehkhsu/latent_quantization, commit 9a420a3: `compute_infomec`
# of the first 1,000 samples (scikit-learn 1.9.1, from which `multi_class` is gone, so without it;
# `penalty=None` is `C=np.inf`): modularity, compactness, explicitness. Discrete codes are those of
# `eight_values`; of the continuous ones, mean and standard deviation over numpy.random.seed(0 to
# 4). Of the random code the authors' estimates of information are 0, and their ratios NaN.
DISCRETE = {
    "perfect": [0.991263098520, 0.991255883796, 0.999817647228],
    "rotated": [0.403536460122, 0.460197496517, 0.996923745765],
    "split": [0.995057490000, 0.824106562952, 0.999870796664],
    "merged": [0.669838388108, 0.983524553981, 0.859052101411],
    "random": [0.133171041548, 0.104176801683, 0.026004893329],
    "trained": [0.778764372130, 0.660047393586, 0.568736885979],
}
CONTINUOUS = {
    "perfect": ([0.995849380989, 0.995833751702, 0.999804830370], [3.2e-3, 3.2e-3, 0]),
    "rotated": ([0.040902784989, 0.028730278842, 0.999850243361], [0, 0, 0]),
    "split": ([0.981176702025, 0.816136497731, 0.999826553242], [8.3e-3, 5.9e-3, 0]),
    "merged": ([0.620371518088, 0.992848729434, 0.680862554885], [2.8e-3, 3.5e-3, 0]),
    "trained": ([0.784816735028, 0.892539214507, 0.487376483333], [3.2e-6, 2.8e-6, 0]),
}
CASES = {name: (c[:1000], f[:1000]) for name, (c, f) in representations().items()}


def eight_values(codes):
    """Each code's eighth of the samples, by its rank."""
    edges = np.quantile(codes, np.linspace(0, 1, 9)[1:-1], axis=0)
    return np.stack([np.digitize(code, e) for code, e in zip(codes.T, edges.T, strict=True)], 1)


@pytest.mark.parametrize("name", DISCRETE)
def test_published_scores_of_discrete_codes(name):
    codes, factors = CASES[name]
    found = info_mec(eight_values(codes), factors, discrete_codes=True)
    assert list(found.values()) == pytest.approx(DISCRETE[name], abs=1e-6)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_published_scores_of_continuous_codes(name):
    mean, std = map(np.array, CONTINUOUS[name])
    found = [list(info_mec(*CASES[name], seed=seed).values()) for seed in range(5)]
    # Two means of five: their difference is within four of its standard errors.
    spread = np.sqrt((np.var(found, axis=0, ddof=1) + std**2) / 5)
    assert (np.abs(np.mean(found, axis=0) - mean) <= 4 * spread + 1e-6).all()


def test_information_by_hand():
    # Every combination of two bits and of one of four values, so that all information is exact.
    a, b, c = (part.ravel() for part in np.indices((2, 2, 4)))
    factors = np.stack([np.tile(x, 4) for x in (a, b, c)], axis=1)
    a, b, c = factors.T
    found = info_mec(np.stack([2 * a + b, c // 2, c % 2], axis=1), factors, True)
    # The first dimension shares its information equally, the others know half of the last factor.
    assert found["modularity"] == pytest.approx(((1 / 2 + 1 + 1) / 3 - 1 / 3) * 3 / 2, abs=1e-9)
    assert found["compactness"] == pytest.approx(((1 + 1 + 1 / 2) / 3 - 1 / 3) * 3 / 2, abs=1e-9)
    assert found["explicitness"] == pytest.approx(1, abs=1e-3)
    # Of the parity of two bits no regression on the bits knows anything.
    parity = np.stack([(a + b) % 2, c], axis=1)
    found = info_mec(np.stack([a, b], axis=1), parity, True)
    assert list(found.values()) == pytest.approx([0, 0, 0], abs=1e-6)
    assert info_mec(np.stack([(a + b) % 2], axis=1), parity, True) == pytest.approx(
        {"modularity": 1, "compactness": 0.5, "explicitness": 0.5}, abs=1e-3
    )


@pytest.mark.parametrize("discrete", [False, True])
def test_dimensions_that_are_not_active(discrete):
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (400, 2))
    codes = factors[:, :1] + 0.1 * rng.integers(0, 3, (400, 1))
    plain = info_mec(codes, factors, discrete)
    assert plain["compactness"] in (0.5, 1)  # A single active dimension.
    narrow = np.concatenate([codes, 0.03 * factors[:, 1:]], axis=1)
    found = info_mec(narrow, factors, discrete)
    if discrete:  # Any that varies is active.
        assert found["compactness"] > 0.9 and found["modularity"] > 0.9
    else:
        assert found["modularity"] == plain["modularity"]
        assert found["compactness"] == plain["compactness"]
        assert found["explicitness"] > 2 * plain["explicitness"] - 0.1
        assert info_mec(narrow, factors, min_range=0)["compactness"] > 0.9
    for nothing in (np.ones((400, 2)), np.full((400, 1), 0.1)):
        assert set(info_mec(nothing, factors, discrete).values()) == {0}
    assert set(info_mec(codes, 0 * factors, discrete).values()) == {0}


def test_codes_that_are_not_discrete():
    codes = np.random.default_rng(0).standard_normal((100, 2))
    with pytest.raises(ValueError, match="`codes` must take each .* 100 values of dimension 0"):
        info_mec(codes, np.tile([[0], [1]], (50, 1)), discrete_codes=True)
