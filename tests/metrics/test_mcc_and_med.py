"""MCC and MED: closed forms, and the scores of the published code."""

import numpy as np
import pytest
from representations import representations

from keras_disentangle.metrics import mcc, med

pytestmark = pytest.mark.one_backend

# mcc_metric/metric.py of bethgelab/slow_disentanglement, commit 26eef45: `_compute_mcc` of `wide`,
# which has more dimensions than factors, with RandomState(0 to 4): the lowest and the highest
# score. The columns of noise with which factors are filled up change the matching of dimensions
# that are weakly correlated, always for the worse.
MCC = {
    ("perfect", "pearson"): (1.000000000000, 1.000000000000),
    ("perfect", "spearman"): (1.000000000000, 1.000000000000),
    ("rotated", "pearson"): (0.834586928000, 0.834586928000),
    ("rotated", "spearman"): (0.833224053626, 0.833224053626),
    ("split", "pearson"): (0.985564422725, 0.985564422725),
    ("split", "spearman"): (0.985395047785, 0.985395047785),
    ("merged", "pearson"): (0.755423863498, 0.755423863498),
    ("merged", "spearman"): (0.759139809652, 0.759139809652),
    ("random", "pearson"): (0.020240446996, 0.026343972686),
    ("random", "spearman"): (0.013415693260, 0.022079252155),
    ("trained", "pearson"): (0.562124634123, 0.565917782279),
    ("trained", "spearman"): (0.572912704312, 0.576571598283),
}
# disentanglement_lib/evaluation/metrics/med.py of noahcao/disentanglement_lib_med, commit e8db5c7:
# `_compute_med` of `wide`, without its logistic regression (disentanglement, completeness; with
# topk=1; with topk=2).
MED = {
    "perfect": [
        0.967738458141,
        0.820021527281,
        0.985033756736,
        0.984854208333,
        0.979135454447,
        0.825526967465,
    ],
    "rotated": [
        0.117335000131,
        0.323984852752,
        0.188796808545,
        0.896928624918,
        0.125899844008,
        0.286803034882,
    ],
    "split": [
        0.975531837049,
        0.724856058890,
        0.987993876947,
        0.988602225595,
        0.980742319021,
        0.719013384344,
    ],
    "merged": [
        0.545378683077,
        0.685779725979,
        0.554708703569,
        0.555690342175,
        0.552888120586,
        0.627040994893,
    ],
    "random": [
        0.018913255023,
        0.012547884901,
        0.036666736535,
        0.036421160161,
        0.021895065209,
        0.015022049433,
    ],
    "trained": [
        0.452057671371,
        0.501090136265,
        0.461128870248,
        0.559778376451,
        0.452057671371,
        0.501090136265,
    ],
}
CASES = representations()


def wide(codes):
    """The codes, the square of the first one, and noise: more dimensions than factors."""
    noise = np.random.default_rng(3).standard_normal((len(codes), 6 - codes.shape[1]))
    return np.concatenate([codes, codes[:, :1] ** 2, noise], axis=1)


@pytest.mark.parametrize("name, method", MCC)
def test_published_correlations(name, method):
    codes, factors = CASES[name]
    low, high = MCC[name, method]
    found = mcc(wide(codes), factors, method)
    if high - low < 1e-9:  # The noise decides nothing.
        assert found == pytest.approx(high, abs=1e-9)
    assert high - 1e-9 <= found < high + 0.002


def test_correlations_by_hand():
    factors = np.stack([part.ravel() for part in np.indices((3, 4))], axis=1)
    a, b = factors.T
    assert mcc(np.stack([-b, 7 + 1e-6 * a], axis=1), factors) == pytest.approx(1, abs=1e-9)
    # A dimension of its own for each factor: the best of both is the same one.
    both = (a - a.mean()) / a.std() + (b - b.mean()) / b.std()
    assert mcc(both[:, None], factors) == pytest.approx(np.sqrt(0.5) / 2, abs=1e-9)
    assert mcc(np.stack([both, a], axis=1), factors) == pytest.approx((1 + np.sqrt(0.5)) / 2)
    assert mcc(np.stack([a, 0 * a], axis=1), factors) == pytest.approx(0.5)
    curved = np.stack([a, np.exp(3 * b)], axis=1)
    assert mcc(curved, factors, "spearman") == pytest.approx(1) and mcc(curved, factors) < 0.95


@pytest.mark.parametrize("name", MED)
def test_published_importances(name):
    codes, factors = CASES[name]
    found = [value for k in (None, 1, 2) for value in med(wide(codes), factors, k).values()]
    assert found == pytest.approx(MED[name], abs=1e-9)


def test_importances_by_hand():
    factors = np.stack([part.ravel() for part in np.indices((2, 2, 4))], axis=1)
    factors = np.concatenate([factors] * 2)
    a, b, c = factors.T
    # Half of the last factor is in each of two dimensions; one knows both others.
    found = med(np.stack([2 * a + b, c // 2, c % 2], axis=1), factors)
    # Weights of the dimensions are 2, 1/2 and 1/2; the first has two factors in equal shares.
    assert found["disentanglement"] == pytest.approx(1 - 2 / 3 * np.log(2) / np.log(3), abs=1e-8)
    assert found["completeness"] == pytest.approx(1 - 1 / 3 * np.log(2) / np.log(3), abs=1e-8)
    # Of copies one is picked for each factor, and a dimension of noise for none.
    copies = np.concatenate([factors, factors, np.zeros((32, 1)), factors], axis=1)
    assert med(copies, factors)["completeness"] < 0.6
    for k, score in ((1, 1.0), (3, 1 - np.log(3) / np.log(9)), (9, 1 - np.log(3) / np.log(10))):
        assert med(copies, factors, k)["completeness"] == pytest.approx(score, abs=1e-8)
        assert med(copies, factors, k)["disentanglement"] == pytest.approx(1, abs=1e-8)
