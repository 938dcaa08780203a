"""InfoGAN's recipes and weights, end to end, with a preset of a few pixels."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_disentangle as kd
from keras_disentangle.applications import _weights
from keras_disentangle.applications._shared import release
from keras_disentangle.applications.info_gan import (
    _trained,
    compare,
    evaluate,
    info_gan,
    networks,
    presets,
    ship,
    train,
    traverse,
)

LABELS = np.arange(24) % 3
PIXELS = np.random.default_rng(0).integers(0, 256, size=(24, 8, 8, 1), dtype="uint8")


def tiny_networks(latent_dim):
    generator = [keras.Input((latent_dim,)), layers.Dense(64, "sigmoid"), layers.Reshape((8, 8, 1))]
    image = keras.Input((8, 8, 1))
    features = layers.Dense(6, "tanh")(layers.Flatten()(image))
    return {
        "generator": keras.Sequential(generator),
        "discriminator": keras.Model(image, [layers.Dense(1)(features), features]),
    }


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Three epochs of two steps, on images in a file."""
    monkeypatch.setitem(networks.NETWORKS, "tiny", tiny_networks)
    preset = presets.Preset("tiny", (8, 8, 1), 3, (3,), continuous=2, q_hidden=4, batch_size=8)
    monkeypatch.setitem(presets.PRESETS, "tiny", preset)
    path = tmp_path / "images.npz"
    np.savez(path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS[::-1], y_test=LABELS[::-1])
    return train.Recipe(
        "tiny",
        str(path),
        steps=6,
        steps_per_epoch=2,
        first_weight=0.1,
        last_weight=1.0,
        ramp_steps=4,
        classes_every=2,
    )


# A recipe is files around a training; how its model trains is tested on each backend elsewhere.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "info_gan" else pytest.mark.one_backend)
        for name in train.MODELS
    ],
)
def test_a_recipe(name, recipe, tmp_path):
    log_dir = tmp_path / "run"
    model, results = train.train(recipe, name, log_dir, verbose=0)
    assert json.loads((log_dir / "results.json").read_text())["steps"] == 6 == int(model.step)
    assert model.feedback == (name == "info_gan")
    weights = results["history"]["information_weight_categorical"]
    np.testing.assert_allclose(weights, [0.1 + 0.9 / 4, 0.1 + 0.9 * 3 / 4, 1.0], rtol=1e-5)
    assert len(results["history"]["error"]) == 1 and 0 <= results["error"] <= 2 / 3
    assert results["information"].keys() == {"categorical", "continuous"}
    assert 0 <= results["real_information"] <= np.log(3)
    assert len(results["history"]["real_information"]) == 1
    assert name in train.table(results) and "L_I" in train.table(results)
    written = {path.name for path in (log_dir / "pictures").iterdir()}
    assert {"categorical.png", "continuous_1.png", "continuous_2.png", "information.png"} <= written
    loaded = keras.models.load_model(log_dir / "model.keras")
    images = PIXELS.astype("float32") / 255
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(m.classify(images)) for m in (model, loaded))
    )


@pytest.mark.one_backend
def test_an_interrupted_recipe_goes_on(recipe, tmp_path, monkeypatch):
    whole, expected = train.train(recipe, log_dir=tmp_path / "whole", verbose=0)

    def interrupt(self, epoch, logs=None):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train._Classes, "on_epoch_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train.train(recipe, log_dir=tmp_path / "run", verbose=0)
    # The first epoch's end was never reached, so a second try begins with it; the third one is
    # stopped in its last epoch, with two behind it.
    real = train._Classes.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(
            train._Classes,
            "on_epoch_end",
            lambda self, epoch, logs=None: (interrupt if epoch == 2 else real)(self, epoch, logs),
        )
        with pytest.raises(KeyboardInterrupt):
            train.train(recipe, log_dir=tmp_path / "run", verbose=0)
    with pytest.raises(ValueError, match="unfinished training with other settings"):
        train.train(recipe, log_dir=tmp_path / "run", seed=1, verbose=0)
    resumed, results = train.train(recipe, log_dir=tmp_path / "run", verbose=0)
    assert results["timed_steps"] == 2
    assert results["history"] == expected["history"]
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # Finished, it makes way for another.
    other, _ = train.train(recipe, log_dir=tmp_path / "run", seed=1, verbose=0)
    assert int(other.step) == 6
    assert any(
        (a != b).any() for a, b in zip(whole.get_weights(), other.get_weights(), strict=True)
    )


