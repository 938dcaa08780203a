"""The commands that measure and compare: on files of one's own, and on trainings of a recipe."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from factor_images import factor_images
from keras_disentangle.applications import _evaluation
from keras_disentangle.applications.provlae import compare, evaluate, train
from tiny_models import MODELS

import keras_disentangle as kd

SCRIPT = Path(__file__).parents[2] / "scripts" / "evaluate.py"
DATA = factor_images()
INDEX = np.random.default_rng(0).permutation(40)


@pytest.fixture
def files(tmp_path):
    """A Keras encoder that knows the factors, and a file of images and factors, in any order."""
    pixels = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    pixels.save(tmp_path / "mine.keras")
    np.savez(
        tmp_path / "mine.npz",
        images=DATA.images(INDEX),
        factors=DATA.factors(INDEX),
        factor_names=DATA.factor_names,
    )
    return str(tmp_path / "mine.keras"), str(tmp_path / "mine.npz")


def test_a_model_and_images_of_ones_own(files, tmp_path, capsys):
    model, data = files
    options = ["--metrics", "mig_sup", "irs", "factor_vae", "--votes", "40", "--resamples", "4"]
    _evaluation.main([model, "--data", data, *options, "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "mig_sup" in printed and "[" in printed and "evaluation.json" in printed
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert found["scores"]["mig_sup"] == pytest.approx(1, abs=1e-6)
    assert found["scores"]["factor_vae"] == 1
    assert set(found["intervals"]) == {"mig_sup", "irs", "factor_vae"}
    assert found["model"]["sha256"] == hashlib.sha256(Path(model).read_bytes()).hexdigest()
    assert found["data"]["factor_sizes"] == [5, 4, 2]
    assert found["data"]["factor_names"] == ["hue", "size", "shape"]
    assert found["settings"]["seed"] == 0 and found["settings"]["num_resamples"] == 4
    assert found["versions"]["backend"] == keras.backend.backend()
    assert (tmp_path / "out" / "information_matrix.png").is_file()


def test_what_it_takes_to_repeat_is_enough(files, tmp_path):
    model, data = files
    runs = []
    for name in ("a", "b"):
        arguments = [model, "--data", data, "--samples", "30", "--out", str(tmp_path / name)]
        _evaluation.main([*arguments, "--metrics", "all", "--votes", "20", "--seed", "3"])
        runs.append(json.loads((tmp_path / name / "evaluation.json").read_text()))
    assert runs[0] == runs[1]


def test_all_pictures_of_a_model_with_rungs(tmp_path):
    model = MODELS["ladder_vae"].build()
    model.save(tmp_path / "ladder.keras")
    np.savez(tmp_path / "mine.npz", images=DATA.images(INDEX), factors=DATA.factors(INDEX))
    out = tmp_path / "out"
    arguments = ["--data", str(tmp_path / "mine.npz"), "--votes", "10", "--out", str(out)]
    evaluate.main(["--weights", str(tmp_path / "ladder.keras"), *arguments])
    assert {path.name for path in out.iterdir()} == {
        "evaluation.json",
        "information.png",
        "information_matrix.png",
        "mig_and_mig_sup.png",
        "traversal.png",
    }


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (["none.keras", "--data", "mine.npz"], ValueError, "`model` must be a whole .keras file"),
        (["mine.keras", "--data", "none.npz"], FileNotFoundError, "no file .*none.npz"),
        (["mine.keras", "--data", "faces"], ValueError, "`data` must be dsprites, .*: faces"),
        (["mine.keras", "--data", "shapes3d"], ValueError, "16 to 128|>= 16"),
        (["mine.keras", "--data", "mine.npz", "--metrics", "mug"], ValueError, "`metrics` must"),
    ],
)
def test_what_cannot_be_measured(files, monkeypatch, tmp_path, arguments, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        _evaluation.main(arguments)
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="one backend is enough")
def test_the_script(files, tmp_path):
    model, data = files
    arguments = [sys.executable, str(SCRIPT), model, "--data", data, "--metrics", "mig_sup"]
    run = subprocess.run(
        [*arguments, "--out", str(tmp_path / "out")], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0 and "mig_sup" in run.stdout, run.stderr
    run = subprocess.run([*arguments[:-1], "mug"], capture_output=True, text=True, timeout=300)
    assert run.returncode == 1 and run.stderr.splitlines()[-1].startswith("error: `metrics` must")


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A recipe of a few steps, on images in a file, and few votes."""
    np.savez(tmp_path / "mine.npz", images=DATA.images(INDEX), factors=DATA.factors(INDEX))
    recipe = train.Recipe(
        str(tmp_path / "mine.npz"),
        (8, 8, 1),
        (2, 1),
        batch_size=4,
        steps_per_stage=4,
        fade_steps=2,
        epochs_per_stage=2,
    )
    monkeypatch.setitem(train.RECIPES, "demo", recipe)
    original = kd.evaluate
    few = {"num_votes": 10}
    monkeypatch.setattr(kd, "evaluate", lambda *a, **o: original(*a, **{**o, **few}))
    monkeypatch.setattr(kd.callbacks.FactorMetrics, "on_epoch_end", lambda *args: None)


def test_models_betas_and_seeds_are_compared(small, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    arguments = ["--models", "provlae", "beta_vae", "--betas", "1", "4", "--verbose", "0"]
    arguments += ["--out", str(out)]
    compare.main([*arguments, "--seeds", "0"])
    first = json.loads((out / "scores.json").read_text())
    assert [(kind["model"], kind["beta"]) for kind in first] == [
        ("provlae", 1),
        ("provlae", 4),
        ("beta_vae", 1),
        ("beta_vae", 4),
    ]
    assert {path.name for path in out.glob("*.png")} == {
        "reconstruction_and_mig.png",
        "reconstruction_and_mig_sup.png",
        "reconstruction_and_factor_vae.png",
        "mig_and_mig_sup.png",
    }
    assert "MIG-sup" in capsys.readouterr().out

    # What is finished is not trained again.
    trained, original = [], train.train
    monkeypatch.setattr(
        train, "train", lambda *args: trained.append(args[1:5:3]) or original(*args)
    )
    compare.main([*arguments, "--seeds", "0", "1"])
    assert trained == [("provlae", 1)] * 2 + [("beta_vae", 1)] * 2
    both = json.loads((out / "scores.json").read_text())
    for kind, before in zip(both, first, strict=True):
        assert kind["seeds"] == [0, 1]
        assert kind["values"]["mig"][0] == before["values"]["mig"][0]
        assert kind["means"]["mig"] == pytest.approx(np.mean(kind["values"]["mig"]))
    with pytest.raises(ValueError, match="`out` must be an empty folder.*steps_per_stage"):
        compare.main([*arguments, "--steps-per-stage", "6"])


def test_data_without_factors_are_not_compared(small, tmp_path):
    np.savez(tmp_path / "bare.npz", images=DATA.images(INDEX))
    arguments = ["--data", str(tmp_path / "bare.npz"), "--models", "beta_vae", "--seeds", "0"]
    with pytest.raises(ValueError, match="`data` must have factors. Received: .*bare.npz"):
        compare.main([*arguments, "--verbose", "0", "--out", str(tmp_path / "out")])
