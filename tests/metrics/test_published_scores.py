"""Scores of six representations beside those of the published implementations."""

import json
import pathlib

import numpy as np
import pytest
from representations import FEW, HELD_OUT, SIZES, representations

from keras_disentangle import metrics
from keras_disentangle.datasets import FactorDataset

PUBLISHED = json.loads(pathlib.Path(__file__).with_name("published_scores.json").read_text())
SCORES = PUBLISHED["disentanglement_lib"]["representations"]
REPRESENTATIONS = representations()


@pytest.fixture(params=list(REPRESENTATIONS))
def case(request):
    return (*REPRESENTATIONS[request.param], SCORES[request.param])


def test_mig(case):
    codes, factors, published = case
    assert metrics.mig(codes, factors) == pytest.approx(published["mig"], abs=1e-9)
    information = metrics.mutual_information(codes, factors)
    np.testing.assert_allclose(information, published["mutual_information"], atol=1e-9)


def test_modularity_and_explicitness(case):
    codes, factors, published = case
    published = published["modularity_explicitness"]
    train = ~HELD_OUT
    score = metrics.modularity(codes[train], factors[train])
    assert score == pytest.approx(published["modularity_score"], abs=1e-9)
    score = metrics.explicitness(codes, factors, held_out=HELD_OUT)
    assert score == pytest.approx(published["explicitness_score_test"], abs=1e-6)


def test_sap(case):
    codes, factors, published = case
    for kind in ("discrete", "continuous"):
        score = metrics.sap(codes, factors, continuous=kind == "continuous", held_out=HELD_OUT)
        expected = published[f"sap_{kind}"]["mean" if kind == "discrete" else "score"]
        assert score == pytest.approx(expected, abs=1e-6)


def test_dci(case):
    codes, factors, published = case
    codes, factors, held_out = codes[FEW], factors[FEW], HELD_OUT[FEW]
    exact = metrics.dci(codes, factors, estimator="exact", held_out=held_out)
    published = published["dci"]
    assert exact["disentanglement"] == pytest.approx(published["disentanglement"], abs=1e-6)
    assert exact["completeness"] == pytest.approx(published["completeness"], abs=1e-6)
    assert exact["informativeness"] == pytest.approx(published["informativeness_test"], abs=1e-6)
    train = published["informativeness_train"]
    assert exact["informativeness_train"] == pytest.approx(train, abs=1e-6)
    binned = metrics.dci(codes, factors, held_out=held_out)
    assert binned == pytest.approx(exact, abs=0.02)


def test_irs(case):
    codes, factors, published = case
    for quantile, expected in published["irs"].items():
        score = metrics.irs(codes, factors, quantile=float(quantile))
        assert score == pytest.approx(expected["avg_score"], abs=1e-9)


def test_unsupervised_scores(case):
    codes, _, published = case
    scores, published = metrics.unsupervised_scores(codes), published["unsupervised"]
    for name, expected in {
        "total_correlation": published["gaussian_total_correlation"],
        "wasserstein_correlation": published["gaussian_wasserstein_correlation"],
        "wasserstein_correlation_norm": published["gaussian_wasserstein_correlation_norm"],
        "mutual_information": published["mutual_info_score"],
    }.items():
        assert scores[name] == pytest.approx(expected, abs=1e-9)


class Grid(FactorDataset):
    """Images of three pixels, each 40 times a factor."""

    def __init__(self):
        super().__init__(list("abc"), SIZES, (1, 3, 1))

    def images(self, index):
        return (40 * self.factors(index)).astype(np.uint8)[:, None, :, None]


def encode_as(name):
    """Encodes images of `Grid` as the representation of this name."""
    codes, factors = REPRESENTATIONS[name]
    grid = Grid()
    _, rows = np.unique(grid.index(factors), return_index=True)

    def encode(images):
        values = np.rint(images.reshape(-1, 3) * (255 / 40)).astype(int)
        return codes[rows][grid.index(values)]

    return encode


@pytest.mark.parametrize("name", PUBLISHED["disentanglement_lib"]["beta_vae"].keys() & SCORES)
@pytest.mark.parametrize("metric", ["beta_vae", "factor_vae"])
def test_votes(metric, name):
    published = PUBLISHED["disentanglement_lib"][metric][name]
    arguments = {"num_train": 1000, "num_eval": 1000, "batch_size": 16}
    if metric == "factor_vae":
        arguments["num_variance"] = 2000
    score = getattr(metrics, metric)
    scores = [score(encode_as(name), Grid(), seed=seed, **arguments) for seed in range(10)]
    # Two means of ten: their difference is within four of its standard errors.
    spread = np.sqrt((np.var(scores, ddof=1) + published["std"] ** 2) / 10)
    assert np.mean(scores) == pytest.approx(published["mean"], abs=4 * spread + 1e-12)


@pytest.mark.parametrize("name", PUBLISHED["proVLAE"].keys() & SCORES)
def test_posterior_mig(name):
    codes, factors = REPRESENTATIONS[name]
    used, repeats = ([0, 1, 3, 4], 4) if name == "trained" else ([0, 1, 2], 12)
    factors = factors[:, used]
    sizes = factors.max(axis=0) + 1
    cells = np.ravel_multi_index(factors.T, sizes)
    rows = np.concatenate([np.flatnonzero(cells == i)[:repeats] for i in range(np.prod(sizes))])
    mean, log_var = codes[rows], np.full_like(codes[rows], -4.0)
    scores = metrics.posterior_mig(mean, log_var, factors[rows], num_samples=len(rows))
    published = PUBLISHED["proVLAE"][name]
    assert scores["mig"] == pytest.approx(published["mig"], abs=1e-6)
    assert scores["mig_sup"] == pytest.approx(published["mig_sup"], abs=1e-6)
