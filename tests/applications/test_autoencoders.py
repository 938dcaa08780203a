"""The study: every method trains, and of each the strength is chosen without looking at factors."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats
from tiny_applications import TINY

import keras_disentangle as kd
from keras_disentangle.applications.autoencoders import networks, study
from keras_disentangle.applications.autoencoders.application import APPLICATION
from keras_disentangle.applications.autoencoders.methods import METHODS
from keras_disentangle.applications.autoencoders.recipes import RECIPES, SWEEPS

pytestmark = pytest.mark.one_backend


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_and_is_released(method, monkeypatch, tmp_path):
    recipe = TINY["autoencoders"].recipe(monkeypatch, tmp_path)
    recipe = replace(recipe, strength=None, steps=6, steps_per_epoch=6, batch_size=6)
    monkeypatch.setattr(APPLICATION, "scores", lambda *_: {"reconstruction": 1.0})
    monkeypatch.setattr(APPLICATION, "pictures", lambda *_: {})
    model, results = APPLICATION.train(recipe, method, tmp_path / "run", verbose=0)
    assert results["settings"]["strength"] == METHODS[method].strength and results["steps"] == 6
    settings, saved = APPLICATION.release(model, APPLICATION.check(recipe, method))
    assert settings["method"] == method and json.dumps(settings)
    for a, b in zip(saved.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for sweep in SWEEPS.values():
        assert method == "ae" or METHODS[method].strength >= 0 and sweep[method]["strength"]


def test_the_networks_of_the_large_study():
    """Locatello et al., 2019, table 1."""
    found = networks.networks("locatello", (64, 64, 1), 10)
    shapes = [tuple(w.shape) for w in found["encoder"].weights if len(w.shape) > 1]
    assert shapes == [(4, 4, 1, 32), (4, 4, 32, 32), (2, 2, 32, 64), (2, 2, 64, 64)] + [
        (1024, 256),
        (256, 20),
    ]
    shapes = [tuple(w.shape) for w in found["decoder"].weights if len(w.shape) > 1]
    # Kernels of transposed convolutions: to, from.
    assert shapes == [(10, 256), (256, 1024), (4, 4, 64, 64)] + [
        (4, 4, 32, 64),
        (4, 4, 32, 32),
        (4, 4, 1, 32),
    ]
    recipe = RECIPES["locatello"]
    assert (recipe.batch_size, recipe.steps, recipe.learning_rate) == (64, 300_000, 1e-4)
    with pytest.raises(ValueError, match="multiples of 16.*locatello"):
        networks.networks("locatello", (40, 40, 1), 10)
    with pytest.raises(ValueError, match="`latent_dim` must be at least 3"):
        networks.ladder("small", (32, 32, 1), 2)


def test_reconstructions_are_scored_at_the_codes_that_stand_for_images():
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 1), dtype="uint8")
    for method in ("beta_vae", "qlae"):
        model = kd.applications.Autoencoder(method=method, image_shape=(8, 8, 1), latent_dim=3)
        found = study.reconstruction(model, images.__getitem__, np.arange(7))
        x = images / 255.0
        p = ops.convert_to_numpy(model.reconstruct(x.astype("float32"))).astype("float64")
        expected = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=(1, 2, 3)).mean()
        assert found == pytest.approx(expected, rel=1e-5)


def runs(udr_of, mig_of):
    """Finished runs of two methods, three strengths and two seeds."""
    recipe, found, scores = RECIPES["small"], [], []
    for method in ("beta_vae", "factor_vae"):
        for strength in (1.0, 2.0, 4.0):
            for seed in (0, 1):
                own = replace(recipe, strength=strength)
                results = {"model": method, "settings": asdict(own), "seed": seed}
                results |= {"seconds": 9.0, "timed_steps": 1000, "steps": 5000}
                results["scores"] = {"mig": mig_of(strength, seed), "reconstruction": 1.0}
                name = f"{method}_{strength}_{seed}"
                found.append(SimpleNamespace(name=name, results=results, recipe=own))
                scores.append(udr_of(strength, seed))
    return found, scores


def test_udr_chooses_and_mig_does_not():
    found, udr = runs(lambda s, seed: 1 - s / 8 + seed / 100, lambda s, seed: s / 8 + seed / 100)
    kinds = study._kinds(found, study._labels(found), udr)
    assert [kind["kind"] for kind in kinds if kind["chosen"]] == ["beta_vae 1", "factor_vae 1"]
    agreement = study._agreement(kinds)
    expected = stats.spearmanr(udr, [run.results["scores"]["mig"] for run in found])[0]
    assert agreement["all"]["spearman"] == pytest.approx(expected)
    assert agreement["beta_vae"]["runs"] == 6
    content = {"kinds": kinds, "udr_and_mig": agreement}
    page = study.page(content, {"mig_and_mig_sup.png": None})
    assert "| factor_vae 1 | 2 | 0.130 ± 0.064 |" in page and "![mig and mig sup](mig_and" in page
    assert "| 45 ± 0 |" in page
    # A single seed has no UDR: all strengths are shown.
    kinds = study._kinds(found[::2], study._labels(found[::2]), [None] * 6)
    assert all(kind["chosen"] for kind in kinds) and study._agreement(kinds) == {}


def test_settings_other_than_the_strength_have_labels_of_their_own():
    found, _ = runs(lambda *_: 0, lambda *_: 0)
    other = replace(found[0].recipe, latent_dim=5)
    results = {**found[0].results, "settings": asdict(other)}
    labels = study._labels([*found[:2], SimpleNamespace(results=results, recipe=other)])
    assert labels == ["beta_vae 1", "beta_vae 1", "beta_vae 1, 2"]


def test_intervals_are_those_of_student():
    assert study.interval([0.5], 2) == "0.50"
    low, high = stats.t.interval(0.95, 2, loc=2, scale=1 / np.sqrt(3))
    assert study.interval([1, 2, 3], 3) == f"2.000 ± {(high - low) / 2:.3f}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "cars"}, "`method` must be one of"),
        ({"strength": -1.0}, "`strength`"),
        ({"image_shape": (30, 32, 3)}, "`image_shape` must have sides that are multiples of 8"),
        ({"image_shape": 32}, "`image_shape` must be"),
        ({"latent_dim": 0}, "`latent_dim`"),
        ({"networks": "large"}, "`networks` must be one of"),
    ],
)
def test_what_is_wrong_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        kd.applications.Autoencoder(**settings)


@pytest.mark.parametrize(
    ("change", "method", "message"),
    [
        ({"steps": 3, "steps_per_epoch": 4}, "beta_vae", "`steps` must be at least 4"),
        ({"strength": 1.0}, "ae", "`strength` must be left out or 0"),
        ({"batch_size": 3}, "ada_gvae", "`batch_size` must be even"),
    ],
)
def test_recipes_are_checked(change, method, message):
    with pytest.raises(ValueError, match=message):
        APPLICATION.check(replace(RECIPES["small"], **change), method)


def test_pairs_need_a_grid(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1), dtype="uint8")
    np.savez(tmp_path / "images.npz", images=images)
    recipe = replace(RECIPES["small"], data=str(tmp_path / "images.npz"), image_shape=(8, 8, 1))
    with pytest.raises(ValueError, match="`data` must have a grid of factors for ada_gvae"):
        APPLICATION.train(recipe, "ada_gvae", tmp_path / "run")
