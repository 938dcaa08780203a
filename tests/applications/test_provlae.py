"""pro-VLAE and its baselines: every model trains, is compared, measured and drawn."""

import json
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from factor_images import factor_images
from keras import ops
from model_table import MODELS
from tiny_applications import PIXELS

import keras_disentangle as kd
from keras_disentangle.applications._shared import commands, factors, runs, training
from keras_disentangle.applications.provlae.application import APPLICATION
from keras_disentangle.applications.provlae.recipes import RECIPES, Recipe

DATA = factor_images()
INDEX = np.random.default_rng(0).permutation(40)


def train(recipe, variant="provlae", log_dir=None, **options):
    return APPLICATION.train(recipe, variant, log_dir, verbose=0, **options)


def tiny_recipe(data):
    """Two rungs, two epochs of two steps a stage."""
    return Recipe(
        str(data),
        (8, 8, 1),
        (2, 1),
        batch_size=4,
        steps_per_stage=4,
        fade_steps=2,
        epochs_per_stage=2,
    )


@pytest.fixture
def recipe(tmp_path):
    """On images in a file."""
    np.savez(tmp_path / "images.npz", images=PIXELS)
    return tiny_recipe(tmp_path / "images.npz")


# A recipe is files around a training; how its model trains is tested on each backend elsewhere.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "provlae" else pytest.mark.one_backend)
        for name in APPLICATION.variants
    ],
)
def test_every_model_trains(name, recipe, tmp_path):
    log_dir = tmp_path / "run"
    model, results = train(recipe, name, log_dir)
    assert json.loads((log_dir / "results.json").read_text())["steps"] == results["steps"]
    # The teacher takes the first stage.
    assert results["steps"] == int(model.step) == (4 if name == "teacher_student" else 8)
    assert sum(model.rung_sizes) == 3
    assert np.isfinite(list(results["history"].values())).all()
    assert {"reconstruction", "loss", "beta"} <= set(results["history"])
    summary = APPLICATION.summary(results)
    assert name in summary and "reconstruction" in summary

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
    recipe = replace(recipe, beta_start=3.0, beta_steps=6)
    whole, expected = train(recipe, name, tmp_path / "whole")
    run, real, epochs = tmp_path / "run", kd.callbacks.LatentTraversal.on_epoch_end, []

    def on_epoch_end(self, epoch, logs=None):
        epochs.append(epoch)
        if len(epochs) == number:
            raise KeyboardInterrupt
        real(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(kd.callbacks.LatentTraversal, "on_epoch_end", on_epoch_end)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, name, run)
    with pytest.raises(ValueError, match="unfinished training with other settings"):
        train(recipe, name, run, seed=1)
    resumed, results = train(recipe, name, run)
    assert results["timed_steps"] == 2 * (5 - number) and expected["timed_steps"] == 8
    assert f"s for {results['timed_steps']} of them" in APPLICATION.summary(results)
    assert (run / "pictures" / "traversal.gif").exists()
    if name == "provlae":  # Finished, it is kept.
        kept, found = train(recipe, name, run)
        assert found == json.loads(json.dumps(results)) and kept.step == resumed.step
        with pytest.raises(ValueError, match="finished training with other settings, which would"):
            train(recipe, name, run, seed=1)
        assert json.loads((run / "results.json").read_text()) == found
    assert results["stages"] == expected["stages"] and results["history"] == expected["history"]
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.one_backend
def test_only_a_training_with_a_backup_goes_on(tmp_path):
    settings = {"seed": 1, "settings": {"shape": (8, 8), "beta": 1.0}}
    (tmp_path / runs.RUN).write_text(json.dumps(settings))
    backups = tmp_path / "backup" / "teacher"
    backups.mkdir(parents=True)
    (backups / "backup-000001.7.tmp").touch()
    assert not runs.resumes(tmp_path, settings)
    (backups / "backup-000001").touch()
    assert runs.resumes(tmp_path, settings)
    others = {"seed": 2, "settings": {"shape": (8, 9), "beta": 1.0, "gamma": 2.0}}
    with pytest.raises(ValueError, match="an unfinished training .* in .'gamma', 'seed', 'shape'"):
        runs.resumes(tmp_path, others)
    (tmp_path / runs.RUN).unlink()
    with pytest.raises(ValueError, match="must not hold backups without a run.json"):
        runs.resumes(tmp_path, settings)


