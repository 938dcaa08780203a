"""What must not change a score: constant factors, other names for values, order and scale of codes.

One table: each metric, what of this it is free of exactly, and what up to the noise of its own.
"""

import numpy as np
import pytest

from keras_disentangle import metrics

N = 300
FACTORS = np.random.default_rng(0).integers(0, (2, 3, 5), size=(N, 3))
MIXED = FACTORS @ [[1.0, 0.2, 0.0], [0.0, 1.0, 0.3], [0.1, 0.0, 1.0]]
CODES = np.concatenate([MIXED, np.random.default_rng(1).normal(size=(N, 1))], axis=1)
CODES[:, :3] += 0.3 * np.random.default_rng(2).normal(size=(N, 3))
HELD_OUT = np.arange(N) % 3 == 0

# Of each metric of codes and factors, how far it may move when codes change their order, and when
# all of them are multiplied by one number; None where it is a matter of scale by its definition.
OF_FACTORS = {
    "mig": (lambda c, f: metrics.mig(c, f), 1e-12, 1e-12),
    "mig_sup": (lambda c, f: metrics.mig_sup(c, f, active=np.ones(4, bool)), 1e-12, 1e-12),
    "modularity": (metrics.modularity, 1e-12, 1e-12),
    "irs": (metrics.irs, 1e-12, 1e-9),
    "explicitness": (lambda c, f: metrics.explicitness(c, f, held_out=HELD_OUT), 1e-3, 1e-3),
    # Ties between equally good splits are broken at random.
    "dci": (lambda c, f: metrics.dci(c, f, held_out=HELD_OUT), 0.02, 1e-9),
    "sap": (lambda c, f: metrics.sap(c, f, held_out=HELD_OUT), 1e-12, None),
    "sap of correlations": (
        lambda c, f: metrics.sap(c, f, continuous=True, held_out=HELD_OUT),
        1e-12,
        1e-9,
    ),
    # Each dimension has noise of its own.
    "posterior_mig": (
        lambda c, f: (lambda found: {name: found[name] for name in ("mig", "mig_sup")})(
            metrics.posterior_mig(c, np.full(c.shape, -3.0), f, num_samples=2000)
        ),
        0.03,
        None,
    ),
}
table = pytest.mark.parametrize("name", OF_FACTORS)


def agree(a, b, tolerance):
    assert a == (pytest.approx(b, abs=tolerance))


@table
@pytest.mark.parametrize("value", [0, 7, -3])
@pytest.mark.parametrize("place", [0, 3])
def test_constant_factor(name, value, place):
    score = OF_FACTORS[name][0]
    agree(score(CODES, np.insert(FACTORS, place, value, axis=1)), score(CODES, FACTORS), 1e-12)


@table
@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_values_counted_from_elsewhere(name, dtype):
    score = OF_FACTORS[name][0]
    agree(score(CODES, (FACTORS - 100).astype(dtype)), score(CODES, FACTORS), 1e-12)


@table
def test_values_under_other_names(name):
    if name == "sap of correlations":
        pytest.skip("The order of values counts by definition.")
    score = OF_FACTORS[name][0]
    renamed = np.stack(
        [np.random.default_rng(k).permutation(10)[factor] for k, factor in enumerate(FACTORS.T)],
        axis=1,
    )
    # Solvers and ties depend on the order of the classes.
    tolerance = {"dci": 0.02, "sap": 0.01, "explicitness": 1e-3}.get(name, 1e-12)
    agree(score(CODES, renamed), score(CODES, FACTORS), tolerance)


@table
def test_order_of_codes(name):
    score, tolerance, _ = OF_FACTORS[name]
    agree(score(CODES[:, [2, 3, 0, 1]], FACTORS), score(CODES, FACTORS), tolerance)


@table
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e4])
def test_scale_of_codes(name, scale):
    score, _, tolerance = OF_FACTORS[name]
    if tolerance is None or name == "sap of correlations" and scale < 1e-5:
        pytest.skip("The definition has a scale: the codes' own noise, or a threshold.")
    agree(score(scale * CODES, FACTORS), score(CODES, FACTORS), tolerance)


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
    agree(of["binned"][1], of["binned"][0], 1e-9)
    moved = max(abs(of["exact"][1][key] - of["exact"][0][key]) for key in of["exact"][0])
    assert moved > 0.02


class Grid:
    """Images of pixels, each 50 times a factor; sizes of 1 are constant factors."""

    def __init__(self, *sizes):
        self.factor_sizes = sizes

    def index(self, factors):
        return np.ravel_multi_index(factors.T, self.factor_sizes)

    def images(self, index):
        factors = np.stack(np.unravel_index(index, self.factor_sizes), axis=-1)
        return (50 * factors).astype(np.uint8)[:, None, None, :]


@pytest.mark.parametrize("metric", [metrics.factor_vae, metrics.beta_vae])
def test_constant_factors_of_a_grid(metric):
    def score(*sizes):
        wide = np.flatnonzero(np.array(sizes) > 1)

        def encode(images):
            pixels = images.reshape(len(images), -1)[:, wide]
            return 5 * pixels @ np.array([[1, 0.5, 0], [0, 1, 0.5], [0, 0, 1]])

        return metric(encode, Grid(*sizes), num_train=300, num_eval=300, batch_size=8)

    plain = score(3, 4, 5)
    assert plain > 0.5
    for sizes in ((1, 3, 4, 5), (3, 1, 4, 5, 1), (3, 4, 5, 1)):
        assert score(*sizes) == plain


def test_a_perfect_code_beside_a_constant_factor():
    def encode(images):
        return 5 * images.reshape(len(images), -1)

    numbers = {"num_train": 400, "num_eval": 400}
    assert metrics.factor_vae(encode, Grid(3, 1, 4, 5), **numbers) == 1
    assert metrics.beta_vae(encode, Grid(3, 1, 4, 5), **numbers) > 0.99


@pytest.mark.parametrize("metric", [metrics.factor_vae, metrics.beta_vae])
def test_a_grid_of_one_image(metric):
    assert metric(lambda images: images.reshape(len(images), -1), Grid(1, 1)) == 0


def test_only_constant_factors():
    constant = np.full((N, 2), 4)
    for name, (score, *_) in OF_FACTORS.items():
        values = score(CODES, constant)
        values = list(values.values()) if isinstance(values, dict) else [values]
        assert values == [0.5 if name == "explicitness" else 0.0] * len(values)


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