@pytest.mark.one_backend
def test_the_commands(recipe, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    monkeypatch.setitem(train.RECIPES, "mnist", recipe)
    train.main(["--log-dir", str(run), "--steps", "2", "--verbose", "0"])
    assert "L_I" in capsys.readouterr().out
    weights, scores = str(run / "model.keras"), tmp_path / "scores.json"
    evaluate.main(
        ["--weights", weights, "--data", recipe.data, "--samples", "30", "--json", str(scores)]
    )
    printed, scores = capsys.readouterr().out, json.loads(scores.read_text())
    assert f"error {100 * scores['classification']['error']:.2f}%" in printed
    assert scores["classification"]["images"] == 24
    traverse.main(["--weights", weights, "--out", str(tmp_path / "out")])
    assert len(list((tmp_path / "out").glob("*.png"))) == 3

    # What ships is what was trained, rounded.
    monkeypatch.setattr(info_gan, "FOLDER", tmp_path / "info_gan")
    monkeypatch.setattr(ship, "FOLDER", tmp_path / "info_gan")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    ship.main(["tiny", weights, "--preset", "tiny", "--data", recipe.data])
    shipped = kd.applications.InfoGAN(weights="tiny", seed=3)
    trained = keras.models.load_model(weights)
    assert kd.applications.available_weights() == {"InfoGAN": ["tiny"]}
    for a, b in zip(shipped.weights, trained.weights, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(a), ops.convert_to_numpy(b), rtol=2**-6, atol=1e-6
        )
    with pytest.raises(ValueError, match="`preset` must be 'tiny'"):
        kd.applications.InfoGAN("tiny", preset="mnist")


@pytest.mark.one_backend
def test_a_comparison(recipe, tmp_path, capsys):
    bounds = {}
    for name in train.MODELS:
        _, results = train.train(recipe, name, tmp_path / name, verbose=0)
        bounds[name] = results["history"]["information_categorical"]
    runs, out = [str(tmp_path / name) for name in train.MODELS], tmp_path / "curves.png"
    compare.main([*runs, "--within", "4", "--out", str(out)])
    assert out.exists()
    lines = capsys.readouterr().out.splitlines()
    for name in train.MODELS:
        (line,) = [line.split() for line in lines if line.startswith(name)]
        # Two of the three epochs end within four steps.
        expected = [name, name, 0, 6, np.log(3), max(bounds[name][:2]), max(bounds[name])]
        assert line[:4] == [str(value) for value in expected[:4]]
        np.testing.assert_allclose(np.float64(line[4:7]), expected[4:], atol=1e-4)
        assert line[7].endswith("%")

    with pytest.raises(ValueError, match="`runs` must be folders of finished .*FileNotFound"):
        compare.main([str(tmp_path / "nothing"), "--out", str(out)])
    (tmp_path / "results.json").write_text('{"entropy": {}}')
    with pytest.raises(ValueError, match="`runs` must be folders of finished"):
        compare.main([str(tmp_path), "--out", str(out)])
    with pytest.raises(ValueError, match="`runs` must have different names"):
        compare.main([*runs, runs[0], "--out", str(out)])
    with pytest.raises(ValueError, match="`within` must be positive"):
        compare.main([*runs, "--within", "0", "--out", str(out)])


def test_the_shipped_weights_have_their_scores(data_dir):
    scores = _weights._entry(info_gan.FOLDER, "mnist")["scores"]
    model = kd.applications.InfoGAN(weights="mnist")
    digits, labels = kd.datasets.load_images("mnist", split="test", data_dir=data_dir)
    result = _trained.classification(model, digits, labels)
    # On another backend a few digits may fall to the other side.
    assert result["error"] == pytest.approx(scores["error"], abs=5e-4) and result["error"] <= 0.05
    assert result["information"] == pytest.approx(scores["real_information"], abs=1e-3)


@pytest.mark.one_backend
def test_settings():
    with pytest.raises(ValueError, match="`preset` must be one of"):
        kd.applications.InfoGAN(preset="imagenet")
    with pytest.raises(ValueError, match="`data` must name"):
        train.train(train.RECIPES["faces_azimuth"])
    with pytest.raises(ValueError, match="`model` must be one of"):
        train.train(train.RECIPES["mnist"], "vae")
    with pytest.raises(ValueError, match="`steps` must be a positive multiple of 100"):
        train.train(replace(train.RECIPES["mnist"], steps=150))


@pytest.mark.one_backend
def test_every_preset_has_a_recipe():
    assert {recipe.preset for recipe in train.RECIPES.values()} == presets.PRESETS.keys()
