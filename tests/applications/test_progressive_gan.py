"""The progressive GANs' recipes, scores and weights, with a preset of a few pixels."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from tiny_applications import GROWING, growing

import keras_disentangle as kd
from keras_disentangle.applications._shared import release
from keras_disentangle.applications._shared.files import load_model
from keras_disentangle.applications.progressive_gan import features, measures, recipes
from keras_disentangle.applications.progressive_gan.application import APPLICATION
from keras_disentangle.applications.progressive_gan.progressive_gan import ProgressiveGAN
from keras_disentangle.schedules import read


@pytest.fixture(autouse=True, scope="module")
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        growing(patch, None)
        yield


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """A finished training from nothing, its folder."""
    folder = tmp_path_factory.mktemp("runs") / "scratch"
    APPLICATION.train(GROWING["scratch"], log_dir=folder, verbose=0)
    return folder


def networks_equal(a, b):
    pairs = zip(a.generator.weights, b.generator.weights, strict=True)
    return all(np.array_equal(*map(ops.convert_to_numpy, pair)) for pair in pairs)


@pytest.mark.one_backend
def test_recipes_follow_the_paper():
    names = {"scratch", "hessian", "jacobian", "infogan", "finetune", "longer"}
    names.add("finetune_jacobian")
    small = {name: recipes.RECIPES[name] for name in names}
    paper = {name: recipes.RECIPES[f"paper_{name}"] for name in names}
    assert len(recipes.RECIPES) == 14
    for preset, found in (("small", small), ("paper", paper)):
        assert all(recipe.preset == preset for recipe in found.values())
        assert found["finetune"].ramp_images > 0 == found["hessian"].ramp_images
        assert found["hessian"].images == found["infogan"].images == found["jacobian"].images
        assert found["finetune"].images == found["longer"].images
        other = {"hessian_weight": 0.0, "jacobian_weight": found["jacobian"].jacobian_weight}
        assert found["finetune_jacobian"] == replace(found["finetune"], **other)
    # All but the baseline see equally many images; in the release all that begin from nothing do.
    assert small["hessian"].images == small["scratch"].images + small["longer"].images
    assert all(0 <= recipe.images - 50_000_000 < 96_000 for recipe in paper.values())
    assert paper["finetune"].hessian_weight == 0.0125
    preset = recipes.PRESETS["paper"]
    assert (preset.resolution, preset.latent_dim, preset.objective) == (128, 12, "wasserstein")
    assert preset.batch_size == 96
    for preset in recipes.PRESETS.values():
        assert preset.num_stages == preset.networks()["generator"].num_stages


# A recipe is files around a training; how its model trains is tested on each backend elsewhere.
@pytest.mark.parametrize(
    "name", ["hessian", pytest.param("infogan", marks=pytest.mark.one_backend)]
)
def test_a_recipe_from_nothing(name, tmp_path, monkeypatch):
    if name == "hessian":  # Not measured on every backend.
        monkeypatch.setattr(measures, "scores", lambda *_: {})
    model, results = APPLICATION.train(GROWING[name], log_dir=tmp_path, verbose=0)
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
    assert networks_equal(APPLICATION.load(tmp_path / "model.keras"), model)
    if name == "hessian":
        return
    found = results["scores"]
    assert set(found) == {*APPLICATION.columns, "activeness"}
    assert all(np.isfinite(value).all() for value in found.values())
    assert 0 <= found["max_on_diagonal"] <= 1
    assert found["activeness"] == sorted(found["activeness"], reverse=True)
    printed = APPLICATION.summary(results)
    assert "D_R" in printed and "activeness" in printed


@pytest.mark.one_backend
def test_fine_tuning_starts_from_all_the_networks(trained, tmp_path):
    start = str(trained / "model.keras")
    before = APPLICATION.load(start)
    recipe = replace(GROWING["finetune"], images=24, start=start)
    model = APPLICATION.build(recipe, "progressive_gan")
    assert networks_equal(model, before) and model.stage == 1
    for part in ("discriminator", "ema_generator"):
        for a, b in zip(getattr(model, part).weights, getattr(before, part).weights, strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))
    model, results = APPLICATION.train(recipe, log_dir=tmp_path, verbose=0)
    # Two steps to 0.01: the weight of the first step is 0.
    weights = results["history"]["hessian_weight"]
    np.testing.assert_allclose(weights, [0.005, 0.01, 0.01], rtol=1e-5)
    assert not networks_equal(model, before)


@pytest.mark.one_backend
def test_fine_tuning_with_orthogonal_jacobians(trained, tmp_path, command, monkeypatch):
    monkeypatch.setattr(measures, "scores", lambda *_: {})
    start = str(trained / "model.keras")
    recipe = replace(GROWING["finetune_jacobian"], images=24, start=start)
    model, results = APPLICATION.train(recipe, log_dir=tmp_path, verbose=0)
    history = results["history"]
    np.testing.assert_allclose(history["jacobian_weight"], [5e-5, 1e-4, 1e-4], rtol=1e-5)
    assert min(history["jacobian_penalty"]) > 0 and "hessian_penalty" not in history
    assert (tmp_path / "pictures" / "jacobian_penalty.png").exists()
    # Releases and files keep the objective, with the weight at which it ended.
    settings, saved = APPLICATION.release(model, recipe)
    (penalty,) = settings["penalties"]
    assert json.loads(json.dumps(settings)) == settings
    assert penalty["config"]["weight"] == pytest.approx(1e-4) and not saved.penalties
    monkeypatch.setattr(release, "ROOT", tmp_path)
    assert command("ship", "progressive_gan", "toy", tmp_path / "model.keras") == 0
    for weights in ("toy", tmp_path / "model.keras"):
        settings = {} if weights == "toy" else {"preset": "tiny"}
        again = ProgressiveGAN(weights=weights, **settings)
        assert float(again.ramps["jacobian_weight"](again.step)) == pytest.approx(1e-4)
        assert not ProgressiveGAN(weights=weights, penalties=[], **settings).penalties


@pytest.mark.one_backend
def test_trainings_are_compared_with_what_the_data_allow(trained, tmp_path, command, capsys):
    start, few = trained / "model.keras", ["--samples", "24", "--paths", "20"]
    recipe = replace(GROWING["longer"], start=start, data="clevr_1fov")
    APPLICATION.train(recipe, log_dir=tmp_path / "longer", verbose=0)
    APPLICATION.train(recipe, log_dir=tmp_path / "again", seed=1, verbose=0)
    runs, out = [trained, tmp_path / "longer", tmp_path / "again"], tmp_path / "compared"
    assert command("compare", "progressive_gan", *runs, *few, "--out", out) == 0
    found = json.loads((out / "scores.json").read_text())
    mean = "progressive_gan 2, mean of 2"
    assert found.keys() == {"scratch", "longer", "again", "perfect", mean}
    assert found["perfect"].keys() == {"perceptual_path_length", "pixel_path_length"}
    name = "perceptual_path_length"
    expected = (found["longer"][name] + found["again"][name]) / 2
    assert found[mean][name] == pytest.approx(expected)
    printed = capsys.readouterr().out
    assert "perfect" in printed and "activeness" in printed
    written = {path.name for path in out.iterdir()}
    assert {
        "activeness.png",
        "hessians.png",
        "generator_loss.png",
        "frechet_distance.png",
    } <= written
    assert "hessian_penalty.png" not in written
    (tmp_path / "perfect").mkdir()
    told = command("compare", "progressive_gan", trained, tmp_path / "perfect")
    assert "`runs` must have different names" in told and "'perfect'" in told
    settings = {**recipe.__dict__, "start": None, "preset": "cars"}
    content = {**json.loads((trained / "results.json").read_text()), "settings": settings}
    (tmp_path / "again" / "results.json").write_text(json.dumps(content))
    told = command("compare", "progressive_gan", tmp_path / "again")
    assert "`runs` must be folders of finished trainings" in told and "cars" in told


@pytest.mark.one_backend
def test_data_are_of_the_preset_of_the_model(trained, command, tmp_path):
    words = ["evaluate", "progressive_gan", "--weights", trained / "model.keras"]
    told = command(*words, "--preset", "small", "--out", tmp_path)
    assert "`preset` must be that of the model, whose images have 8 pixels" in told
    assert "'small'" in told
    other = keras.models.clone_model(APPLICATION.load(trained / "model.keras"))
    settings = APPLICATION.evaluation()
    assert APPLICATION.evaluation_data(other, "clevr_u", None, settings).shape == (24, 8, 8, 3)
    with pytest.raises(ValueError, match="`preset` must .* 16 pixels a side. Received: preset=Non"):
        sizes = {"resolution": 16, "base_channels": 16, "max_channels": 4}
        networks = replace(recipes.PRESETS["tiny"], **sizes).networks()
        model = kd.models.ProgressiveGAN(**networks)
        APPLICATION.evaluation_data(model, "clevr_u", None, settings)


def test_scores_of_a_known_generator():
    """One component moves a pixel, and the others nothing: measured at normalised codes."""
    model = ProgressiveGAN(preset="tiny")

    class Known:
        def __call__(self, z, stage=None, normalize=True, **_):
            z = ops.convert_to_tensor(z)
            z = z if not normalize else z / ops.sqrt(ops.mean(z**2, axis=1, keepdims=True))
            return ops.tile(z[:, None, None, 1:2] ** 2, (1, 8, 8, 3))

    object.__setattr__(model, "ema_generator", Known())
    raw = measures.measured_generator(model, before_norm=False)
    codes = measures.measured_codes(model, 5, seed=0, before_norm=False)
    np.testing.assert_allclose(np.square(codes).mean(axis=1), 1)
    hessian = kd.metrics.hessian_matrix(raw, codes)
    np.testing.assert_allclose(hessian[..., 1, 1], 2, atol=1e-3)
    found = measures.activeness(model, num_codes=4, before_norm=False)
    # The squares of -2, 0, 2 have the variance 16/3.
    np.testing.assert_allclose(found, [0, 16 / 3, 0], rtol=1e-5, atol=1e-9)


@pytest.mark.one_backend
def test_the_perfect_generator():
    generate = measures.perfect_generator(recipes.PRESETS["tiny"], positions=5)
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


def test_bundled_features_read_clevr():
    """The network in which the card's distances are measured knows what it looks at."""
    network = load_model(features.BUNDLED)
    data = kd.datasets.Clevr("simple", image_size=32, zoom=2.0)
    index = np.random.default_rng(1).choice(len(data), 200, replace=False)
    found = network.predict(data.images(index) / np.float32(255), verbose=0)
    wanted = features._answers(data, index)
    for name in ("color", "shape"):
        assert np.mean(found[name].argmax(axis=1) == wanted[name]) >= 0.99
    unexplained = np.square(found["place"] - wanted["place"]).mean(0) / wanted["place"].var(0)
    assert (1 - unexplained > 0.98).all()


