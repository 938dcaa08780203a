"""What all applications share: a row of `tiny_applications` for each goes through every command."""

import json
import warnings
from dataclasses import asdict, replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from tiny_applications import TINY

import keras_disentangle as kd
from keras_disentangle.__main__ import _warning
from keras_disentangle._files import sha256
from keras_disentangle.applications._shared import (
    commands,
    exploring,
    parsers,
    registry,
    release,
    training,
)

APPLICATIONS = registry.names()
COMMANDS = ["train", "evaluate", "compare", "traverse", "explore", "ship"]

pytestmark = pytest.mark.one_backend


@pytest.fixture(scope="module", params=TINY)
def tiny(request, tmp_path_factory):
    """An application whose recipe "tiny" was trained once."""
    application, folder = registry.find(request.param), tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        recipe = TINY[request.param].recipe(patch, folder)
        patch.setitem(application.recipes, "tiny", recipe)
        model, results = application.train(recipe, log_dir=folder / "run", verbose=0)
        flags = [x.format(data=getattr(recipe, "data", "")) for x in TINY[request.param].evaluation]
        yield SimpleNamespace(
            application=application,
            name=request.param,
            recipe=recipe,
            folder=folder,
            run=folder / "run",
            path=folder / "run" / "model.keras",
            model=model,
            results=results,
            flags=flags,
        )


def test_all_have_a_row():
    assert set(TINY) == set(APPLICATIONS)


def test_a_training_writes_it_all(tiny):
    written = json.loads((tiny.run / "results.json").read_text())
    assert written == json.loads(json.dumps(tiny.results))
    assert written["application"] == tiny.name and written["model"] == tiny.application.variants[0]
    assert written["settings"] == json.loads(json.dumps(asdict(tiny.recipe)))
    assert written["steps"] == written["timed_steps"] > 0 and written["seed"] == 0
    assert all(np.isfinite(values).all() for values in written["history"].values())
    assert list((tiny.run / "pictures").iterdir()) and list((tiny.run / "train").glob("events*"))
    assert not list(tiny.run.rglob("*.part*"))
    loaded = tiny.application.load(tiny.path)
    for a, b in zip(tiny.model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))
    assert str(tiny.results["steps"]) in tiny.application.summary(tiny.results)


