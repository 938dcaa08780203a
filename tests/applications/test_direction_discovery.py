"""Directions for the bundled generators: commands, files, and what is refused."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from tiny_applications import directions

import keras_disentangle as kd
from keras_disentangle.applications._shared import commands, release
from keras_disentangle.applications.direction_discovery import measures, networks, untrained
from keras_disentangle.applications.direction_discovery.application import APPLICATION
from keras_disentangle.applications.direction_discovery.recipes import RECIPES

PICTURES = {"directions.png", "aligned.png", "not_aligned.png", "directions.gif"}
SHORT = replace(RECIPES["clevr_1fov"], steps=4, steps_per_epoch=2, batch_size=2)
SCORES = dict.fromkeys(measures.NUMBERS, 0.5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a short training, and what it returned."""
    log_dir = tmp_path_factory.mktemp("runs") / "hessian"
    with pytest.MonkeyPatch.context() as patch:
        return log_dir, *APPLICATION.train(directions(patch, log_dir), log_dir=log_dir, verbose=0)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A generator of a few pixels, and scores in place of those measured on many codes."""
    directions(monkeypatch, tmp_path)


def test_a_training(run):
    log_dir, model, results = run
    assert results["steps"] == int(model.step) == 4
    assert np.isfinite(results["history"]["hessian_penalty"]).all()
    written = json.loads((log_dir / "results.json").read_text())
    assert written["settings"]["generator_weights"] == "clevr_1fov"
    assert written["scores"]["learnt"] == {**SCORES, "position": 0.25}
    written = {path.name for path in (log_dir / "pictures").iterdir()}
    assert PICTURES | {"hessian_penalty.png", "epoch_0002_directions.png"} <= written
    assert list((log_dir / "train").glob("events*"))
    loaded = APPLICATION.load(log_dir / "model.keras")
    np.testing.assert_array_equal(measures.matrix(loaded), measures.matrix(model))
    assert not loaded.generator.trainable_variables
    assert loaded.image_range == (-1.0, 1.0)


def test_the_start_is_random_and_has_the_seed():
    models = [kd.applications.DirectionDiscovery(seed=seed) for seed in (1, 1, 2)]
    first, again, other = map(measures.matrix, models)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    np.testing.assert_allclose(first @ first.T, np.eye(12), atol=1e-5)


def test_only_the_noise_of_an_info_gan_is_moved():
    matrix = measures.matrix(kd.applications.DirectionDiscovery(preset="mnist"))
    assert matrix.shape == (62, 74) and not matrix[:, 62:].any()


@pytest.mark.one_backend
def test_the_baseline_trains(tmp_path, small):
    model, results = APPLICATION.train(SHORT, "shift_prediction", tmp_path, verbose=0)
    assert isinstance(model, kd.models.ShiftPrediction)
    assert {"direction_loss", "step_loss", "direction_accuracy"} <= set(results["history"])
    assert (tmp_path / "pictures" / "direction_loss.png").exists()


@pytest.mark.one_backend
@pytest.mark.parametrize("method", ["sefa", "ganspace", "latent_clr"])
def test_other_methods(method, tmp_path, small, command):
    model, results = APPLICATION.train(SHORT, method, tmp_path / method, verbose=0)
    matrix = measures.matrix(model)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(12), atol=1e-5)
    assert results["scores"]["learnt"] == {**SCORES, "position": 0.25}
    is_trained = method == "latent_clr"
    assert isinstance(model, kd.models.LatentCLR) == is_trained
    assert results["steps"] == (4 if is_trained else 0) and bool(results["history"]) == is_trained
    loaded = APPLICATION.load(tmp_path / method / "model.keras")
    np.testing.assert_allclose(measures.matrix(loaded), matrix, atol=1e-6)
    out = tmp_path / "compared"
    assert command("compare", "direction_discovery", tmp_path / method, "--out", out) == 0
    assert method in json.loads((out / "scores.json").read_text())
    # What they find depends on no chance but, by little, on the latents that GANSpace draws.
    again = APPLICATION.build(SHORT, method, seed=1)
    assert is_trained or np.abs(measures.matrix(again)[0] @ matrix[0]) > 0.7


@pytest.mark.one_backend
def test_methods_without_training_find_the_layers():
    """Of bundled generators: against the kernels and activations themselves."""
    model = kd.applications.DirectionDiscovery(preset="clevr_1fov", method="sefa")
    kernel = model.generator.hidden[0].kernel
    expected = kd.latents.closed_form_directions(kernel)
    np.testing.assert_allclose(measures.matrix(model), expected, atol=1e-5)
    model = kd.applications.DirectionDiscovery(preset="mnist", method="sefa")
    matrix = measures.matrix(model)
    assert matrix.shape == (62, 74) and not matrix[:, 62:].any()
    generator = keras.Sequential([keras.Input((3,)), keras.layers.Reshape((1, 1, 3))])
    with pytest.raises(ValueError, match="`model` must be a method that trains"):
        untrained.sefa(generator, kd.latents.as_space(3), None, 0)


def test_the_reconstructor():
    network = networks.reconstructor((28, 28, 1), 5)
    logits, step = network(np.zeros((3, 28, 28, 2), "float32"))
    assert tuple(logits.shape) == (3, 5) and tuple(step.shape) == (3, 1)


def test_scores():
    """Of a generator whose Hessian is known: three squares along rotated axes."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0].astype("float32")
    z = keras.Input((3,))
    turned = keras.layers.Dense(3, use_bias=False, name="turn")(z)
    squares = keras.layers.Lambda(lambda x: x**2)(turned)
    generator = keras.Model(z, keras.layers.Reshape((1, 1, 3))(squares))
    generator.get_layer("turn").set_weights([rotation.T * np.float32([1, 2, 3])])
    generator.trainable = False
    model = kd.models.DirectionDiscovery(generator, seed=0)
    found = measures.scores(model, rotation, num_codes=4)
    assert found["max_on_diagonal"] == 1 and found["pooled_ratio"] > 100
    assert abs(found["penalty"]) < 1e-3
    # Along its own direction, a square has the values 16, 0 and 16 times the factor's square.
    assert found["top_activeness"] == pytest.approx(81 / (1 + 16 + 81), rel=0.1)
    axes = measures.scores(model, measures.other_directions(model, "axes"), num_codes=4)
    assert axes["penalty"] > 1 and axes["pooled_ratio"] < found["pooled_ratio"]


