"""What must not change a score, where it is a matter of one metric: see test_every_metric too."""

import numpy as np
import pytest
from metric_cases import CODES, FACTORS, HELD_OUT, Grid

from keras_disentangle import metrics


def test_exact_trees_do_not_split_within_1e_7():
    # scikit-learn takes values that are nearer for equal ones; a tree knows no scale, so that the
    # binned trees are right, and the exact ones where the codes are large enough.
    scaled = CODES * [1, 1e-6, 1, 1]
    of = {
        estimator: [
            metrics.dci(c, FACTORS, estimator=estimator, held_out=HELD_OUT) for c in (CODES, scaled)
        ]
        for estimator in ("exact", "binned")
    }
    assert of["binned"][1] == pytest.approx(of["binned"][0], abs=1e-9)
    moved = max(abs(of["exact"][1][key] - of["exact"][0][key]) for key in of["exact"][0])
    assert moved > 0.02


def test_sap_of_correlations():
    def score(codes, factors):
        return metrics.sap(codes, factors, continuous=True, held_out=HELD_OUT)

    plain = score(CODES, FACTORS)
    for codes, factors in (
        (CODES[:, [2, 3, 0, 1]], FACTORS),
        (CODES, (FACTORS - 100).astype(np.int8)),
        (CODES, np.insert(FACTORS, 0, 7, axis=1)),
        (CODES, np.insert(FACTORS, 3, -3, axis=1)),
        (1e-3 * CODES, FACTORS),
        (1e4 * CODES, FACTORS),
    ):
        assert score(codes, factors) == pytest.approx(plain, abs=1e-9)
    assert score(CODES, np.full((len(CODES), 2), 4)) == 0


def test_a_perfect_code_beside_a_constant_factor():
    grid, numbers = Grid((3, 1, 4, 5)), {"num_train": 400, "num_eval": 400}

    def encode(images):
        return 5.0 * grid.factors(grid.index_of(images))

    assert metrics.factor_vae(encode, grid, **numbers) == 1
    assert metrics.beta_vae(encode, grid, **numbers) > 0.99


def test_information_of_codes_in_another_order():
    log_var = np.full(CODES.shape, -1.0)
    order = [2, 3, 0, 1]
    a = metrics.latent_information(CODES, log_var, rungs=[1] * 4)
    b = metrics.latent_information(CODES[:, order], log_var, rungs=[1] * 4)
    assert b["rungs"] == pytest.approx(np.array(a["rungs"])[order], abs=0.15)
    shifted = metrics.latent_information(10 + CODES, log_var, rungs=[1] * 4)
    assert shifted["rungs"] == pytest.approx(a["rungs"], abs=1e-9)


def test_clusters_and_labels_under_other_names():
    clusters, labels = FACTORS[:, 2], (FACTORS[:, 2] + FACTORS[:, 0]) % 5
    plain = metrics.clustering_accuracy(clusters, labels)["accuracy"]
    assert metrics.clustering_accuracy(-7 * clusters, 100 - labels)["accuracy"] == plain


def test_dependence_of_scaled_codes():
    plain = metrics.unsupervised_scores(CODES)
    scaled = metrics.unsupervised_scores(1e-3 * CODES[:, ::-1])
    for name in ("total_correlation", "wasserstein_correlation_norm", "mutual_information"):
        assert scaled[name] == pytest.approx(plain[name], rel=1e-6)
    assert scaled["wasserstein_correlation"] == pytest.approx(
        1e-6 * plain["wasserstein_correlation"], rel=1e-6
    )
    constant = metrics.unsupervised_scores(np.insert(CODES, 1, 3.0, axis=1))
    assert constant == pytest.approx(plain, rel=1e-9)
