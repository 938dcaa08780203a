"""The progressive GANs' recipes, scores and weights, end to end, with a preset of a few pixels."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications import _weights
from keras_disentangle.applications.progressive_gan import (
    _trained,
    compare,
    evaluate,
    features,
    presets,
    progressive_gan,
    ship,
    train,
    traverse,
)
from keras_disentangle.schedules import read

TINY = presets.Preset(
    resolution=8, latent_dim=3, base_channels=16, max_channels=4, zoom=2.0, batch_size=4
)
RECIPES = train._recipes(
    "tiny",
    {"images_per_fade": 8, "images_per_stage": 8},
    images=32,
    more_images=16,
    whole=48,
    hessian_weight=0.01,
    ramp_images=8,
    data="clevr_simple",
    images_per_epoch=8,
    scores_every=2,
)


@pytest.fixture(autouse=True, scope="module")
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(presets.PRESETS, "tiny", TINY)
        patch.setitem(train.RECIPES, "tiny", RECIPES)
        patch.setattr(_trained, "NUM_IMAGES", 24)
        yield


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """A finished training from nothing, its folder."""
    folder = tmp_path_factory.mktemp("runs") / "scratch"
    train.train(RECIPES["scratch"], log_dir=folder, verbose=0)
    return folder


def networks_equal(a, b):
    pairs = zip(a.generator.weights, b.generator.weights, strict=True)
    return all(np.array_equal(*map(ops.convert_to_numpy, pair)) for pair in pairs)


@pytest.mark.one_backend
def test_recipes_follow_the_paper():
    for name, recipes in train.RECIPES.items():
        assert set(recipes) == {"scratch", "hessian", "infogan", "finetune", "longer"}
        assert all(recipe.preset == name for recipe in recipes.values())
        assert recipes["finetune"].ramp_images > 0 == recipes["hessian"].ramp_images
        assert recipes["hessian"].images == recipes["infogan"].images
        assert recipes["finetune"].images == recipes["longer"].images
    small, whole = train.RECIPES["small"], train.RECIPES["paper"]
    # All but the baseline see equally many images; in the release all that begin from nothing do.
    assert small["hessian"].images == small["scratch"].images + small["longer"].images
    assert all(0 <= recipe.images - 50_000_000 < 96_000 for recipe in whole.values())
    assert train.RECIPES["paper"]["finetune"].hessian_weight == 0.0125
    paper = presets.PRESETS["paper"]
    assert (paper.resolution, paper.latent_dim, paper.objective) == (128, 12, "wasserstein")
    assert paper.batch_size == 96


# A recipe is files around a training; how its model trains is tested on each backend elsewhere.
@pytest.mark.parametrize(
    "name", ["hessian", pytest.param("infogan", marks=pytest.mark.one_backend)]
)
def test_a_recipe_from_nothing(name, tmp_path):
    model, results = train.train(RECIPES[name], log_dir=tmp_path, verbose=0)
    assert results["steps"] == 12 == read(model.step) and model.stage == 1
    history = json.loads((tmp_path / "results.json").read_text())["history"]
    assert history["stage"] == [0, 1, 1, 1, 1, 1]
    assert len(history["frechet_distance"]) == 3
    if name == "hessian":
        np.testing.assert_allclose(history["hessian_weight"], [0.01] * 6, rtol=1e-6)
        assert min(history["hessian_penalty"]) > 0
    else:
        assert isinstance(model, kd.models.ProgressiveInfoGAN)
        assert [code.dim for code in model.space.codes] == [1, 2]
        np.testing.assert_allclose(history["information_weight_informative"], [2.0] * 6)
    written = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {"samples.png", "components.png", "hessians.png", "penalties.png"} <= written
    loaded = _trained.load(tmp_path / "model.keras")
    assert networks_equal(loaded, model)


@pytest.mark.one_backend
def test_fine_tuning(trained, tmp_path, monkeypatch):
    """It goes on from all the networks, and where it was interrupted."""
    start = str(trained / "model.keras")
    before, recipe = _trained.load(start), replace(RECIPES["finetune"], images=24)
    model = train.build_model(recipe, start)
    assert networks_equal(model, before) and model.stage == 1
    for part in ("discriminator", "ema_generator"):
        for a, b in zip(getattr(model, part).weights, getattr(before, part).weights, strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))
    whole, expected = train.train(recipe, start, tmp_path / "whole", verbose=0)
    # Two steps to 0.01: the weight of the first step is 0.
    weights = expected["history"]["hessian_weight"]
    np.testing.assert_allclose(weights, [0.005, 0.01, 0.01], rtol=1e-5)
    assert not networks_equal(whole, before)

    def interrupt(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        score(self, epoch, logs)

    score = train._Scores.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(train._Scores, "on_epoch_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train.train(recipe, start, tmp_path / "run", verbose=0)
    with pytest.raises(ValueError, match="unfinished training with other settings"):
        train.train(recipe, start, tmp_path / "run", seed=1, verbose=0)
    resumed, results = train.train(recipe, start, tmp_path / "run", verbose=0)
    assert 0 < results["timed_steps"] < 6
    assert results["history"] == expected["history"]
    assert networks_equal(whole, resumed)


@pytest.mark.one_backend
def test_commands(trained, tmp_path, capsys):
    weights = str(trained / "model.keras")
    few = ["--samples", "24", "--paths", "20"]
    scores = tmp_path / "scores.json"
    evaluate.main(
        ["--weights", weights, "--preset", "tiny", "--data", "clevr_simple", *few]
        + ["--json", str(scores)]
    )
    found = json.loads(scores.read_text())
    assert set(found) == {*_trained.SCORES, "activeness"}
    assert all(np.isfinite(found[name]) for name in _trained.SCORES)
    assert 0 <= found["max_on_diagonal"] <= 1
    assert found["activeness"] == sorted(found["activeness"], reverse=True)
    assert "D_R" in capsys.readouterr().out

    traverse.main(["--weights", weights, "--out", str(tmp_path / "pictures"), "--steps", "3"])
    assert len(list((tmp_path / "pictures").iterdir())) == 4

    arguments = ["--preset", "tiny", "--recipe", "longer", "--start", weights, "--verbose", "0"]
    train.main([*arguments, "--data", "clevr_1fov", "--log-dir", str(tmp_path / "longer")])
    out = tmp_path / "compared"
    compare.main([str(trained), str(tmp_path / "longer"), *few, "--out", str(out)])
    found = json.loads((out / "scores.json").read_text())
    assert found.keys() == {"scratch", "longer", "perfect"}
    assert found["perfect"].keys() == {"perceptual_path_length", "pixel_path_length"}
    written = {path.name for path in out.iterdir()}
    assert {
        "activeness.png",
        "hessians.png",
        "generator_loss.png",
        "frechet_distance.png",
    } <= written
    assert "hessian_penalty.png" not in written
    with pytest.raises(ValueError, match="`preset` must be that of the model.*8 pixels.*'small'"):
        evaluate.main(["--weights", weights])
    with pytest.raises(ValueError, match="finished trainings.*FileNotFoundError"):
        compare.main([str(tmp_path / "none")])
    with pytest.raises(ValueError, match="different names"):
        compare.main([str(trained), str(trained)])


def test_scores_of_a_known_generator():
    """One component moves a pixel, and the others nothing: measured at normalised codes."""
    model = progressive_gan.ProgressiveGAN(preset="tiny")

    class Known:
        def __call__(self, z, stage=None, normalize=True, **_):
            z = ops.convert_to_tensor(z)
            z = z if not normalize else z / ops.sqrt(ops.mean(z**2, axis=1, keepdims=True))
            return ops.tile(z[:, None, None, 1:2] ** 2, (1, 8, 8, 3))

    object.__setattr__(model, "ema_generator", Known())
    raw = _trained.measured_generator(model, before_norm=False)
    codes = _trained.measured_codes(model, 5, seed=0, before_norm=False)
    np.testing.assert_allclose(np.square(codes).mean(axis=1), 1)
    hessian = kd.metrics.hessian_matrix(raw, codes)
    np.testing.assert_allclose(hessian[..., 1, 1], 2, atol=1e-3)
    found = _trained.activeness(model, num_codes=4, before_norm=False)
    # The squares of -2, 0, 2 have the variance 16/3.
    np.testing.assert_allclose(found, [0, 16 / 3, 0], rtol=1e-5, atol=1e-9)


@pytest.mark.one_backend
def test_the_perfect_generator():
    generate = _trained.perfect_generator(TINY, positions=5)
    images = kd.datasets.Clevr("1fov", image_size=8, zoom=2.0, positions=5).images(np.arange(5))
    # With three components, that of a direction is evenly distributed (Archimedes).
    t = np.array([-1, -0.5, 0, 0.5, 1, 0.25])
    z = 7 * np.stack([t, np.sqrt(1 - t**2), 0 * t], axis=1)
    found = 255 * generate(z)
    np.testing.assert_allclose(found[:5], images, atol=1e-3)
    np.testing.assert_allclose(found[5], (images[2] + images[3].astype(float)) / 2, atol=1e-3)


@pytest.mark.one_backend
def test_features_are_trained_and_loaded(tmp_path):
    _, scores = features.train(image_size=8, steps=40, batch_size=8, verbose=0)
    assert set(scores) == {"color", "shape", "x", "y"}
    features.main(["--image-size", "8", "--steps", "10", "--out", str(tmp_path / "f.keras")])
    image_features, distance = features.load(tmp_path / "f.keras")
    images = np.random.default_rng(0).random((3, 8, 8, 3), dtype="float32")
    assert image_features(images).shape == (3, 64)
    np.testing.assert_allclose(distance(images, images), 0, atol=1e-6)
    assert (distance(images, images[::-1])[[0, 2]] > 0).all()


def test_shipped_features_read_clevr():
    """The network in which the card's distances are measured knows what it looks at."""
    network = features._runs.load_model(features.SHIPPED)
    data = kd.datasets.Clevr("simple", image_size=32, zoom=2.0)
    index = np.random.default_rng(1).choice(len(data), 200, replace=False)
    found = network.predict(data.images(index) / np.float32(255), verbose=0)
    wanted = features._answers(data, index)
    for name in ("color", "shape"):
        assert np.mean(found[name].argmax(axis=1) == wanted[name]) >= 0.99
    unexplained = np.square(found["place"] - wanted["place"]).mean(0) / wanted["place"].var(0)
    assert (1 - unexplained > 0.98).all()


