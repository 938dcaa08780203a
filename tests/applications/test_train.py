"""Recipes, end to end: every model of the comparison trains, is written, loaded and drawn."""

import json

import keras
import numpy as np
import pytest
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications import _runs
from keras_disentangle.applications.provlae import evaluate, train, traverse

PIXELS = np.random.default_rng(0).integers(0, 256, size=(24, 8, 8, 1), dtype="uint8")


@pytest.fixture
def recipe(tmp_path):
    """Two rungs, two epochs of two steps a stage, on images in a file."""
    np.savez(tmp_path / "images.npz", images=PIXELS)
    return train.Recipe(
        str(tmp_path / "images.npz"),
        (8, 8, 1),
        (2, 1),
        batch_size=4,
        steps_per_stage=4,
        fade_steps=2,
        epochs_per_stage=2,
    )


# A recipe is files around a training; how its model trains is tested on each backend elsewhere.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "provlae" else pytest.mark.one_backend)
        for name in train.MODELS
    ],
)
def test_every_model_trains(name, recipe, tmp_path):
    log_dir = tmp_path / "run"
    model, results = train.train(recipe, name, log_dir, verbose=0)
    assert json.loads((log_dir / "results.json").read_text())["steps"] == results["steps"]
    # The teacher takes the first stage.
    assert results["steps"] == int(model.step) == (4 if name == "teacher_student" else 8)
    assert sum(model.rung_sizes) == 3
    assert np.isfinite(list(results["terms"].values())).all()
    assert {"reconstruction", "loss", "beta"} <= set(results["terms"])
    assert name in train.table(results) and "reconstruction" in train.table(results)

    pictures = {path.name for path in (log_dir / "pictures").iterdir()}
    assert {"information_flow.png", "traversal.gif"} <= pictures
    assert list((log_dir / "train").glob("events*"))
    assert not list(log_dir.rglob("*.part"))
    loaded = keras.models.load_model(log_dir / "model.keras")
    images = PIXELS.astype("float32") / 255
    for a, b in zip(model.encode(images), loaded.encode(images), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "name, number",
    [("provlae", 4), ("teacher_student", 2), ("teacher_student", 3)],
)
def test_an_interrupted_training_goes_on(name, number, recipe, tmp_path, monkeypatch):
    # In which of the epochs, two steps each; the first two are the teacher's, where there is one.
    recipe = train.replace(recipe, beta_start=3.0, beta_steps=6)
    whole, expected = train.train(recipe, name, tmp_path / "whole", verbose=0)
    run, real, epochs = tmp_path / "run", kd.callbacks.LatentTraversal.on_epoch_end, []

    def on_epoch_end(self, epoch, logs=None):
        epochs.append(epoch)
        if len(epochs) == number:
            raise KeyboardInterrupt
        real(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(kd.callbacks.LatentTraversal, "on_epoch_end", on_epoch_end)
        with pytest.raises(KeyboardInterrupt):
            train.train(recipe, name, run, verbose=0)
    with pytest.raises(ValueError, match="unfinished training with other settings"):
        train.train(recipe, name, run, seed=1, verbose=0)
    resumed, results = train.train(recipe, name, run, verbose=0)
    assert results["timed_steps"] == 2 * (5 - number) and expected["timed_steps"] == 8
    assert f"s for {results['timed_steps']} training steps" in train.table(results)
    assert (run / "pictures" / "traversal.gif").exists()
    if name == "provlae":  # Finished, it makes way for another.
        again = train.train(recipe, name, run, seed=1, verbose=0)[1]
        assert again["timed_steps"] == 8 and again["stages"] != expected["stages"]
    assert results["stages"] == expected["stages"] and results["terms"] == expected["terms"]
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.one_backend
def test_only_a_training_with_a_backup_goes_on(tmp_path):
    settings = {"seed": 1, "shape": (8, 8)}
    _runs.write_json(tmp_path / _runs.RUN, settings)
    backups = tmp_path / "backup" / "teacher"
    backups.mkdir(parents=True)
    (backups / "backup-000001.7.tmp").touch()
    assert not _runs.goes_on(tmp_path, settings)
    _runs.check_finished(tmp_path)
    (backups / "backup-000001").touch()
    assert _runs.goes_on(tmp_path, settings)
    assert not _runs.goes_on(tmp_path, {**settings, "seed": 2})
    with pytest.raises(ValueError, match="`log_dir` must not hold an unfinished training"):
        _runs.check_finished(tmp_path)
    (tmp_path / "results.json").touch()
    assert not _runs.goes_on(tmp_path, settings)
    _runs.check_finished(tmp_path)


@pytest.mark.one_backend
def test_factors_are_scored(recipe, tmp_path, monkeypatch):
    # The recipe measures on ten thousand images; that is tested elsewhere, on few.
    monkeypatch.setattr(kd.callbacks.FactorMetrics, "on_epoch_end", lambda *args: None)
    scores = {
        "mig": 0.5,
        "mig_sup": 0.25,
        "factor_vae": 0.75,
        "information": [1.5, 0.5],
        "information_total": 2.0,
        "kl": [2.0, 1.0],
    }
    monkeypatch.setattr(kd, "evaluate", lambda model, data, **options: scores)
    monkeypatch.setattr(kd.callbacks.InformationFlow, "on_train_end", lambda *args: None)
    monkeypatch.setattr(kd.callbacks.InformationFlow, "on_epoch_end", lambda *args: None)
    recipe = train.replace(recipe, data="dsprites", image_shape=(16, 16, 1))
    _, results = train.train(recipe, "provlae", tmp_path / "run", verbose=0)
    assert results["scores"] == scores
    lines = train.table(results).splitlines()
    assert any("MIG " in line and "0.500" in line for line in lines)
    assert sum("I(x; z)" in line for line in lines) == 3


@pytest.mark.one_backend
def test_the_command_line(recipe, tmp_path, capsys, monkeypatch):
    run = tmp_path / "run"
    monkeypatch.setitem(train.RECIPES, "demo", train.replace(recipe, data="dsprites"))
    options = {
        "--recipe": "demo",
        "--data": recipe.data,
        "--image-size": "8",
        "--log-dir": str(run),
        "--steps-per-stage": "6",
        "--fade-steps": "5",
        "--batch-size": "4",
        "--beta": "3",
    }
    train.main([*(word for pair in options.items() for word in pair), "--rungs", "2", "1"])
    printed = capsys.readouterr().out
    assert "provlae: 12 steps, " in printed and str(run / "model.keras") in printed
    settings = json.loads((run / "results.json").read_text())["settings"]
    assert settings["beta"] == 3.0 and settings["rung_sizes"] == [2, 1]

    chosen = ["--weights", str(run / "model.keras"), "--data", recipe.data]
    evaluate.main([*chosen, "--out", str(tmp_path / "scores")])
    scores = json.loads((tmp_path / "scores" / "evaluation.json").read_text())["scores"]
    assert len(scores["information"]) == 2 and "information" in capsys.readouterr().out
    traverse.main([*chosen, "--image", "3", "--out", str(tmp_path / "out")])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "traversal.png",
        "traversal.gif",
        "rung_samples.png",
    }
    with pytest.raises(ValueError, match="`image` must lie in 0..23. Received: 24"):
        traverse.main([*chosen, "--image", "24"])


