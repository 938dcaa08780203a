"""What holds for every callback that only looks on: tried at the start, harmless in the end."""

import copy
import os
import pickle
import random
import types
import warnings

import keras
import numpy as np
import pytest
from factor_images import factor_images
from keras import ops
from model_table import MODELS
from tiny_networks import IMAGES, dense
from tiny_training import fit

import keras_disentangle as kd
from keras_disentangle.callbacks import (
    DirectionTraversal,
    FactorMetrics,
    InformationFlow,
    LatentTraversal,
    ProgressiveFadeIn,
    ProgressiveGrowth,
    RampWeight,
    TensorBoardScalars,
)

DATA = factor_images()
PIXELS = (255 * IMAGES).astype("uint8")
LARGE = np.zeros((2, 16, 16, 1), "float32")


def begin(callback, model):
    callback.set_model(model)
    callback.on_train_begin()


def channels_first(name):
    model = MODELS[name].build()
    decode = model.decode
    model.decode = lambda *args, **labels: ops.transpose(decode(*args, **labels), (0, 3, 1, 2))
    return model


@pytest.mark.parametrize(
    "make, model, message",
    [
        (
            lambda folder: FactorMetrics(kd.datasets.DSprites(16), every=50),
            "vae_bernoulli",
            r"Received: x.shape=\(\d+, 16, 16, 1\)",
        ),
        (lambda folder: FactorMetrics(DATA, every=50), "info_gan", "must encode images as codes"),
        (
            lambda folder: FactorMetrics(DATA, options={"mig": {"num_binz": 3}}),
            "vae_bernoulli",
            "`FactorMetrics` cannot work with this model and data.* TypeError: .*num_binz",
        ),
        (
            lambda folder: FactorMetrics(DATA, options={"mig": {"num_bins": 0}}),
            "vae_bernoulli",
            "`num_bins` must be",
        ),
        (
            lambda folder: LatentTraversal(folder, images=LARGE),
            "vae_bernoulli",
            r"\(2, 16, 16",
        ),
        (lambda folder: InformationFlow(folder, PIXELS), "info_gan", r"lacks \['rung_sizes'\]"),
        (
            lambda folder: InformationFlow(folder, np.zeros((2, 16, 16, 1), "uint8")),
            "progressive_ladder_vae",
            r"\(1, 16, 16, 1\)",
        ),
        (
            lambda folder: LatentTraversal(folder),
            "vae_bernoulli, channels first",
            r"`model.decode\(z\)` must be images .* \(channels must come last\)",
        ),
        (lambda folder: LatentTraversal(folder), "info_gan, channels first", "must come last"),
    ],
)
def test_what_cannot_work_is_refused_when_training_begins(tmp_path, make, model, message):
    name, _, is_other = model.partition(", ")
    model = channels_first(name) if is_other else MODELS[name].build()
    with pytest.raises(ValueError, match=message):
        begin(make(tmp_path), model)
    assert os.listdir(tmp_path) == []


def test_directions_that_are_decoded_otherwise_are_refused(tmp_path):
    def decode(z):
        return ops.zeros((len(z), 3, 8, 8))

    directions = types.SimpleNamespace(matrix=lambda: ops.eye(2))
    model = types.SimpleNamespace(decode=decode, directions=directions)
    with pytest.raises(ValueError, match="must come last"):
        begin(DirectionTraversal(tmp_path, latents=[0.0, 1.0]), model)
    model.decode = lambda z, labels: decode(z)
    with pytest.raises(ValueError, match="`DirectionTraversal` cannot .* TypeError: .*labels"):
        begin(DirectionTraversal(tmp_path, latents=[0.0, 1.0]), model)


@pytest.mark.parametrize("options", [{"nmu_samples": 10}, {"metric": "mig"}])
def test_a_misspelt_option_is_refused_at_once(options):
    with pytest.raises(ValueError, match=f"`options` must be arguments of `eval.*{[*options][0]}"):
        FactorMetrics(DATA, **options)


class Drawing(keras.Model):
    """Draws random numbers wherever it can, and counts, while it encodes and decodes."""

    latent_dim, rung_sizes = 2, (2,)

    def __init__(self):
        super().__init__()
        self.random = keras.random.SeedGenerator(3)
        self.calls = self.add_weight(shape=(), trainable=False, initializer="zeros")

    def decode(self, z):
        self.calls.assign_add(1.0)
        noise = keras.random.uniform((len(z), 8, 8, 1), seed=self.random)
        return noise * random.random() * np.random.random()

    def encode(self, x):
        self.decode(x)
        return ops.zeros((len(x), 2)), ops.zeros((len(x), 2))