@pytest.mark.one_backend
def test_a_finished_training_is_known_by_what_it_wrote(tmp_path):
    settings = {"seed": 1, "settings": {"shape": (8, 8), "beta": 1.0}}
    results = {**json.loads(json.dumps(settings)), "steps": 8}
    assert runs.finished(tmp_path, settings) is None
    for known in ("run.json", "results.json"):  # The first may be missing.
        (tmp_path / "results.json").write_text(json.dumps(results))
        (tmp_path / "run.json").write_text(json.dumps(settings))
        if known == "results.json":
            (tmp_path / "run.json").unlink()
        assert runs.finished(tmp_path, settings) == results
        with pytest.raises(ValueError, match="a finished training with .* differs in .'beta'"):
            runs.finished(tmp_path, {"seed": 1, "settings": {"shape": (8, 8), "beta": 2.0}})
    for content in ("[]", "{}", '{"settings": 1}', "{"):
        (tmp_path / "results.json").write_text(content)
        with pytest.raises(ValueError, match="in results.json, which is none of a training"):
            runs.finished(tmp_path, settings)


@pytest.mark.one_backend
def test_what_is_refused_writes_nothing(recipe, tmp_path, monkeypatch):
    before = sorted(tmp_path.rglob("*"))

    def refuse(self):
        raise ValueError("no information")

    # At once, by the batches, and by a callback when training begins.
    monkeypatch.setattr(kd.callbacks.InformationFlow, "_try", refuse)
    reasons = {
        "`fade_steps`": {"fade_steps": 9},
        "`batch_size`": {"batch_size": 99},
        "no infor": {},
    }
    for message, bad in reasons.items():
        with pytest.raises(ValueError, match=message):
            train(replace(recipe, **bad), log_dir=tmp_path / "runs" / "mine")
        assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(ValueError, match="no information"):
        train(recipe, log_dir=tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.one_backend
def test_ramps_that_the_training_is_too_short_for_are_told(capsys):
    ramp = kd.schedules.Ramp
    ramps = {
        "beta": ramp(4.0, 1.0, num_steps=6000),
        "first": ramp(0.0, 1.0, first_step=100, num_steps=400),
        "second": ramp(0.0, 1.0, first_step=100, num_steps=400),
        "ends": ramp(0.0, 1.0, num_steps=300),
        "constant": ramp(2.0, num_steps=9000),
    }
    text = (
        "beta will be 3.85, not 1 as at step 6,000; first, second will be 0.5, not 1 as at step 500"
    )
    assert training.cut_ramps(ramps, 300) == text
    run = SimpleNamespace(begin=lambda: None, verbose="auto")
    beginning = training.Beginning(run)
    beginning.set_model(SimpleNamespace(step=100, ramps=ramps))
    beginning.set_params({"steps": 20, "epochs": 10})
    beginning.on_train_begin()
    assert capsys.readouterr().out == f"The training ends at step 300, before its ramps: {text}\n"
    beginning.set_params({"steps": 1000, "epochs": 10})
    beginning.on_train_begin()
    run.verbose = 0
    beginning.set_params({"steps": 20, "epochs": 10})
    beginning.on_train_begin()
    assert not capsys.readouterr().out


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
    recipe = replace(recipe, data="dsprites", image_shape=(16, 16, 1))
    _, results = train(recipe, "provlae", tmp_path / "run")
    assert results["scores"] == scores
    *_, heads, values = APPLICATION.summary(results).splitlines()
    assert "MIG " in heads and "I(x; z_l), the top rung first" in heads
    assert "0.500" in values and "1.50 0.50 nats" in values and "2.00 nats" in values


@pytest.mark.one_backend
def test_the_command_line(recipe, tmp_path, capsys, monkeypatch, command):
    run = tmp_path / "run"
    monkeypatch.setitem(RECIPES, "demo", replace(recipe, data="dsprites"))
    options = {
        "--recipe": "demo",
        "--data": recipe.data,
        "--image-size": "8",
        "--log-dir": run,
        "--steps-per-stage": "6",
        "--fade-steps": "5",
        "--batch-size": "4",
        "--beta": "3",
    }
    words = [word for pair in options.items() for word in pair]
    assert command("train", "provlae", *words, "--rung-sizes", "2", "1") == 0
    printed = capsys.readouterr().out
    assert "provlae: 12 steps (" in printed and str(run / "model.keras") in printed
    settings = json.loads((run / "results.json").read_text())["settings"]
    assert settings["beta"] == 3.0 and settings["rung_sizes"] == [2, 1]

    chosen = ["provlae", "--weights", run / "model.keras", "--data", recipe.data]
    assert command("evaluate", *chosen, "--out", tmp_path / "scores") == 0
    scores = json.loads((tmp_path / "scores" / "evaluation.json").read_text())["scores"]
    assert len(scores["information"]) == 2 and "information" in capsys.readouterr().out
    assert command("traverse", *chosen, "--image", "3", "--out", tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "traversal.png",
        "traversal.gif",
        "rung_samples.png",
    }
    told = command("traverse", *chosen, "--image", "24")
    assert told == "error: `image` must lie in 0..23. Received: image=24"


@pytest.mark.one_backend
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_fit_their_networks(name):
    recipe = RECIPES[name]
    model = APPLICATION.build(recipe, "provlae", seed=0)
    assert model.rung_sizes == recipe.rung_sizes and model.image_shape == recipe.image_shape
    assert recipe.fade_steps <= recipe.steps_per_stage
    assert recipe.steps_per_stage % recipe.epochs_per_stage == 0


@pytest.mark.one_backend
def test_bad_arguments_are_named(recipe, tmp_path):
    short = replace(recipe, steps_per_stage=1)
    with pytest.raises(ValueError, match="`steps_per_stage` must be at least 2.* Received: .*=1"):
        train(short, "provlae", tmp_path / "run")
    assert not (tmp_path / "run" / "model.keras").exists()


@pytest.mark.one_backend
def test_images_without_factors_give_the_information(tmp_path):
    MODELS["ladder_vae"].build().save(tmp_path / "ladder.keras")
    np.savez(tmp_path / "bare.npz", images=DATA.images(INDEX))
    arguments = ["--weights", str(tmp_path / "ladder.keras"), "--data", str(tmp_path / "bare.npz")]
    arguments += ["--out", str(tmp_path / "out"), "--samples", "30"]
    runs = []
    for seed in ("1", "1", "2"):
        commands.evaluate(APPLICATION, [*arguments, "--seed", seed])
        runs.append(json.loads((tmp_path / "out" / "evaluation.json").read_text()))
    assert runs[0] == runs[1] and runs[0]["scores"] != runs[2]["scores"]
    assert len(runs[0]["data"]["sha256"]) == len(runs[0]["model"]["sha256"]) == 64
    with pytest.raises(ValueError, match="`data` must have factors for metrics other than"):
        commands.evaluate(APPLICATION, [*arguments, "--metrics", "mig"])


@pytest.mark.one_backend
@pytest.mark.parametrize("name, images", [("dsprites", 737_280), ("shapes3d", 480_000)])
def test_shipped_weights_have_their_checksum_and_data(name, images, tmp_path, monkeypatch):
    monkeypatch.setattr(kd, "evaluate", lambda *args, **options: {"mig": 0.5})
    commands.evaluate(APPLICATION, ["--weights", name, "--samples", "50", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert len(found["model"]["sha256"]) == 64 and found["model"]["name"] == name
    assert found["data"]["images"] == images


@pytest.mark.one_backend
def test_all_pictures_of_a_model_with_rungs(tmp_path, monkeypatch):
    model = MODELS["ladder_vae"].build()
    model.save(tmp_path / "ladder.keras")
    np.savez(tmp_path / "mine.npz", images=DATA.images(INDEX), factors=DATA.factors(INDEX))
    out = tmp_path / "out"
    monkeypatch.setattr(factors, "ENOUGH", 40)
    arguments = ["--data", str(tmp_path / "mine.npz"), "--votes", "10", "--out", str(out)]
    commands.evaluate(APPLICATION, ["--weights", str(tmp_path / "ladder.keras"), *arguments])
    assert {path.name for path in out.iterdir()} == {
        "evaluation.json",
        "information.png",
        "information_matrix.png",
        "mig_and_mig_sup.png",
        "traversal.png",
    }


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A recipe of a few steps, on images in a file, and few votes."""
    np.savez(tmp_path / "mine.npz", images=DATA.images(INDEX), factors=DATA.factors(INDEX))
    monkeypatch.setitem(RECIPES, "demo", tiny_recipe(tmp_path / "mine.npz"))
    original = kd.evaluate
    few = {"num_votes": 10}
    monkeypatch.setattr(kd, "evaluate", lambda *a, **o: original(*a, **{**o, **few}))
    monkeypatch.setattr(kd.callbacks.FactorMetrics, "on_epoch_end", lambda *args: None)


@pytest.mark.one_backend
def test_models_betas_and_seeds_are_compared(small, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    arguments = ["--model", "provlae", "beta_vae", "--beta", "1", "4", "--verbose", "0"]
    arguments += ["--out", str(out)]
    commands.compare(APPLICATION, [*arguments, "--seed", "0"])
    first = json.loads((out / "scores.json").read_text())
    names = [f"{model}_beta_{beta}" for model in ("provlae", "beta_vae") for beta in (1, 4)]
    assert list(first["runs"]) == [f"{name}_seed_0" for name in names] and not first["means"]
    assert {path.name for path in out.glob("*.png")} == {
        "reconstruction_and_mig.png",
        "reconstruction_and_mig_sup.png",
        "reconstruction_and_factor_vae.png",
        "mig_and_mig_sup.png",
    }
    assert "MIG-sup" in capsys.readouterr().out

    # What is finished is not trained again.
    trained, original = [], training.train

    def recorded(application, **chosen):
        trained.append((chosen["variant"], chosen["seed"]))
        return original(application, **chosen)

    monkeypatch.setattr(training, "train", recorded)
    commands.compare(APPLICATION, [*arguments, "--seed", "0", "1"])
    assert trained == [("provlae", 1)] * 2 + [("beta_vae", 1)] * 2
    both = json.loads((out / "scores.json").read_text())
    kinds = [f"{model} beta {beta}" for model in ("provlae", "beta_vae") for beta in (1.0, 4.0)]
    for name, kind in zip(names, kinds, strict=True):
        runs = [both["runs"][f"{name}_seed_{seed}"] for seed in (0, 1)]
        assert runs[0] == first["runs"][f"{name}_seed_0"]
        for score in ("mig", "reconstruction"):
            mean = both["means"][f"{kind}, mean of 2"][score]
            assert mean == pytest.approx(np.mean([run[score] for run in runs]))
    with pytest.raises(ValueError, match="`out` must be an empty folder.*steps_per_stage"):
        commands.compare(APPLICATION, [*arguments, "--steps-per-stage", "6"])


@pytest.mark.one_backend
def test_data_without_factors_are_not_compared(small, tmp_path, monkeypatch):
    np.savez(tmp_path / "bare.npz", images=DATA.images(INDEX))
    arguments = ["--data", str(tmp_path / "bare.npz"), "--model", "beta_vae", "--seed", "0"]
    monkeypatch.setattr(training, "train", None)
    with pytest.raises(ValueError, match="`data` must have factors. Received: .*bare.npz"):
        commands.compare(
            APPLICATION, [*arguments, "--verbose", "0", "--out", str(tmp_path / "out")]
        )
