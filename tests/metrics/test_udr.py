"""UDR: closed forms, and the scores of disentanglement_lib."""

import numpy as np
import pytest

from keras_disentangle.metrics import udr

pytestmark = pytest.mark.one_backend


def five_models():
    """Codes of 2,000 points: one mixes nothing, one is rotated, one is noise; two dead dimensions
    of each are below 0.01 nats."""
    rng = np.random.default_rng(1905)
    z = rng.standard_normal((2000, 4))
    z[:, 1] += 0.5 * z[:, 0]
    rotation, _ = np.linalg.qr(rng.standard_normal((4, 4)))

    def noise(scale):
        return scale * rng.standard_normal((2000, 4))

    models = [
        z * [1, 2, 0.5, -1] + noise(0.1),
        np.tanh(z)[:, [2, 0, 3, 1]] + noise(0.2),
        z @ rotation + noise(0.1),
        -(z[:, ::-1] ** 3) + noise(0.3),
        rng.standard_normal((2000, 4)),
    ]
    dead = [0.01 * rng.standard_normal((2000, 2)) for _ in models]
    kls = rng.uniform(0.02, 2, (5, 6))
    kls[:4, 4], kls[:, 5], kls[4, :2] = 0.001, 0.005, 0.0
    return [np.concatenate(pair, axis=1) for pair in zip(models, dead, strict=True)], kls


# evaluation/udr/metrics/udr.py of google-research/disentanglement_lib, commit 86a644d:
# `compute_udr_sklearn` of all 2,000 points, unchanged (scikit-learn 1.9.1, SciPy 1.17.1). Its lasso
# stops at a tolerance of 1e-4; "exact" is the same with `tol=1e-14`.
PUBLISHED = {
    "lasso": [0.511241267914, 0.389170503939, 0.330706713454, 0.366145420898, 0.0],
    "exact": [0.511241161623, 0.389170390967, 0.330706173458, 0.366144898460, 0.0],
    "spearman": [0.536488948137, 0.507984391641, 0.332079311043, 0.496467943083, 0.018218788377],
}


def test_the_published_scores():
    codes, kls = five_models()
    assert udr(codes, kls) == pytest.approx(np.array(PUBLISHED["lasso"]), abs=1e-6)
    assert udr(codes, kls) == pytest.approx(np.array(PUBLISHED["exact"]), abs=1e-9)
    spearman = udr(codes, kls, method="spearman")
    assert spearman == pytest.approx(np.array(PUBLISHED["spearman"]), abs=1e-9)


def test_order_signs_and_scales_do_not_matter_but_rotations_do():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1000, 2))
    # Uncorrelated: each dimension is related to both of the rotated model, by 0.71.
    whitened = np.linalg.solve(np.linalg.cholesky(np.cov(z.T)), (z - z.mean(axis=0)).T).T
    turned = whitened @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    codes = [whitened, -1e-6 * whitened[:, ::-1] + 7, turned]
    first, second = 0.9, (np.sqrt(0.5) - 0.1) / 2
    for groups in (None, ["a"] * 3):
        found = udr(codes, groups=groups)
        assert found == pytest.approx([(first + second) / 2] * 2 + [second], abs=1e-9)
    ranks = udr(codes[:2], method="spearman")
    assert ranks == pytest.approx(1, abs=0.03)


def test_dead_dimensions_do_not_count():
    rng = np.random.default_rng(0)
    z, noise = rng.standard_normal((2, 1000, 3))
    alive = udr([z, z])
    wide = [np.concatenate([z, noise[:, :1]], axis=1), np.concatenate([noise[:, 1:], z], axis=1)]
    kls = [[1, 1, 1, 0.01], np.array([0, 0.009, 2, 2, 2])]
    np.testing.assert_allclose(udr(wide, kls), alive, atol=1e-9)
    np.testing.assert_allclose(udr([wide[0], z], [kls[0], None]), alive, atol=1e-9)
    assert udr(wide).max() < alive.min() - 0.1
    assert udr(wide, kls, min_kl=0).max() < alive.min() - 0.05
    constant = np.concatenate([z, np.full((1000, 1), 0.1)], axis=1)
    np.testing.assert_allclose(udr([constant, z]), alive, atol=1e-9)
    # In use by its divergence, yet constant: it is related to nothing.
    for method in ("lasso", "spearman"):
        found = udr([constant, z], [np.ones(4), np.ones(3)], method)
        plain = udr([z, z], method=method)
        np.testing.assert_allclose(found, plain * (1 + 3 / 4) / 2, atol=1e-9)


@pytest.mark.parametrize("method", ["lasso", "spearman"])
def test_dimensions_that_are_all_dead(method):
    z = np.random.default_rng(0).standard_normal((100, 3))
    assert udr([z, z], np.zeros((2, 3)), method).tolist() == [0, 0]
    assert udr([np.ones((100, 2)), np.ones((100, 3))], method=method).tolist() == [0, 0]
    assert udr([z, z, np.ones((100, 1))], method=method)[2] == 0


def test_models_are_compared_within_their_groups():
    codes, kls = five_models()
    found = udr(codes, kls, groups=["a", "b", "a", "b", "b"])
    assert found[[0, 2]] == pytest.approx(udr([codes[0], codes[2]], kls[[0, 2]]), abs=1e-12)
    assert found[[1, 3, 4]] == pytest.approx(udr(codes[1::2] + codes[4:], kls[[1, 3, 4]]))


@pytest.mark.parametrize(
    "codes, options, message",
    [
        ([np.ones((5, 2))], {}, "`codes` must be a list .* two or more models. Rec.* list of 1"),
        (3, {}, "`codes` must be a list .* Received: int"),
        ([np.ones((5, 2)), np.ones((4, 2))], {}, r"`codes` must be of the same points.*\[5, 4\]"),
        ([np.ones((5, 2)), np.ones(5)], {}, r"`codes\[1\]` must be a non-empty array"),
        ([np.ones((5, 2)), np.full((5, 2), np.nan)], {}, r"`codes\[1\]` must be finite"),
        (None, {"kls": [None]}, "`kls` must have an entry for each of 2 models. Received: 1"),
        (None, {"kls": [[1, 2], [1]]}, r"`kls\[1\]` must be 2 finite numbers"),
        (None, {"kls": [[1, np.nan], None]}, r"`kls\[0\]` must be 2 finite numbers"),
        (None, {"method": "pearson"}, "`method` must be one of .*'pearson'"),
        (None, {"min_kl": -1}, "`min_kl` must be a finite number >= 0"),
        (None, {"groups": ["a"]}, "`groups` must be a list with an entry"),
        (None, {"groups": ["a"] * 3}, "`groups` must have a label for each of 2 .* Received: 3"),
        (None, {"groups": ["a", "b"]}, "`groups` must have at least two .* the label 'a'"),
        (None, {"groups": [[1], [1]]}, "`groups` must hold strings"),
    ],
)
def test_bad_input(codes, options, message):
    with pytest.raises(ValueError, match=message):
        udr([np.eye(5)[:, :2]] * 2 if codes is None else codes, **options)