def test_ready_made_models():
    model = progressive_gan.ProgressiveGAN(
        preset="small", hessian_penalty={"num_directions": 3}, seed=4
    )
    assert model.image_shape == (32, 32, 3) and model.latent_dim == 12 and model.seed == 4
    assert model.ramps["hessian_weight"].holds(0.0, 0)
    info = progressive_gan.ProgressiveGAN(preset="tiny", latent_dim=5, informative=2)
    assert info.information_weight == {"informative": 1.0}
    assert [code.dim for code in info.space.codes] == [2, 3]
    whole = progressive_gan.ProgressiveGAN(preset="tiny", informative=3)
    assert [code.dim for code in whole.space.codes] == [3]


@pytest.mark.one_backend
def test_weights_ship(trained, tmp_path, monkeypatch):
    for module in (ship, progressive_gan):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(
        _trained, "scores", lambda model, images: {"activeness": [2.0, 1.0], "diagonal_ratio": 3.0}
    )
    weights = str(trained / "model.keras")
    ship.main(["toy", weights, "--preset", "tiny", "--data", "clevr_simple"])
    manifest = json.loads((tmp_path / "weights" / _weights.MANIFEST).read_text())
    assert manifest["weights"]["toy"]["scores"]["diagonal_ratio"] == 3.0
    before = _trained.load(weights)
    for settings in ({}, {"hessian_penalty": {}}):
        model = progressive_gan.ProgressiveGAN(weights="toy", seed=3, **settings)
        for part in ("generator", "discriminator", "ema_generator"):
            pairs = zip(getattr(before, part).weights, getattr(model, part).weights, strict=True)
            for a, b in pairs:
                a, b = ops.convert_to_numpy(a), ops.convert_to_numpy(b)
                np.testing.assert_array_equal(a.astype("float16"), b)
        assert ("hessian_weight" in model.ramps) == bool(settings)
        assert read(model.step) == 8 and model.stage == 1
        fresh = progressive_gan.ProgressiveGAN(preset="tiny", seed=3)
        assert read(model.seed_generator.state[0]) == read(fresh.seed_generator.state[0])
    with pytest.raises(ValueError, match="`latent_dim` must be 3.*latent_dim=4"):
        progressive_gan.ProgressiveGAN(weights="toy", latent_dim=4)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"preset": "huge"}, "preset.*'paper', 'small'.*'huge'"),
        ({"preset": "tiny", "latent_dim": 0}, "latent_dim.*0"),
        ({"preset": "tiny", "informative": -1}, "informative.*-1"),
        ({"preset": "tiny", "informative": 4}, "informative.*at most.*3.*informative=4"),
        ({"preset": "tiny", "hessian_penalty": {"epsilon": 0}}, "epsilon"),
        ({"weights": "unknown"}, "weights.*unknown"),
        ({"preset": "tiny", "weights": "missing.keras"}, "existing file.*missing.keras"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        progressive_gan.ProgressiveGAN(**arguments)


@pytest.mark.one_backend
def test_bad_recipes(trained, tmp_path):
    weights = str(trained / "model.keras")
    for recipe, start, message in (
        (RECIPES["finetune"], None, "start.*start=None"),
        (RECIPES["scratch"], weights, "`start` must be.*none for others"),
        (replace(RECIPES["scratch"], images=20), None, "images.*multiple of 8.*20"),
        (replace(RECIPES["scratch"], data="nowhere"), None, "nowhere"),
        (replace(RECIPES["scratch"], hessian_weight=-1.0), None, "target.*-1"),
        (replace(RECIPES["scratch"], images=16), None, "images.*at least 24.*16"),
        (replace(RECIPES["scratch"], preset="none"), None, "preset.*'paper'.*none"),
        (replace(RECIPES["scratch"], scores_every=0), None, "scores_every.*0"),
        (replace(RECIPES["scratch"], ramp_images=8), None, "ramp_images.*no `hessian_weight`.*8"),
        (replace(RECIPES["longer"], images_per_fade=8), weights, "images_per_fade.*nothing grows"),
        (replace(RECIPES["longer"], informative=1), weights, "networks like those"),
    ):
        with pytest.raises(ValueError, match=message):
            train.train(recipe, start, tmp_path / "run", verbose=0)
    with pytest.raises(ValueError, match="another folder than that of `start`"):
        train.train(RECIPES["longer"], weights, trained, verbose=0)
    assert (trained / "model.keras").is_file() and not (tmp_path / "run").exists()
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    dense.save(tmp_path / "dense.keras")
    with pytest.raises(ValueError, match="those of a progressive GAN"):
        _trained.load(tmp_path / "dense.keras")