@pytest.mark.parametrize("kind", ["latents", "metrics"])
def test_a_trial_moves_nothing(tmp_path, kind):
    model = Drawing()
    callback = LatentTraversal(tmp_path, images=IMAGES[:2])
    if kind == "metrics":
        callback = FactorMetrics(DATA, metrics=["mig"], num_samples=20)

    def state():
        variables = [ops.convert_to_numpy(variable).tolist() for variable in model.variables]
        return variables, random.getstate(), np.random.get_state()[1].tolist()

    before = state()
    begin(callback, model)
    assert state() == before
    model.decode(ops.zeros((1, 2)))
    assert state() != before


def obstructed(folder, *names):
    """A folder where others of these names cannot be made: there are files."""
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return folder


def test_training_outlives_a_disk_that_takes_nothing(tmp_path):
    folder = tmp_path / "logs"
    callbacks = [
        LatentTraversal(folder, images=IMAGES[:2], steps=2, num_samples=2),
        TensorBoardScalars(folder, every=1),
        InformationFlow(folder, PIXELS, num_samples=20),
    ]
    obstructed(folder, "pictures", "train", "validation")
    model = MODELS["progressive_ladder_vae"].build()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, epochs=3, callbacks=callbacks)
    assert int(model.step) == 3
    told = [str(w.message) for w in caught if "could not write" in str(w.message)]
    # Once each, however often.
    assert sorted(text.split("`")[1] for text in told) == [
        "InformationFlow",
        "LatentTraversal",
        "TensorBoardScalars",
    ]
    assert all("training continues without it" in text for text in told)
    assert sorted(os.listdir(folder)) == ["pictures", "train", "validation"]


def callbacks_of_ours(folder):
    return [
        DirectionTraversal(folder, latents=[0.0, 1.0]),
        kd.callbacks.ExperimentTracker(print, folder),
        FactorMetrics(DATA),
        InformationFlow(folder, PIXELS),
        LatentTraversal(folder, images=IMAGES[:2]),
        ProgressiveFadeIn(2),
        ProgressiveGrowth(),
        RampWeight("beta", 2.0, 10),
        TensorBoardScalars(folder),
        kd.callbacks.ExactBackup(folder),
    ]


@pytest.mark.parametrize("index", range(len(kd.callbacks.__all__)))
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_callbacks_can_be_copied(tmp_path, index, copied):
    callback = callbacks_of_ours(tmp_path)[index]
    other = copied(callback)
    assert type(other) is type(callback) and other is not callback
    for name, value in vars(callback).items():
        if isinstance(value, (int, float, str, tuple, np.ndarray)):
            np.testing.assert_array_equal(getattr(other, name), value)


def test_a_copied_callback_writes_files_of_its_own(tmp_path):
    callback = TensorBoardScalars(tmp_path)
    callback.set_model(types.SimpleNamespace())
    for one in (callback, copy.deepcopy(callback)):
        one.on_epoch_end(0, {"loss": 1.0})
        one.on_train_end()
    assert len(os.listdir(tmp_path / "train")) == 2


@pytest.mark.parametrize(
    "thing",
    [
        kd.schedules.Ramp(0.5, 1.0, 3, 4),
        kd.latents.LatentSpace([kd.latents.Normal(2), kd.latents.Categorical(3)]),
        kd.losses.HessianPenaltyLoss(dense((2,), 3)),
    ],
    ids=lambda thing: type(thing).__name__,
)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_what_callbacks_are_given_can_be_copied(thing, copied):
    other = copied(thing)
    assert type(other) is type(thing)
    for a, b in zip(getattr(thing, "variables", ()), getattr(other, "variables", ()), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))


# What models give goes into pictures


@pytest.mark.parametrize("name", ["vae_gaussian", "vae_bernoulli", "info_gan"])
def test_pictures_of_what_models_give(name):
    model = MODELS[name].build()
    picture = kd.visualization
    draw = kd.visualization.image_grid
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an untrained Gaussian decoder leaves [0, 1]
        assert draw(model.sample(4), 2, height=1).shape == (2 * 9 + 1, 2 * 9 + 1, 1)
        dim = model.space.dim if name == "info_gan" else model.latent_dim
        latent = ops.zeros((dim,))
        assert picture.latent_traversal(model.decode, latent).dtype == np.uint8
        assert picture.latent_grid(model.decode, latent, (0, 1)).dtype == np.uint8
        assert len(picture.traversal_frames(model.decode, latent, steps=3)) == 4
        assert picture.rung_samples(model.decode, latent).dtype == np.uint8
        moved = picture.direction_traversal(model.decode, latent, ops.eye(dim), orthogonal=True)
        assert moved.dtype == np.uint8
        if name == "info_gan":
            code = model.space.informative[0].name
            assert picture.code_traversal(model.decode, model.space, code).dtype == np.uint8
        else:
            again = model.reconstruct(IMAGES[:2])
            assert picture.reconstruction_grid(IMAGES[:2], again).dtype == np.uint8
