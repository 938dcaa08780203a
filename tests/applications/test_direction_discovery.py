"""Directions for the generators that ship: commands, files, and what is refused."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from tiny_networks import network

import keras_disentangle as kd
from keras_disentangle.applications import _weights
from keras_disentangle.applications.direction_discovery import (
    _trained,
    compare,
    direction_discovery,
    evaluate,
    networks,
    ship,
    train,
    traverse,
)
from keras_disentangle.applications.direction_discovery.presets import PRESETS
from keras_disentangle.latents import LatentSpace, Normal

PICTURES = {"directions.png", "aligned.png", "not_aligned.png", "directions.gif"}
SHORT = {"steps": 4, "steps_per_epoch": 2, "batch_size": 2}


@pytest.fixture(scope="module")
def small_generator():
    """A function that puts a generator of a few pixels in the place of those that ship."""
    generator = network((12,), keras.layers.Dense(192, "tanh"), keras.layers.Reshape((8, 8, 3)))
    generator.trainable = False
    found = generator, LatentSpace([Normal(12)]), (8, 8, 3), (-1.0, 1.0)
    return lambda patch: patch.setattr(direction_discovery, "_generator", lambda *_: found)


@pytest.fixture(scope="module")
def run(tmp_path_factory, small_generator):
    """The folder of a short training, and what it returned."""
    log_dir = tmp_path_factory.mktemp("runs") / "hessian"
    with pytest.MonkeyPatch.context() as patch:
        small_generator(patch)
        return log_dir, *train.train("clevr_1fov", log_dir=log_dir, verbose=0, **SHORT)


@pytest.fixture
def quick(monkeypatch):
    """Few codes, for scores that are measured on many."""
    monkeypatch.setattr(_trained, "RANDOM_SEEDS", (1000,))
    monkeypatch.setattr(
        _trained, "scores", lambda model, directions, *_: {name: 0.5 for name in _trained.SCORES}
    )
    monkeypatch.setattr(_trained, "position_explained", lambda model, directions: 0.25)


def test_a_training(run):
    log_dir, model, results = run
    assert results["steps"] == int(model.step) == 4
    assert np.isfinite(results["history"]["hessian_penalty"]).all()
    assert json.loads((log_dir / "results.json").read_text())["preset"] == "clevr_1fov"
    written = {path.name for path in (log_dir / "pictures").iterdir()}
    assert PICTURES | {"hessian_penalty.png", "epoch_0002_directions.png"} <= written
    assert list((log_dir / "train").glob("events*"))
    loaded = _trained.load(log_dir / "model.keras")
    np.testing.assert_array_equal(_trained.matrix(loaded), _trained.matrix(model))
    assert not loaded.generator.trainable_variables
    assert loaded.image_range == (-1.0, 1.0)


def test_the_start_is_random_and_has_the_seed():
    models = [kd.applications.DirectionDiscovery(seed=seed) for seed in (1, 1, 2)]
    first, again, other = map(_trained.matrix, models)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    np.testing.assert_allclose(first @ first.T, np.eye(12), atol=1e-5)


def test_only_the_noise_of_an_info_gan_is_moved():
    matrix = _trained.matrix(kd.applications.DirectionDiscovery(preset="mnist"))
    assert matrix.shape == (62, 74) and not matrix[:, 62:].any()


@pytest.mark.one_backend
def test_the_baseline_trains(tmp_path):
    model, results = train.train("clevr_1fov", "shift_prediction", tmp_path, verbose=0, **SHORT)
    assert isinstance(model, kd.models.ShiftPrediction)
    assert {"direction_loss", "step_loss", "direction_accuracy"} <= set(results["history"])
    assert (tmp_path / "pictures" / "direction_loss.png").exists()


def test_the_reconstructor():
    network = networks.reconstructor((28, 28, 1), 5)
    logits, step = network(np.zeros((3, 28, 28, 2), "float32"))
    assert tuple(logits.shape) == (3, 5) and tuple(step.shape) == (3, 1)


def test_scores():
    """Of a generator whose Hessian is known: three squares along rotated axes."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0].astype("float32")
    z = keras.Input((3,))
    turned = keras.layers.Dense(3, use_bias=False, name="turn")(z)
    squares = keras.layers.Lambda(lambda x: x**2)(turned)
    generator = keras.Model(z, keras.layers.Reshape((1, 1, 3))(squares))
    generator.get_layer("turn").set_weights([rotation.T * np.float32([1, 2, 3])])
    generator.trainable = False
    model = kd.models.DirectionDiscovery(generator, seed=0)
    found = _trained.scores(model, rotation, num_codes=4)
    assert found["max_on_diagonal"] == 1 and found["pooled_ratio"] > 100
    assert abs(found["penalty"]) < 1e-3
    # Along its own direction, a square has the values 16, 0 and 16 times the factor's square.
    assert found["top_activeness"] == pytest.approx(81 / (1 + 16 + 81), rel=0.1)
    axes = _trained.scores(model, _trained.other_directions(model, "axes"), num_codes=4)
    assert axes["penalty"] > 1 and axes["pooled_ratio"] < found["pooled_ratio"]


@pytest.mark.one_backend
def test_the_column_of_what_is_red():
    images = np.full((2, 4, 8, 3), 0.5, "float32")
    images[0, 1:3, 2] = [0.9, 0.1, 0.1]
    images[1, 1:3, 4:6] = [0.9, 0.1, 0.1]
    np.testing.assert_allclose(_trained.red_column(images), [2, 4.5], atol=1e-5)


