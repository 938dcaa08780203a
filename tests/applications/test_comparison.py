"""The command `compare`: which trainings it asks for, how it runs them, and what ends them."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny_applications import PIXELS, TINY

from keras_disentangle.applications._shared import comparison, jobs, training
from keras_disentangle.applications.autoencoders.application import APPLICATION

pytestmark = pytest.mark.one_backend
SWEEP = {"beta_vae": {"strength": (1.0, 4.0)}, "factor_vae": {"strength": (5.0,)}}


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Makes the recipe "tiny" known, with a sweep."""
    recipe = TINY["autoencoders"].recipe(monkeypatch, tmp_path)
    monkeypatch.setitem(APPLICATION.recipes, "tiny", recipe)
    monkeypatch.setitem(APPLICATION.sweeps, "tiny", SWEEP)
    return recipe


@pytest.fixture
def asked(tiny, monkeypatch, tmp_path):
    """A function of flags that gives the folder, model and strength of each training asked for."""
    found = []

    def train(application, **chosen):
        assert chosen["log_dir"].parent == tmp_path / "out"
        found.append((chosen["log_dir"].name, chosen["variant"], chosen["recipe"].strength))
        raise ValueError(f"not {chosen['seed']}")

    monkeypatch.setattr(training, "train", train)

    def ask(*flags):
        found.clear()
        words = ["--recipe", "tiny", "--out", str(tmp_path / "out"), *flags]
        with pytest.raises((SystemExit, ValueError)) as ended:
            comparison.compare(APPLICATION, words)
        return found.copy(), str(ended.value)

    return ask


def test_each_model_has_the_values_of_its_own(asked):
    found, _ = asked("--sweep", "--model", "beta_vae", "factor_vae", "--seed", "0", "1")
    assert found == [
        ("beta_vae_strength_1_seed_0", "beta_vae", 1),
        ("beta_vae_strength_1_seed_1", "beta_vae", 1),
        ("beta_vae_strength_4_seed_0", "beta_vae", 4),
        ("beta_vae_strength_4_seed_1", "beta_vae", 4),
        # Named although it has one value, so that others can join later.
        ("factor_vae_strength_5_seed_0", "factor_vae", 5),
        ("factor_vae_strength_5_seed_1", "factor_vae", 5),
    ]


def test_wrong_settings_are_found_before_anything_is_trained(asked):
    # The recipe has a strength, which this model has not.
    found, told = asked("--sweep", "--model", "beta_vae", "ae")
    assert not found and "`strength` must be left out or 0 for ae" in told


def test_words_go_before_the_sweep(asked):
    flags = ["--sweep", "--model", "beta_vae", "factor_vae"]
    found, _ = asked(*flags, "--of", "beta_vae", "strength=2", "latent_dim=3,4")
    assert [name for name, *_ in found] == [
        "beta_vae_strength_2_latent_dim_3_seed_0",
        "beta_vae_strength_2_latent_dim_4_seed_0",
        "factor_vae_strength_5_seed_0",
    ]
    found, _ = asked("--of", "provlae", "strength=3", "--strength", "2")
    assert [(model, strength) for _, model, strength in found] == [("beta_vae", 2), ("provlae", 3)]


@pytest.mark.parametrize("flags", [("--seed", "0", "0"), ("--of", "beta_vae", "strength=1,1.0")])
def test_the_same_is_not_trained_twice(asked, flags):
    found, message = asked("--model", "beta_vae", *flags)
    assert not found and "must be different" in message and "seed_0 twice" in message


def test_a_failure_does_not_end_the_others(asked, capsys):
    found, told = asked("--seed", "0", "1")
    assert len(found) == 2 and told.startswith("error: 2 trainings failed")
    assert "beta_vae_seed_1: ValueError: not 1" in told
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--of", "beta_vae", "strength"], "`of` must be followed by .* Received: strength"),
        (["--of", "beta_vae", "size=1"], "one of .*'strength'"),
        (["--of", "beta_vae", "strength=high"], "`strength` must be a value of type float"),
        (["--of", "beta_vae", "image_shape=8"], "`image_shape` must be a setting of one value"),
        (["--sweep", "--recipe", "other"], "`sweep` must be left out .*'small'"),
        (["--jobs", "0"], "`jobs`"),
        (["run", "--jobs", "2"], "`runs` must be left out"),
        (["run", "--sweep"], "`runs` must be left out"),
    ],
)
def test_what_is_wrong_is_named(tiny, monkeypatch, tmp_path, flags, message):
    monkeypatch.setitem(APPLICATION.recipes, "other", tiny)
    words = ["--out", str(tmp_path / "out"), *flags]
    if "--recipe" not in flags and "run" not in flags:
        words += ["--recipe", "tiny"]
    with pytest.raises(ValueError, match=message):
        comparison.compare(APPLICATION, words)
    assert not (tmp_path / "out").exists()


def test_trainings_have_processes_of_their_own(tiny, tmp_path, capsys):
    images = tmp_path / "images.npz"
    np.savez(images, images=PIXELS)
    out = tmp_path / "out"
    words = ["--recipe", "tiny", "--data", str(images), "--out", str(out), "--images", "20"]
    words += ["--of", "beta_vae", "networks=small,large", "--jobs", "2"]
    with pytest.raises(SystemExit) as ended:
        comparison.compare(APPLICATION, words)
    told = str(ended.value)
    assert "1 trainings failed" in told and "`networks` must be one of" in told
    assert "2/2 " in capsys.readouterr().out
    results = json.loads((out / "beta_vae_networks_small_seed_0" / "results.json").read_text())
    assert results["steps"] == 4
    assert "`networks`" in (out / "beta_vae_networks_large_seed_0.log").read_text()
    assert (out / "scores.json").is_file() and (out / "report.md").is_file()


def test_an_interruption_ends_all_processes(monkeypatch, tmp_path):
    started = []

    def start(*_):
        job = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        started.append(job)
        return job

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "_start", start)
    monkeypatch.setattr(time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        jobs.run(APPLICATION, [{"log_dir": tmp_path / name} for name in "abc"], 2)
    assert len(started) == 2 and all(job.returncode for job in started)