def test_an_interrupted_training_resumes(tiny, monkeypatch, tmp_path):
    def stop(self, epoch, logs=None):
        if epoch:
            raise KeyboardInterrupt

    arguments = {"recipe": tiny.recipe, "log_dir": tmp_path / "run", "verbose": 0}
    with monkeypatch.context() as patch:
        patch.setattr(training.Clock, "on_epoch_begin", stop)
        with pytest.raises(KeyboardInterrupt):
            tiny.application.train(**arguments)
    with pytest.raises(ValueError, match="`log_dir` must not hold an unfinished training"):
        tiny.application.train(**arguments, seed=1)
    plan = training.plan(
        tiny.application, tiny.recipe, tiny.application.variants[0], tmp_path / "run"
    )
    assert plan["resumes"]
    model, results = tiny.application.train(**arguments)
    assert results["history"] == tiny.results["history"]
    assert results["timed_steps"] < results["steps"] == tiny.results["steps"]
    for a, b in zip(model.get_weights(), tiny.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_dry_run_writes_nothing(tiny, command, capsys, tmp_path):
    words = ["train", tiny.name, "--recipe", "tiny", "--log-dir", tmp_path / "run", "--dry-run"]
    assert command(*words) == 0
    printed = capsys.readouterr().out
    assert f"{tiny.model.count_params():,}" in printed and str(tmp_path / "run") in printed
    assert command(*words, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["parameters"] == tiny.model.count_params()
    assert plan["steps"] == tiny.results["steps"] and not plan["resumes"]
    assert plan["class"] == type(tiny.model).__name__
    assert not list(tmp_path.iterdir())


def test_an_evaluation_gives_the_scores_of_the_end(tiny, command, capsys, tmp_path):
    words = ["evaluate", tiny.name, "--weights", tiny.path, *tiny.flags, "--out", tmp_path]
    assert command(*words, "--json", tmp_path / "copy.json") == 0
    assert "evaluation.json" in capsys.readouterr().out
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found == json.loads((tmp_path / "copy.json").read_text())
    assert found["model"]["sha256"] == sha256(tiny.path)
    if "scores" in tiny.results:
        assert found["scores"] == json.loads(json.dumps(tiny.results["scores"]))
    assert command(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out) == found


def test_a_traversal_draws_pictures(tiny, command, capsys, tmp_path):
    assert command("traverse", tiny.name, "--weights", tiny.path, "--out", tmp_path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(told["pictures"]) == sorted(path.name for path in tmp_path.iterdir())
    assert told["pictures"]


def test_a_run_is_compared(tiny, command, capsys, tmp_path):
    assert command("compare", tiny.name, tiny.run, "--out", tmp_path) == 0
    assert "run" in capsys.readouterr().out
    assert json.loads((tmp_path / "scores.json").read_text())


def test_a_release_is_what_was_trained(tiny, command, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(release, "ROOT", tmp_path)
    assert command("ship", tiny.name, "mine", tiny.path) == 0
    assert kd.applications.available_weights() == {tiny.application.title: ["mine"]}
    bundled = tiny.application.load("mine")
    for a, b in zip(bundled.trainable_weights, tiny.model.trainable_weights, strict=True):
        a, b = ops.convert_to_numpy(a), ops.convert_to_numpy(b)
        np.testing.assert_allclose(a, b, rtol=2**-6, atol=1e-6)
    recipe = replace(tiny.recipe, **dict.fromkeys(TINY[tiny.name].files))
    assert tiny.application.known_recipe("mine") == recipe
    capsys.readouterr()
    assert command("list", "--json") == 0
    entry = json.loads(capsys.readouterr().out)[tiny.name]["weights"]["mine"]
    assert entry["scores"] and entry["recipe"] == json.loads(json.dumps(asdict(recipe)))
    assert command("evaluate", tiny.name, "--weights", "mine", "--out", tmp_path / "out") == 0
    with pytest.raises(ValueError, match=r"one of \['mine'\]. Received: weights='other'"):
        tiny.application.factory(weights="other")


def test_what_is_wrong_with_runs_and_models_is_named(tiny, command, tmp_path):
    bad = tmp_path / "model.keras"
    bad.write_bytes(b"no zip")
    told = command("evaluate", tiny.name, "--weights", bad)
    assert told.startswith("error: `weights` must be a whole .keras file") and str(bad) in told
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(bad)
    assert "`weights` must be those of a" in command("traverse", tiny.name, "--weights", bad)
    assert "`recipe` must be given" in command("ship", tiny.name, "mine", bad)
    assert "`name` must be a bare word" in command("ship", tiny.name, "a/b", bad)
    told = command("compare", tiny.name, tmp_path / "nothing")
    assert "`runs` must be folders of finished" in told and "results.json" in told
    assert "`runs` must have different names" in command("compare", tiny.name, tiny.run, tiny.run)
    told = command("compare", tiny.name, tiny.run, "--recipe", "tiny")
    assert "`runs` must be left out" in told
    with pytest.raises(ValueError, match="`model` must be one of .* Received: model='cars'"):
        tiny.application.train(tiny.recipe, "cars", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_folder_of_a_training_is_its_model(command, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(exploring, "explore_name", lambda *words: asked.append(words))
    for name in ("traverse", "evaluate"):
        monkeypatch.setitem(
            commands.OF_APPLICATIONS, name, lambda *words: asked.append((words[0].name, words[1]))
        )
    monkeypatch.chdir(tmp_path)
    for folder in ("run", "dsprites"):  # The second is also the name of bundled weights.
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "results.json").write_text('{"application": "provlae"}')
        (tmp_path / folder / "model.keras").touch()
    words = ["--weights", "run/model.keras", "--seed", "1"]
    for name in ("traverse", "evaluate", "explore"):
        assert command(name, "run", "--seed", "1") == 0
        assert asked.pop() == ("provlae", words)
    assert command("explore", "dsprites", "--seed", "1") == 0
    assert asked.pop() == ("dsprites", ["--seed", "1"])
    application = registry.find("provlae")
    assert parsers.check_weights(application, "run") == "run/model.keras"
    assert parsers.check_weights(application, "dsprites") == "dsprites"


def test_what_a_folder_is_is_told(command, tmp_path):
    def told(folder):
        for command_ in ("explore", "evaluate", "traverse"):
            said = command(command_, folder)
        assert command("explore", "provlae", "--weights", folder) == said
        return said

    (tmp_path / "photos").mkdir()
    assert "or the folder of a finished training" in told(tmp_path / "photos")
    (tmp_path / "photos" / "a.JPG").touch()
    assert f"is given by --data {tmp_path / 'photos'}" in told(tmp_path / "photos")
    (tmp_path / "mine.keras").touch()
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "run.json").touch()
    assert f"which holds {tmp_path / 'mine.keras'}, {tmp_path / 'z'}" in told(tmp_path)
    (tmp_path / "run.json").write_text('{"application": "provlae"}')
    assert "a training of provlae that has no model.keras yet" in told(tmp_path)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_command_explains_itself(name, command, capsys):
    flags = {"ship": "--recipe", "train": "--dry-run", "compare": "--seed"}
    for word in COMMANDS:
        assert command(word, name, "--help") == 0
        assert flags.get(word, "--weights") in capsys.readouterr().out


def test_what_there_is_not_is_listed_on_one_line(command, capsys):
    def told(*words):
        assert command(*words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        return line

    assert "list, train, evaluate" in told("wander")
    assert "list, train, evaluate" in told()
    for word in COMMANDS:
        line = told(word, "cars")
        assert all(name in line for name in APPLICATIONS)
    assert "biggan" in told("convert", "info_gan")
    assert command("train", "--help") == 0
    assert "info_gan" in capsys.readouterr().out
    for name in APPLICATIONS:
        assert "--log-dir" in told("train", name, "--speed", "3")
        assert "--out" in told("evaluate", name, "--weights", "cars", "--speed", "3")
        assert "choose from" in told("train", name, "--recipe", "cars")
        assert "a .keras file" in told("evaluate", name, "--weights", "cars")
        assert "expected" in told("train", name, "--seed")
        assert "name" in told("ship", name)


@pytest.mark.parametrize(
    "name, flag, value",
    [
        ("autoencoders", "--learning-rate", "nan"),
        ("autoencoders", "--seed", "-1"),
        ("autoencoders", "--steps-per-epoch", "0"),
        ("direction_discovery", "--path-size", "0"),
        ("discriminative_vae", "--classifier-epochs", "0"),
        ("discriminative_vae", "--feature-weight", "-1"),
        ("discriminative_vae", "--ramp-steps", "-1"),
        ("info_gan", "--classes-every", "0"),
        ("info_gan", "--first-weight", "-1"),
        ("provlae", "--beta-start", "-1"),
        ("provlae", "--fade-steps", "9999"),
        ("provlae", "--image-size", "0"),
        ("provlae", "--rung-sizes", "3"),
    ],
)
def test_a_bad_setting_is_named_as_it_was_given(name, flag, value, command, monkeypatch, tmp_path):
    application = registry.find(name)
    monkeypatch.setitem(application.recipes, "tiny", TINY[name].recipe(monkeypatch, tmp_path))
    before = sorted(tmp_path.rglob("*"))
    words = ["train", name, "--recipe", "tiny", "--log-dir", tmp_path / "run"]
    told = command(*words, flag, value)
    assert told.startswith(f"error: `{flag[2:].replace('-', '_')}` must be")
    assert sorted(tmp_path.rglob("*")) == before


def test_warnings_are_lines(command):
    before = warnings.formatwarning
    assert _warning("left out", UserWarning, release.__file__, 7) == "warning: left out\n"
    assert (
        _warning("old", UserWarning, keras.__file__, 7) == f"{keras.__file__}:7: UserWarning: old\n"
    )
    assert command("list") == 0 and warnings.formatwarning is before


def test_the_list(command, capsys):
    assert command("list") == 0
    printed = capsys.readouterr().out
    assert command("list", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) >= {*APPLICATIONS, "biggan"}
    for name in APPLICATIONS:
        assert name in printed and found[name]["recipes"]
        assert registry.find(name).weights in (None, *found[name]["weights"])
    assert "D_R 3.37" in printed


@pytest.mark.parametrize("name", APPLICATIONS)
def test_recipes_are_found_before_a_factory_was_called(name):
    package = getattr(kd.applications, name)
    recipes = registry.find(name).recipes
    assert package.__getattr__("recipes").RECIPES is recipes
    assert {"application", "networks", "recipes"} <= set(dir(package))
    assert name in dir(kd.applications)