def test_ready_made_models():
    model = ProgressiveGAN(preset="small", hessian_penalty={"num_directions": 3}, seed=4)
    assert model.image_shape == (32, 32, 3) and model.latent_dim == 12 and model.seed == 4
    assert model.ramps["hessian_weight"].holds(0.0, 0)
    info = ProgressiveGAN(preset="tiny", latent_dim=5, informative=2)
    assert info.information_weight == {"informative": 1.0}
    assert [code.dim for code in info.space.codes] == [2, 3]
    whole = ProgressiveGAN(preset="tiny", informative=3)
    assert [code.dim for code in whole.space.codes] == [3]


@pytest.mark.one_backend
def test_weights_are_bundled(trained, tmp_path, command, monkeypatch):
    monkeypatch.setattr(release, "ROOT", tmp_path)
    scores = {"activeness": [2.0, 1.0], "diagonal_ratio": 3.0}
    monkeypatch.setattr(measures, "scores", lambda *_: scores)
    path = trained / "model.keras"
    assert command("ship", "progressive_gan", "toy", path) == 0
    manifest = json.loads((tmp_path / "progressive_gan" / "weights" / "manifest.json").read_text())
    assert manifest["weights"]["toy"]["scores"] == scores
    before = APPLICATION.load(path)
    for settings in ({}, {"hessian_penalty": {}}):
        model = ProgressiveGAN(weights="toy", seed=3, **settings)
        for part in ("generator", "discriminator", "ema_generator"):
            pairs = zip(getattr(before, part).weights, getattr(model, part).weights, strict=True)
            for a, b in pairs:
                a, b = ops.convert_to_numpy(a), ops.convert_to_numpy(b)
                np.testing.assert_array_equal(a.astype("float16"), b)
        assert ("hessian_weight" in model.ramps) == bool(settings)
        assert read(model.step) == 8 and model.stage == 1
        fresh = ProgressiveGAN(preset="tiny", seed=3)
        assert read(model.seed_generator.state[0]) == read(fresh.seed_generator.state[0])
    with pytest.raises(ValueError, match="`latent_dim` must be 3.*latent_dim=4"):
        ProgressiveGAN(weights="toy", latent_dim=4)