@pytest.mark.one_backend
def test_the_column_of_what_is_red():
    images = np.full((2, 4, 8, 3), 0.5, "float32")
    images[0, 1:3, 2] = [0.9, 0.1, 0.1]
    images[1, 1:3, 4:6] = [0.9, 0.1, 0.1]
    np.testing.assert_allclose(measures.red_column(images), [2, 4.5], atol=1e-5)


@pytest.mark.one_backend
def test_the_commands(run, tmp_path, capsys, small, command):
    log_dir, *_ = run
    chosen = ["direction_discovery", "--weights", log_dir / "model.keras"]
    # The position, since the recipe is that of CLEVR-1FOV.
    assert command("evaluate", *chosen, "--out", tmp_path / "scores") == 0
    printed = capsys.readouterr().out
    assert "learnt" in printed and "random_deviation" in printed and "position" in printed
    found = json.loads((tmp_path / "scores" / "evaluation.json").read_text())["scores"]
    assert found["learnt"]["position"] == 0.25 and found["random"]["penalty"] == 0.5

    assert not command(
        "traverse", *chosen, "--directions", 2, "--latents", 2, "--out", tmp_path / "out"
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == PICTURES

    assert not command("compare", chosen[0], log_dir, "--out", tmp_path / "compared")
    assert "hessian" in capsys.readouterr().out
    assert (tmp_path / "compared" / "scores.json").exists()
    assert (tmp_path / "compared" / "hessian_penalty.png").exists()


@pytest.mark.one_backend
def test_a_release(run, tmp_path, monkeypatch, small):
    _, model, _ = run
    monkeypatch.setattr(release, "ROOT", tmp_path)
    commands.ship(APPLICATION, ["tiny", str(run[0] / "model.keras")])
    bundled = kd.applications.DirectionDiscovery(weights="tiny")
    np.testing.assert_array_equal(measures.matrix(bundled), measures.matrix(model))
    manifest = tmp_path / "direction_discovery" / "weights" / release.MANIFEST
    entry = json.loads(manifest.read_text())["weights"]["tiny"]
    assert entry["scores"]["learnt"]["penalty"] == 0.5
    assert APPLICATION.known_recipe("tiny") == SHORT
    with pytest.raises(ValueError, match="`preset` must be 'clevr_1fov' .* Received: .*'mnist'"):
        kd.applications.DirectionDiscovery("tiny", preset="mnist")
    with pytest.raises(ValueError, match="`recipe` must have generator, .*path_size=2.0"):
        APPLICATION.ship("tiny", run[0] / "model.keras", replace(SHORT, path_size=2.0))


def test_a_trained_model_takes_weights_from_a_file(run, small):
    log_dir, model, _ = run
    loaded = kd.applications.DirectionDiscovery(log_dir / "model.keras", preset="clevr_1fov")
    np.testing.assert_array_equal(measures.matrix(loaded), measures.matrix(model))


@pytest.mark.parametrize("name", kd.applications.available_weights()["DirectionDiscovery"])
def test_shipped_directions(name):
    model = kd.applications.DirectionDiscovery(weights=name)
    matrix = measures.matrix(model)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-5)
    images = ops.convert_to_numpy(model.sample(2, seed=0))
    assert len(images) == 2 and 0.2 < images.max() <= 1.1 and -0.1 <= images.min()


