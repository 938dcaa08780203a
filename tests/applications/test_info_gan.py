"""InfoGAN's recipes and weights, end to end, with a preset of a few pixels."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from tiny_applications import PIXELS, codes

import keras_disentangle as kd
from keras_disentangle.applications._shared import commands, release, training
from keras_disentangle.applications.info_gan import measures, recipes
from keras_disentangle.applications.info_gan.application import APPLICATION
from keras_disentangle.layers import RandomAffine


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Three epochs of two steps, on images in a file."""
    return codes(monkeypatch, tmp_path)


# A recipe is files around a training; how its model trains is tested on each backend elsewhere.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "info_gan" else pytest.mark.one_backend)
        for name in APPLICATION.variants
    ],
)
def test_a_recipe(name, recipe, tmp_path):
    log_dir = tmp_path / "run"
    model, results = APPLICATION.train(recipe, name, log_dir, verbose=0)
    assert json.loads((log_dir / "results.json").read_text())["steps"] == 6 == int(model.step)
    assert model.feedback == (name == "info_gan")
    weights = results["history"]["information_weight_categorical"]
    np.testing.assert_allclose(weights, [0.1 + 0.9 / 4, 0.1 + 0.9 * 3 / 4, 1.0], rtol=1e-5)
    assert len(results["history"]["error"]) == 1 and 0 <= results["scores"]["error"] <= 2 / 3
    assert results["scores"]["information"].keys() == {"categorical", "continuous"}
    assert 0 <= results["scores"]["real_information"] <= np.log(3)
    assert len(results["history"]["real_information"]) == 1
    counts = results["scores"]["counts"].values()
    assert sum(sum(taken.values()) for taken in counts) == results["scores"]["images"] == 24
    printed = APPLICATION.summary(results)
    assert name in printed and "L_I" in printed
    written = {path.name for path in (log_dir / "pictures").iterdir()}
    assert {"categorical.png", "continuous_1.png", "continuous_2.png", "information.png"} <= written
    loaded = keras.models.load_model(log_dir / "model.keras")
    images = PIXELS.astype("float32") / 255
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(m.classify(images)) for m in (model, loaded))
    )


@pytest.mark.one_backend
def test_an_evaluation_says_which_category_is_which_label(recipe, tmp_path, capsys):
    keras.utils.set_random_seed(0)
    APPLICATION.build(recipe, "info_gan").save(tmp_path / "model.keras")
    words = ["--weights", str(tmp_path / "model.keras"), "--samples", "30", "--out", str(tmp_path)]
    commands.evaluate(APPLICATION, words)
    assert "error" not in capsys.readouterr().out
    commands.evaluate(APPLICATION, [*words, "--data", recipe.data, "--split", "train"])
    scores = json.loads((tmp_path / "evaluation.json").read_text())["scores"]
    printed = capsys.readouterr().out
    assert f"24 images, error {100 * scores['error']:.2f}%" in printed
    assert all(f"{key} is {value}" in printed for key, value in scores["assignment"].items())
    np.savez(tmp_path / "bare.npz", images=PIXELS)
    with pytest.raises(ValueError, match="`data` must have classes. Received: .*bare.npz"):
        arguments = ["--data", str(tmp_path / "bare.npz"), "--split", "train"]
        commands.evaluate(APPLICATION, [*words, *arguments])