@pytest.mark.one_backend
def test_a_release_keeps_the_penalty_and_its_weight():
    recipe = replace(GROWING["hessian"], informative=2)
    model = APPLICATION.build(recipe, "progressive_gan")
    model.ramps["hessian_weight"].set(0.25, 0.25, 0, 0)
    settings, saved = APPLICATION.release(model, recipe)
    assert settings == {
        "preset": "tiny",
        "latent_dim": 3,
        "informative": 2,
        "hessian_penalty": {},
        "hessian_weight": 0.25,
    }
    assert "hessian_weight" not in saved.ramps and networks_equal(model, saved)


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
        ProgressiveGAN(**arguments)


@pytest.mark.one_backend
def test_bad_recipes(trained, tmp_path):
    start = str(trained / "model.keras")
    ProgressiveGAN(preset="tiny").save(tmp_path / "young.keras")
    young = load_model(tmp_path / "young.keras")
    young.set_stage(0)
    young.save(tmp_path / "young.keras")
    networks = replace(recipes.PRESETS["tiny"], resolution=8).networks()
    kd.models.ProgressiveGAN(**networks, ema_half_life=None).save(tmp_path / "bare.keras")
    for name, changes, message in (
        ("finetune", {}, "start.*start=None"),
        ("scratch", {"start": start}, "`start` must be.*left out for others"),
        ("scratch", {"images": 20}, "images.*multiple of 8.*20"),
        ("scratch", {"data": "nowhere"}, "nowhere"),
        ("scratch", {"hessian_weight": -1.0}, "`hessian_weight`.*-1"),
        ("scratch", {"jacobian_weight": -1.0}, "`jacobian_weight`.*-1"),
        ("scratch", {"jacobian_every": 0}, "`jacobian_every`.*0"),
        ("scratch", {"generator_learning_rate": 0.0}, "`generator_learning_rate`.*> 0.*0"),
        ("scratch", {"images": 16}, "images.*at least 24.*16"),
        ("scratch", {"preset": "none"}, "preset.*'paper'.*none"),
        ("scratch", {"scores_every": 0}, "scores_every.*0"),
        ("scratch", {"images_per_fade": -8}, "`images_per_fade` must be an integer >= 0.*-8"),
        ("scratch", {"latent_dim": 0}, "`latent_dim`.*0"),
        ("scratch", {"ramp_images": 8}, "ramp_images.*neither `hessian_weight`.*8"),
        ("longer", {"start": start, "images_per_fade": 8}, "images_per_fade.*nothing grows"),
        ("longer", {"start": start, "informative": 1}, "networks like those"),
        ("longer", {"start": start, "latent_dim": 4}, "`start` must .* 4 latent comp.*, with 3"),
        ("longer", {"start": "cars"}, "`start` must be a trained model. Received: start=cars"),
        ("longer", {"start": str(tmp_path / "young.keras")}, "in its last stage.*stage 0 of 0 to"),
        ("longer", {"start": str(tmp_path / "bare.keras")}, "`start`.*a running mean of a"),
    ):
        with pytest.raises(ValueError, match=message):
            APPLICATION.train(replace(GROWING[name], **changes), log_dir=tmp_path / "r", verbose=0)
    with pytest.raises(ValueError, match="another folder than that of `start`"):
        APPLICATION.train(replace(GROWING["longer"], start=start), log_dir=trained, verbose=0)
    assert (trained / "model.keras").is_file() and not (tmp_path / "r").exists()