@pytest.mark.one_backend
def test_the_commands(run, tmp_path, capsys, quick):
    log_dir, *_ = run
    chosen = ["--weights", str(log_dir / "model.keras")]
    evaluate.main([*chosen, "--position", "--json", str(tmp_path / "scores.json")])
    printed = capsys.readouterr().out
    assert "learnt" in printed and "random_deviation" in printed and "position" in printed
    found = json.loads((tmp_path / "scores.json").read_text())
    assert found["learnt"]["position"] == 0.25 and found["random"]["penalty"] == 0.5

    traverse.main([*chosen, "--directions", "2", "--latents", "2", "--out", str(tmp_path / "out")])
    assert {path.name for path in (tmp_path / "out").iterdir()} == PICTURES

    compare.main([str(log_dir), "--out", str(tmp_path / "compared")])
    assert "hessian" in capsys.readouterr().out
    assert (tmp_path / "compared" / "scores.json").exists()

    train.main(["--log-dir", str(tmp_path / "run"), "--steps", "1", "--steps-per-epoch", "1"])
    assert "hessian_penalty" in capsys.readouterr().out
    assert (tmp_path / "run" / "scores.json").exists()


@pytest.mark.one_backend
def test_shipping(run, tmp_path, monkeypatch, quick):
    _, model, _ = run
    for module in (ship, direction_discovery):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    ship.main(["tiny", str(run[0] / "model.keras"), "--preset", "clevr_1fov"])
    shipped = kd.applications.DirectionDiscovery(weights="tiny")
    np.testing.assert_array_equal(_trained.matrix(shipped), _trained.matrix(model))
    manifest = json.loads((tmp_path / "weights" / _weights.MANIFEST).read_text())
    assert manifest["weights"]["tiny"]["scores"]["learnt"]["penalty"] == 0.5
    with pytest.raises(ValueError, match="`preset` must be 'clevr_1fov' .* Received: .*'mnist'"):
        kd.applications.DirectionDiscovery("tiny", preset="mnist")


def test_a_trained_model_takes_weights_from_a_file(run, monkeypatch, small_generator):
    log_dir, model, _ = run
    small_generator(monkeypatch)
    loaded = kd.applications.DirectionDiscovery(log_dir / "model.keras", preset="clevr_1fov")
    np.testing.assert_array_equal(_trained.matrix(loaded), _trained.matrix(model))


@pytest.mark.parametrize("name", kd.applications.available_weights()["DirectionDiscovery"])
def test_shipped_directions(name):
    model = kd.applications.DirectionDiscovery(weights=name)
    matrix = _trained.matrix(model)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-5)
    images = ops.convert_to_numpy(model.sample(2, seed=0))
    assert len(images) == 2 and 0.2 < images.max() <= 1.1 and -0.1 <= images.min()


@pytest.mark.one_backend
def test_bad_arguments_are_named(run, tmp_path):
    build = kd.applications.DirectionDiscovery
    with pytest.raises(ValueError, match="`preset` must be one of .* Received: preset='cars'"):
        build(preset="cars")
    with pytest.raises(ValueError, match="`method` must be one of .* Received: method='pca'"):
        build(method="pca")
    with pytest.raises(ValueError, match="`weights` must be None, .* Received: weights='cars'"):
        build(weights="cars")
    with pytest.raises(ValueError, match="`generator_weights` must be a file .*BigGAN"):
        build(preset="biggan_churches")
    with pytest.raises(ValueError, match="`generator_weights` must be None .*Received: .*'other'"):
        build(weights="clevr_1fov", generator_weights="other")
    for settings, message in (
        ({"steps": 3}, "`steps` must be a positive multiple of 400.* steps=3"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be .* Received: steps_per_epoch=0"),
        ({"batch_size": 0}, "`batch_size` must be .* Received: batch_size=0"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive"),
        ({"learning_rate": -1.0}, "`learning_rate` must be .* Received: learning_rate=-1.0"),
        ({"path_size": 9.0}, r"`settings` must be some of .* Received: \['path_size'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            train.train("clevr_1fov", log_dir=tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="`weights` must be those of a model with directions"):
        _trained.load(_vae(tmp_path))
    with pytest.raises(ValueError, match="`runs` must be folders of finished trainings"):
        compare.main([str(tmp_path)])
    with pytest.raises(ValueError, match="`runs` must have different names"):
        compare.main([str(tmp_path / "axes")])
    other = tmp_path / "other"
    other.mkdir()
    results = json.loads((run[0] / "results.json").read_text())
    results["generator_weights"] = "clevr_1fov_finetuned"
    (other / "results.json").write_text(json.dumps(results))
    with pytest.raises(ValueError, match="`runs` must all be trainings on one generator"):
        compare.main([str(run[0]), str(other)])


@pytest.mark.one_backend
def test_the_presets_follow_the_paper():
    for name, label in (("biggan_golden_retrievers", 207), ("biggan_churches", 497)):
        preset = PRESETS[name]
        assert (preset.labels, preset.path_size, preset.learning_rate) == (label, 5.0, 0.01)
        assert (preset.steps, preset.batch_size, preset.block) == (50_000, 96, None)


def _vae(folder):
    encoder = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    decoder = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(4), keras.layers.Reshape((2, 2, 1))]
    )
    path = folder / "vae.keras"
    kd.models.VAE(encoder, decoder).save(path)
    return path
