import contextlib
import random
import re

import keras
import numpy as np
import pytest
from backup_runs import (
    BACKEND,
    Interrupt,
    Interrupted,
    Pairs,
    batches,
    files,
    ramp_and_rate,
    regression,
    train,
    vae,
)
from keras import layers
from tiny_networks import IMAGES, flat_networks, network

from keras_disentangle.callbacks import ExactBackup, RampWeight
from keras_disentangle.callbacks._backup_folder import BackupFolder
from keras_disentangle.callbacks._backup_settings import check_settings, settings
from keras_disentangle.datasets import image_batches
from keras_disentangle.models import VAE


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            {"build": lambda: regression(units=6)},
            r"Received: model.layers\[2\].config.units = 6 \(in the backup: 5\)",
        ),
        (
            {"build": lambda: regression(optimizer=keras.optimizers.AdamW(1e-2))},
            "The optimizer must be .*, Adam. Received: AdamW",
        ),
        (
            {"build": lambda: regression(optimizer=keras.optimizers.Adam(1.0, amsgrad=True))},
            r".*compile.optimizer.config.amsgrad = True \(in the backup: False\)",
        ),
        ({"epochs": 0}, "`epochs` must be at least 1, .* Received: epochs=0"),
        (
            {"data": lambda: Pairs(length=3)},
            "The number of batches in an epoch must be .*, 4. Received: 3",
        ),
    ],
)
def test_another_run_is_refused(settings, message, tmp_path):
    assert train(tmp_path, (1, 3)) is None
    before, seen = files(tmp_path), []

    def build():
        model = settings.get("build", regression)()
        seen.append((model, model.get_weights()))
        return model

    with pytest.raises(ValueError, match=message):
        train(tmp_path, **{**settings, "build": build})
    model, weights = seen[0]
    for a, b in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert files(tmp_path) == before


@pytest.mark.parametrize("key, message", [("backend", "backend .* numpy"), ("format", "version")])
def test_a_foreign_backup_is_refused(key, message, copied):
    folder = BackupFolder(copied)
    state, arrays = folder.read()
    folder.write({**state, key: "numpy"}, arrays)
    with pytest.raises(ValueError, match=f"{message}.* Received: "):
        train(copied)


def test_initial_epoch_of_another_run(tmp_path):
    assert train(tmp_path, (0, 3)) is None
    with pytest.raises(
        ValueError, match="`initial_epoch` must be left out or 0, .* Received: initial_epoch=1"
    ):
        train(tmp_path, initial_epoch=1)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the others build the model when `fit` begins")
