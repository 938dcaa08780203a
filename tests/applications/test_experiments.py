"""The Hessian penalty's experiments by the command: each data set with its own settings."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import keras_disentangle as kd
from keras_disentangle.applications._shared import commands, training
from keras_disentangle.applications._shared.files import load_model
from keras_disentangle.applications.progressive_gan import data as images
from keras_disentangle.applications.progressive_gan import measures, recipes
from keras_disentangle.applications.progressive_gan.application import APPLICATION

# λ (its variance divides by k = 2), c and |z|: appendix A.1 and the release's scripts; and λ of
# OroJaR in the scripts of its release.
PAPER = {
    "clevr_1fov": (0.025, 1, None, 1e-4),
    "clevr_simple": (0.1, 4, None, 1e-6),
    "clevr_complex": (0.1, 10, None, 1e-5),
    "clevr_u": (0.025, 3, 3, 1e-4),
    "edges_and_shoes": (0.1, 12, None, 1e-5),
}
TINY = recipes.Preset(resolution=8, base_channels=16, max_channels=4, batch_size=4)


@pytest.mark.one_backend
@pytest.mark.parametrize("data", PAPER)
def test_data_bring_what_the_paper_sets_for_them(data, monkeypatch):
    found = {}
    monkeypatch.setattr(training, "train", lambda _, recipe, *__: found.update(r=recipe) or 1 / 0)

    def recipe_of(*words):
        with pytest.raises(ZeroDivisionError):
            commands.train(APPLICATION, ["--data", data, "--recipe", *words])
        return found["r"]

    weight, informative, latent_dim, jacobian = PAPER[data]
    for name in ("jacobian", "finetune_jacobian"):
        recipe = recipe_of(f"paper_{name}")
        assert recipe.jacobian_weight == pytest.approx(jacobian / 2)
        assert recipe.hessian_weight == 0
    for name in ("scratch", "hessian", "infogan", "longer", "finetune"):
        recipe = recipe_of(f"paper_{name}")
        expected = weight / 2 if name in ("hessian", "finetune") else 0
        assert recipe.hessian_weight == pytest.approx(expected)
        assert recipe.jacobian_weight == 0
        assert recipe.informative == (informative if name == "infogan" else 0)
        assert (recipe.data, recipe.latent_dim) == (data, latent_dim)
        small = recipe_of(name).hessian_weight
        assert small == pytest.approx(3e-4 * expected / 0.0125)
    recipe = recipe_of("hessian", "--hessian-weight", "1", "--latent-dim", "7")
    assert (recipe.hessian_weight, recipe.latent_dim) == (1.0, 7)


@pytest.mark.skipif(
    keras.backend.backend() != "torch",
    reason="of what the command passes on; only PyTorch takes single steps quickly",
)
@pytest.mark.parametrize(
    ("data", "recipe"),
    [("clevr_u", "hessian"), ("clevr_u", "infogan"), ("edges_and_shoes", "infogan")],
)
def test_the_command_runs_them(data, recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(images, "NUM_IMAGES", 16)
    monkeypatch.setattr(APPLICATION, "pictures", lambda *_: {})
    monkeypatch.setattr(APPLICATION, "scores", lambda *_: {"diagonal_ratio": 1.0})
    monkeypatch.setattr(keras.Model, "run_eagerly", True)
    monkeypatch.setitem(recipes.PRESETS, "tiny", TINY)
    growth = {"images_per_fade": 4, "images_per_stage": 4, "images_per_epoch": 4, "scores_every": 9}
    known = recipes._recipes("tiny", growth, 24, 4, 0.01, 1e-4, 4, 24)
    monkeypatch.setitem(APPLICATION.recipes, "tiny", known[recipe])
    folder = tmp_path / "edges2shoes" / "train"
    folder.mkdir(parents=True)
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 16, 3)).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{i}.png")
    words = ["--data", data, "--recipe", "tiny", "--images", "24", "--verbose", "0"]
    words += ["--data-dir", str(tmp_path), "--log-dir", str(tmp_path / "run")]
    commands.train(APPLICATION, words)
    settings = json.loads((tmp_path / "run" / "results.json").read_text())["settings"]
    model = load_model(tmp_path / "run" / "model.keras")
    dim = 3 if data == "clevr_u" else 12
    assert settings["data"] == data and model.latent_dim == dim
    if recipe == "infogan":
        assert sum(code.dim for code in model.space.informative) == dim
    else:
        assert model.hessian_penalty is not None


def test_edges_and_shoes_say_where_they_are_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match="edges2shoes/train or edges2shoes"):
        images.load_images("edges_and_shoes", TINY, tmp_path)


def test_measures_of_few_components_are_taken_before_the_normalisation(monkeypatch):
    monkeypatch.setitem(recipes.PRESETS, "tiny", TINY)
    for latent_dim, before in ((3, True), (12, False)):
        model = kd.applications.ProgressiveGAN(preset="tiny", latent_dim=latent_dim)
        assert measures.measured_before_norm(model) == before
        codes = measures.measured_codes(model, 5, seed=0)
        drawn = ops.convert_to_numpy(model.space.sample(5, seed=0))
        assert np.allclose(codes, drawn) == before
        assert np.allclose(np.square(codes).mean(axis=1), 1) == (not before)
        object.__setattr__(model, "ema_generator", lambda z, stage, normalize: [float(normalize)])
        assert measures.measured_generator(model)(codes) == [float(before)]
        other = measures.measured_codes(model, 5, seed=0, before_norm=not before)
        assert np.allclose(other, drawn) == (not before)


def test_the_generator_may_have_a_learning_rate_of_its_own():
    found = recipes.PRESETS["small"].optimizers(generator_learning_rate=0.5)
    assert [
        float(found[f"{k}_optimizer"].learning_rate) for k in ("generator", "discriminator")
    ] == [0.5, pytest.approx(1e-3)]