@pytest.mark.one_backend
def test_damaged_models_are_named(recipe, tmp_path):
    (tmp_path / "model.keras").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="whole .keras file. Received: .*model.keras"):
        evaluate.main(["--weights", str(tmp_path / "model.keras"), "--data", recipe.data])


@pytest.mark.one_backend
@pytest.mark.parametrize("name", sorted(train.RECIPES))
def test_recipes_fit_their_networks(name):
    recipe = train.RECIPES[name]
    model = train.build_model("provlae", recipe, seed=0)
    assert model.rung_sizes == recipe.rung_sizes and model.image_shape == recipe.image_shape
    assert recipe.fade_steps <= recipe.steps_per_stage
    assert recipe.steps_per_stage % recipe.epochs_per_stage == 0


@pytest.mark.one_backend
def test_bad_arguments_are_named(recipe, tmp_path):
    with pytest.raises(ValueError, match="`model` must be one of .* Received: model='gan'"):
        train.train(recipe, "gan", tmp_path / "run")
    short = train.replace(recipe, steps_per_stage=1)
    with pytest.raises(ValueError, match="`steps_per_stage` must be at least 2.* Received: .*=1"):
        train.train(short, "provlae", tmp_path / "run")
    assert not (tmp_path / "run" / "model.keras").exists()