def test_a_model_that_is_not_built(tmp_path):
    def build():
        model = keras.Sequential([layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    run = {"build": build, "save_freq": "epoch", "fresh": True}
    assert train(tmp_path, (1, 2), **run) is None
    with pytest.raises(ValueError, match=r"kernel .* Received: .* \(a model that is not built"):
        train(tmp_path, **run)


def model_of(activation="tanh", rate=1e-2, loss="mse"):
    model = network(
        IMAGES.shape[1:], layers.Flatten(), layers.Dense(5, activation), layers.Dense(1)
    )
    model.compile(keras.optimizers.Adam(rate), loss=loss)
    return model


class Scale(keras.callbacks.Callback):
    """Something that acts on a training."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor


class Comment(keras.callbacks.Callback):
    only_looks_on = True

    def __init__(self, text):
        super().__init__()
        self.text = text


def described(model=None, data=None, callbacks=()):
    return settings(model or model_of(), Pairs() if data is None else data, callbacks)


def changed(*before, **after):
    """The message of the error by which a changed run is refused, None if it is not."""
    [before] = before
    try:
        check_settings(described(**after), described(**before), "backup-000001", moved=False)
    except ValueError as error:
        return str(error).partition("Received: ")[2]


def ours(beta=1.0, observation="bernoulli"):
    model = VAE(**flat_networks(3), beta=beta, observation=observation, seed=1)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


def stopping(**settings):
    return [keras.callbacks.EarlyStopping(monitor="loss", **settings)]


def ramped(model, *numbers):
    model.ramps["beta"].set(*numbers)
    return model


@pytest.mark.parametrize(
    "before, after, message",
    [
        (
            {"model": model_of()},
            {"model": model_of("relu")},
            r"model.layers\[1\].config.activation = 'relu' \(in the backup: 'tanh'\)$",
        ),
        (
            {"model": model_of()},
            {"model": model_of(rate=1e-3)},
            r"compile.optimizer.config.learning_rate = 0.001.* \(in the backup: 0.01",
        ),
        ({"model": model_of()}, {"model": model_of(loss="mae")}, "compile.loss = 'mae'"),
        (
            {"model": ours()},
            {"model": ours(beta=2.0)},
            r"^model.beta = 2.0 \(in the backup: 1.0\)$",
        ),
        (
            {"model": ramped(ours(), 1.0, 4.0, 0, 9)},
            {"model": ramped(ours(), 1.0, 5.0, 0, 9)},
            r"^ramps\['beta'\] = 1 to 5 in 9 steps from step 0 \(in the backup: 1 to 4 in .*\)$",
        ),
        (
            {"data": image_batches(IMAGES, 4, seed=0)},
            {"data": image_batches(IMAGES, 4, seed=1)},
            r"^data.seed = 1 \(in the backup: 0\), data.first batch",
        ),
        (
            {"data": image_batches(IMAGES, 4, seed=0, steps_per_epoch=2)},
            {"data": image_batches(IMAGES, 5, seed=0, steps_per_epoch=2)},
            r"^data.batch_size = 5 \(in the backup: 4\)",
        ),
        (
            {"data": image_batches(IMAGES, 4, seed=0)},
            {"data": image_batches(IMAGES / 2, 4, seed=0)},
            r"^data.first batch\[0\] = ",
        ),
        ({"data": IMAGES}, {"data": IMAGES[:9]}, r"^data\[0\] = .*\(9, 8, 8, 1\) float32 "),
        ({"data": IMAGES}, {"data": 1 - IMAGES}, r"^data\[0\] = "),
        (
            {"callbacks": stopping(patience=3)},
            {"callbacks": stopping(patience=5)},
            r"^callbacks\[0\] EarlyStopping.patience = 5 \(in the backup: 3\)$",
        ),
        (
            {"callbacks": [Scale(1.0)]},
            {"callbacks": [Scale(2.0)]},
            r"^callbacks\[0\] Scale.factor = 2.0 \(in the backup: 1.0\)$",
        ),
        (
            {"callbacks": [RampWeight("beta", 4.0, 9)]},
            {"callbacks": [Scale(1.0), RampWeight("beta", 4.0, 9)]},
            r"^callbacks = Scale, RampWeight \(in the backup: RampWeight\)$",
        ),
    ],
)
def test_what_was_changed_is_told(before, after, message):
    assert re.search(message, changed(before, **after))


@pytest.mark.parametrize(
    "before, after",
    [
        # Names are counted on, and a model that has been trained has other learning rates.
        ({"model": model_of()}, {"model": model_of()}),
        ({"model": ours()}, {"model": ours()}),
        ({"model": ramped(ours(), 0, 4, 2, 9)}, {"model": ramped(ours(), 0.0, 4.0, 2, 9)}),
        ({"data": image_batches(IMAGES, 4, seed=0)}, {"data": image_batches(IMAGES, 4, seed=0)}),
        ({"callbacks": [Comment("one")]}, {"callbacks": [keras.callbacks.TerminateOnNaN()]}),
        (
            {"callbacks": [keras.callbacks.ModelCheckpoint("a.keras", verbose=0)]},
            {"callbacks": [keras.callbacks.ModelCheckpoint("b.keras", verbose=1)]},
        ),
    ],
)
def test_what_does_not_matter_may_change(before, after):
    assert changed(before, **after) is None


def test_looking_at_the_data_leaves_them_as_they_are():
    class Drawn(Pairs):
        epoch = 3

        def __init__(self):
            super().__init__()
            self.seen = []

        def __getitem__(self, i):
            self.seen.append(i)
            x, y = super().__getitem__(i)
            return x + np.random.random() + random.random(), y

    data, batches, model = Drawn(), image_batches(IMAGES, 4, seed=0), model_of()
    states = random.getstate(), np.random.get_state()[1].tolist()
    described(model, data)
    described(model, batches)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states
    assert (data.seen, data.epoch, batches.epoch) == ([], 3, 0)
    assert not batches._drawn


def test_the_kinds_of_a_data_set_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices(IMAGES)
    assert changed({"data": data.batch(4)}, data=data.batch(4)) is None
    assert "Batch" in changed({"data": data.batch(4)}, data=data.batch(5))


def test_a_model_without_a_configuration():
    class Own(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = layers.Dense(units)

        def call(self, x):
            return self.dense(x)

    def build(units):
        model = Own(units)
        model.compile("sgd", lambda y, z: keras.ops.mean(z))
        return model

    assert changed({"model": build(1)}, model=build(1)) is None


def test_the_learning_rate_of_a_run_that_goes_on_in_the_same_process(tmp_path):
    # It has moved since the model was compiled.
    data, model = batches(), vae()
    for interrupt in ([Interrupt(1, 3)], []):
        callbacks = [*ramp_and_rate(), ExactBackup(tmp_path, 3), *interrupt]
        with pytest.raises(Interrupted) if interrupt else contextlib.nullcontext():
            model.fit(data, epochs=2, verbose=0, callbacks=callbacks)
