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

import keras_disentangle as kd
from keras_disentangle.applications._shared import commands

# `kd.evaluate` itself is tested on every backend.
pytestmark = pytest.mark.one_backend

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
    commands.evaluate_file([model, "--data", data, *options, "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "mig_sup" in printed and "95% interval" in printed and "evaluation.json" in printed
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert found["scores"]["mig_sup"] == pytest.approx(1, abs=1e-6)
    assert found["scores"]["factor_vae"] == 1
    assert set(found["intervals"]) == {"mig_sup", "irs", "factor_vae"}
    assert found["model"]["sha256"] == hashlib.sha256(Path(model).read_bytes()).hexdigest()
    assert found["data"]["factor_sizes"] == [5, 4, 2]
    assert found["data"]["factor_names"] == ["hue", "size", "shape"]
    assert found["settings"]["seed"] == 0 and found["settings"]["num_resamples"] == 4
    assert found["versions"]["backend"] == keras.backend.backend()


def test_what_it_takes_to_repeat_is_enough(files, tmp_path):
    model, data = files
    arguments = [model, "--data", data, "--samples", "30", "--out", str(tmp_path / "out")]
    arguments += ["--metrics", "mig", "dci", "sap", "irs", "beta_vae", "--votes", "20"]
    commands.evaluate_file(
        [*arguments, "--seed", "3", "--options", '{"dci": {"estimator": "exact"}}']
    )
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    scores = kd.evaluate(
        keras.models.load_model(found["model"]["name"], compile=False),
        kd.datasets.load_labelled_images(found["data"]["name"]),
        **found["settings"],
    )
    assert found["scores"] == scores


def test_numbers_that_are_not_finite_stay_out_of_the_file(tmp_path, files):
    # The 64 pixels of the encoder are three factors, over and over.
    out = tmp_path / "out"
    arguments = [files[0], "--data", files[1], "--out", str(out)]
    commands.evaluate_file([*arguments, "--metrics", "unsupervised", "--resamples", "3"])

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads((out / "evaluation.json").read_text(), parse_constant=refuse)
    assert found["scores"]["total_correlation"] is None
    assert found["intervals"]["total_correlation"] == [None, None]


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (["none.keras", "--data", "mine.npz"], ValueError, "`model` must be a whole .keras file"),
        (["mine.keras", "--data", "none.npz"], FileNotFoundError, "no file .*none.npz"),
        (["mine.keras", "--data", "faces"], ValueError, "`data` must be dsprites, .*: faces"),
        (
            ["mine.keras", "--data", "photos"],
            ValueError,
            "must have factors.*`evaluate provlae --w",
        ),
        (["mine.keras", "--data", "mnist"], ValueError, "must have factors.*rank_models.*: mnist"),
        (["mine.keras", "--data", "shapes3d"], ValueError, "`image_size` must be"),
        (["wide.keras", "--data", "mine.npz"], ValueError, r"shape \(16, 16, 1\).*\(8, 8, 1\)"),
        (["wide.keras", "--data", "shapes3d"], ValueError, r"shape \(16, 16, 1\).*\(16, 16, 3\)"),
        (["mine.keras", "--data", "mine.npz", "--metrics", "mug"], ValueError, "`metrics` must"),
    ],
)
def test_what_cannot_be_measured(files, monkeypatch, tmp_path, arguments, error, message):
    monkeypatch.chdir(tmp_path)
    wide = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten()])
    wide.save("wide.keras")
    (tmp_path / "photos").mkdir()
    (tmp_path / "run.json").write_text('{"application": "provlae"}')
    with pytest.raises(error, match=message):
        commands.evaluate_file(arguments)
    assert not (tmp_path / "runs").exists()


def test_the_command(files, tmp_path, command, capsys):
    model, data = files
    options = ["evaluate", model, "--data", data, "--metrics"]
    assert command(*options, "mig_sup", "--out", tmp_path / "out") == 0
    assert "mig_sup" in capsys.readouterr().out
    # In a process of its own, as users run it.
    words = [sys.executable, "-m", "keras_disentangle", *options, "mug"]
    run = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert run.returncode == 1 and run.stderr.splitlines()[-1].startswith("error: `metrics` must")