@pytest.mark.one_backend
def test_bad_arguments_are_named(run, tmp_path):
    build = kd.applications.DirectionDiscovery
    with pytest.raises(ValueError, match="`preset` must be one of .* Received: preset='cars'"):
        build(preset="cars")
    with pytest.raises(ValueError, match="`method` must be one of .* Received: method='pca'"):
        build(method="pca")
    with pytest.raises(ValueError, match="`weights` must be None, .* Received: weights='cars'"):
        build(weights="cars")
    with pytest.raises(ValueError, match="`generator_weights` must be a file .*BigGAN"):
        build(preset="biggan_churches")
    with pytest.raises(ValueError, match="`generator_weights` must be None .*Received: .*'other'"):
        build(weights="clevr_1fov", generator_weights="other")
    for settings, message in (
        ({"steps": 3}, "`steps` must be a positive multiple of 2.* steps=3"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be .* Received: steps_per_epoch=0"),
        ({"batch_size": 0}, "`batch_size` must be .* Received: batch_size=0"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive"),
        ({"learning_rate": -1.0}, "`learning_rate` must be .* Received: learning_rate=-1.0"),
        ({"generator": "GAN"}, "`generator` must be one of .* Received: generator='GAN'"),
    ):
        with pytest.raises(ValueError, match=message):
            APPLICATION.train(replace(SHORT, **settings), log_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="`weights` must be those of a model of DirectionDisc"):
        APPLICATION.load(_vae(tmp_path))
    with pytest.raises(ValueError, match="`data` must be left out: .*Received: data=mnist"):
        commands.train(APPLICATION, ["--data", "mnist"])
    with pytest.raises(ValueError, match="`runs` must be folders of finished trainings"):
        commands.compare(APPLICATION, [str(tmp_path)])
    with pytest.raises(ValueError, match="`runs` must have different names.*none that of 'axes'"):
        commands.compare(APPLICATION, [str(tmp_path / "axes")])
    other = tmp_path / "other"
    other.mkdir()
    results = json.loads((run[0] / "results.json").read_text())
    results["settings"]["generator_weights"] = "clevr_1fov_finetuned"
    (other / "results.json").write_text(json.dumps(results))
    with pytest.raises(ValueError, match="`runs` must all be trainings on one generator"):
        commands.compare(APPLICATION, [str(run[0]), str(other)])


@pytest.mark.one_backend
def test_the_recipes_follow_the_paper():
    for name, label in (("biggan_golden_retrievers", 207), ("biggan_churches", 497)):
        preset = RECIPES[name]
        assert (preset.labels, preset.path_size, preset.learning_rate) == (label, 5.0, 0.01)
        assert (preset.steps, preset.batch_size, preset.block) == (50_000, 96, None)


def _vae(folder):
    encoder = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    decoder = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(4), keras.layers.Reshape((2, 2, 1))]
    )
    path = folder / "vae.keras"
    kd.models.VAE(encoder, decoder).save(path)
    return path