@pytest.mark.one_backend
def test_bundled_weights_have_their_preset(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(release, "ROOT", tmp_path)
    recipe = replace(recipe, augmentation=0.5)
    trained = APPLICATION.build(recipe, "info_gan", seed=1)
    assert APPLICATION.build(recipe, "detached").q_augmentation is None
    trained.save(tmp_path / "model.keras")
    APPLICATION.ship("tiny", tmp_path / "model.keras", recipe)
    model = kd.applications.InfoGAN(weights="tiny", seed=3)
    for a, b in zip(model.trainable_weights, trained.trainable_weights, strict=True):
        a, b = ops.convert_to_numpy(a), ops.convert_to_numpy(b)
        np.testing.assert_allclose(a, b, rtol=2**-6, atol=1e-6)
    again = kd.applications.InfoGAN(tmp_path / "model.keras", preset="tiny")
    other = kd.applications.InfoGAN("tiny", q_augmentation=RandomAffine(shear=1.0))
    assert kd.applications.InfoGAN("tiny", q_augmentation=False).q_augmentation is None
    for each, shear in ((trained, 0.2), (model, 0.2), (again, 0.2), (other, 1.0)):
        assert each.q_augmentation.shear == pytest.approx(shear)
    with pytest.raises(ValueError, match="`preset` must be 'tiny'"):
        kd.applications.InfoGAN("tiny", preset="mnist")


@pytest.mark.one_backend
def test_a_comparison(recipe, tmp_path, capsys):
    bounds = {}
    for name in APPLICATION.variants:
        _, results = APPLICATION.train(recipe, name, tmp_path / name, verbose=0)
        bounds[name] = results["history"]["information_categorical"]
    runs, out = [str(tmp_path / name) for name in APPLICATION.variants], tmp_path / "out"
    commands.compare(APPLICATION, [*runs, "--within", "4", "--out", str(out)])
    assert (out / "information.png").exists()
    lines = capsys.readouterr().out.splitlines()
    for name in APPLICATION.variants:
        (line,) = [line.split() for line in lines if line.startswith(name)]
        # Two of the three epochs end within four steps.
        expected = [name, name, 0, 6, np.log(3), max(bounds[name][:2]), max(bounds[name])]
        assert line[:4] == [str(value) for value in expected[:4]]
        np.testing.assert_allclose(np.float64(line[4:7]), expected[4:], atol=1e-4)
        assert line[7].endswith("%")

    with pytest.raises(ValueError, match="`runs` must be folders of finished .*FileNotFound"):
        commands.compare(APPLICATION, [str(tmp_path / "nothing"), "--out", str(out)])
    (tmp_path / "results.json").write_text('{"entropy": {}}')
    with pytest.raises(ValueError, match="`runs` must be folders of finished"):
        commands.compare(APPLICATION, [str(tmp_path), "--out", str(out)])
    with pytest.raises(ValueError, match="`runs` must have different names"):
        commands.compare(APPLICATION, [*runs, runs[0], "--out", str(out)])
    with pytest.raises(ValueError, match="`within` must be an integer >= 1"):
        commands.compare(APPLICATION, [*runs, "--within", "0", "--out", str(out)])


@pytest.mark.one_backend
def test_a_comparison_trains_what_is_missing(recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(recipe, steps=2, last_weight=None))
    words = ["--recipe", "tiny", "--verbose", "0", "--out", str(tmp_path / "out"), "--ramp-steps"]
    commands.compare(APPLICATION, [*words, "0", "--model", "detached", "--seed", "0", "1"])
    folders = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert folders == {"detached_seed_0", "detached_seed_1"}
    printed = capsys.readouterr().out
    assert all(name in printed for name in folders)
    trained = []

    def train(application, variant, log_dir, **_):
        trained.append((variant, log_dir.name))
        raise ZeroDivisionError

    monkeypatch.setattr(training, "train", train)
    commands.compare(APPLICATION, [*words, "0", "--model", "detached", "--seed", "1", "0"])
    assert not trained
    # One that fails does not keep others from being trained.
    with pytest.raises(SystemExit, match="2 trainings failed"):
        commands.compare(APPLICATION, [*words, "0", "1", "--model", "detached"])
    expected = [("detached", f"detached_ramp_steps_{steps}_seed_0") for steps in (0, 1)]
    assert trained == expected
    with pytest.raises(ValueError, match=r"`out` must be an empty .*differs in \['ramp_steps'\]"):
        commands.compare(APPLICATION, [*words, "1", "--model", "detached"])


def test_the_shipped_weights_have_their_scores(data_dir):
    scores = release.Release("info_gan", "mnist").entry["scores"]
    model = kd.applications.InfoGAN(weights="mnist")
    digits, labels = kd.datasets.load_images("mnist", split="test", data_dir=data_dir)
    result = measures.classification(model, digits, labels)
    # On another backend a few digits may fall to the other side.
    assert result["error"] == pytest.approx(scores["error"], abs=5e-4) and result["error"] <= 0.05
    assert result["real_information"] == pytest.approx(scores["real_information"], abs=1e-3)


@pytest.mark.one_backend
def test_settings():
    with pytest.raises(ValueError, match="`preset` must be one of"):
        kd.applications.InfoGAN(preset="imagenet")
    with pytest.raises(ValueError, match="`data` must name"):
        APPLICATION.train(recipes.RECIPES["faces_azimuth"])
    with pytest.raises(ValueError, match="`model` must be one of"):
        APPLICATION.train(recipes.RECIPES["mnist"], "vae")
    with pytest.raises(ValueError, match="`steps` must be a positive multiple of 100"):
        APPLICATION.train(replace(recipes.RECIPES["mnist"], steps=150))
    with pytest.raises(ValueError, match="`preset` must be one of .* Received: preset='cars'"):
        APPLICATION.train(replace(recipes.RECIPES["mnist"], preset="cars"))
    with pytest.raises(ValueError, match="`augmentation` must be 0 for a preset without categ"):
        APPLICATION.train(replace(recipes.RECIPES["faces_azimuth"], data="x", augmentation=1.0))
    with pytest.raises(ValueError, match="`augmentation` must be"):
        APPLICATION.train(replace(recipes.RECIPES["mnist"], augmentation=-1.0))


@pytest.mark.one_backend
def test_every_preset_has_a_recipe():
    assert {recipe.preset for recipe in recipes.RECIPES.values()} == recipes.PRESETS.keys()
