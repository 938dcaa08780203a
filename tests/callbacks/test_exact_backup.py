import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import keras
import ml_dtypes
import numpy as np
import pytest
from keras import layers
from tiny_models import (
    DIRECTIONS,
    IMAGES,
    MODELS,
    adams,
    dense_ladder,
    flat_networks,
    network,
    numbers,
)

from keras_disentangle.callbacks import (
    ExactBackup,
    ProgressiveFadeIn,
    RampWeight,
    TensorBoardScalars,
)
from keras_disentangle.callbacks._backup_folder import BackupFolder
from keras_disentangle.datasets import image_batches
from keras_disentangle.models import VAE, ProgressiveLadderVAE

BACKEND = keras.backend.backend()
EPOCHS = 3  # of four batches each


class Interrupted(Exception):
    pass


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch, batch):
        super().__init__()
        self.place = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            raise Interrupted


class Seed(keras.callbacks.Callback):
    """Comes after a batch that `fit` may draw to build the model, in an order of its own."""

    def on_train_begin(self, logs=None):
        keras.utils.set_random_seed(0)


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


def vae(**compile_with):
    model = VAE(**flat_networks(3), seed=1)
    model.compile(keras.optimizers.Adam(1e-2), **compile_with)
    return model


def regression(units=5, optimizer=None, **compile_with):
    """A plain Keras model with random numbers, moving averages and metrics of its own."""
    model = network(
        IMAGES.shape[1:],
        layers.Flatten(),
        layers.Dropout(0.3, seed=2),
        layers.Dense(units, "tanh"),
        layers.BatchNormalization(),
        layers.Dense(1),
    )
    compile_with = {"loss": "mse", "metrics": ["mae"], **compile_with}
    model.compile(optimizer or keras.optimizers.Adam(1e-2), **compile_with)
    return model


class Pairs(keras.utils.PyDataset):
    """Batches of images and their means, the same in each epoch; `fit` shuffles their order."""

    def __init__(self, length=4, **arguments):
        super().__init__(**arguments)
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        x = IMAGES[4 * i : 4 * i + 4]
        return x, x.mean((1, 2, 3))[:, None]


def ramp_and_rate():
    return [
        RampWeight("beta", 4.0, steps=9),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate),
    ]


def batches(batch_size=4):
    return image_batches(IMAGES, batch_size, seed=0)


_MADE = {}


def make(build):
    """The compiled model as it is at first; traced once only, for there are many runs here."""
    if build not in _MADE:
        keras.utils.set_random_seed(0)
        model = build()
        model.optimizer.build(model.trainable_variables)
        _MADE[build] = model, state(model)
    model, initial = _MADE[build]
    for variable, value in zip(variables(model), initial, strict=True):
        variable.assign(value)
    return model


def train(
    path=None,
    interrupt=None,
    build=regression,
    data=Pairs,
    before=(),
    after=(),
    save_freq=3,
    fresh=False,
    **fit,
):
    """One start of the script that is backed up: all its numbers, or `None` if interrupted."""
    keras.utils.set_random_seed(0)
    model, data = build() if fresh else make(build), data()
    backup = [] if path is None else [ExactBackup(path, save_freq, data=data)]
    interruption = [Interrupt(*interrupt)] if interrupt else []
    callbacks = [Seed(), *before, *backup, *after, *interruption]
    try:
        history = model.fit(data, **{"verbose": 0, "epochs": EPOCHS, **fit}, callbacks=callbacks)
    except Interrupted:
        return None
    return state(model), history.history, history.epoch


def variables(model):
    return [*model.variables, *model.optimizer.variables]


def state(model):
    return numbers(variables(model))


def assert_same(a, b):
    for x, y in zip(a[0], b[0], strict=True):
        np.testing.assert_array_equal(x, y, strict=True)
    assert a[1:] == b[1:]


def assert_goes_on(path, interruptions, whole=None, **settings):
    """However often it is interrupted, the run ends as one that is not."""
    for interruption in interruptions:
        assert train(path, interruption, **settings) is None
        # Another process has another state of these.
        random.seed(None)
        np.random.seed(None)
    result = train(path, **settings)
    assert_same(result, whole or train(**settings))
    return result


def files(path):
    return sorted(file.name for file in Path(path).iterdir())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder and the numbers of a run that has ended."""
    path = tmp_path_factory.mktemp("finished")
    return path, train(path)


@pytest.fixture
def copied(finished, tmp_path):
    """The folder of that run, to be changed at will."""
    for file in finished[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", MODELS)
def test_every_model_goes_on(name, tmp_path):
    def build():
        model = MODELS[name].build()
        model.compile(**adams(model))
        return model

    # Models that take no data are told the steps of an epoch instead.
    data = (lambda: 4) if name in DIRECTIONS else batches
    assert_goes_on(tmp_path, [(1, 2)], build=build, data=data, epochs=2)


@pytest.fixture(scope="module")
def undisturbed():
    return train(build=vae, data=batches, after=ramp_and_rate())


# At the end of an epoch and the start of the next, and in its midst.
@pytest.mark.parametrize("save_freq", ["epoch", 1, 6])
@pytest.mark.parametrize("place", ["before", "after"])
def test_wherever_it_stands_and_stops(save_freq, place, tmp_path, undisturbed):
    settings = {"build": vae, "data": batches, "save_freq": save_freq, place: ramp_and_rate()}
    assert_goes_on(tmp_path, [(0, 3), (1, 0), (2, 2)], undisturbed, **settings)


def ladder():
    model = ProgressiveLadderVAE(**dense_ladder(), seed=1)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_growing_model_goes_on(place, tmp_path):
    settings = {place: [ProgressiveFadeIn(epochs_per_stage=1, fade_steps=3)]}
    assert_goes_on(tmp_path, [(1, 0), (1, 3)], build=ladder, data=batches, **settings)


@pytest.mark.parametrize("save_freq", ["epoch", 3])
def test_a_plain_model_with_shuffled_batches(save_freq, tmp_path):
    # On TensorFlow, its metrics and its optimizer are built by the first step.
    settings = {"after": ramp_and_rate()[1:], "validation_data": Pairs()[0], "fresh": True}
    assert_goes_on(tmp_path, [(0, 3), (1, 3)], save_freq=save_freq, **settings)


def test_arrays_in_order(tmp_path):
    x = IMAGES.mean((1, 2, 3))[:, None]
    settings = {"y": x, "batch_size": 4, "shuffle": False}
    assert_goes_on(tmp_path, [(1, 3)], data=lambda: IMAGES, **settings)


def test_data_of_unknown_length(tmp_path):
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices(Pairs()[0]).repeat(4).batch(4)
    data = data.filter(lambda x, y: True)
    # After the last batch of an epoch, when it is not known yet to be the last.
    settings = {"data": lambda: data, "shuffle": False, "epochs": 2}
    with pytest.warns(UserWarning, match="ran out of data"):
        assert_goes_on(tmp_path / "run", [(0, 3), (1, 1)], save_freq=4, **settings)
        assert train(tmp_path / "short", (0, 3), **settings) is None
        settings["data"] = lambda: data.take(2)
        with pytest.raises(ValueError, match="`data` must be .* Received: data that ends before"):
            train(tmp_path / "short", **settings)


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs one step a call")
def test_several_steps_in_one_call(tmp_path):
    settings = {"data": lambda: batches(2), "build": lambda: vae(steps_per_execution=3)}
    assert_goes_on(tmp_path / "run", [(1, 5)], **settings)
    assert train(tmp_path / "other", (0, 8), save_freq=6, **settings) is None
    settings["build"] = lambda: vae(steps_per_execution=4)
    with pytest.raises(ValueError, match="lead to batch 6.* Received: steps_per_execution=4"):
        train(tmp_path / "other", **settings)


def test_half_precision(tmp_path):
    def build():
        # Here the weights themselves, not only what is computed with them.
        keras.config.set_dtype_policy("bfloat16")
        try:
            return regression()
        finally:
            keras.config.set_dtype_policy("float32")

    result = assert_goes_on(tmp_path, [(1, 2)], build=build)
    assert np.dtype(ml_dtypes.bfloat16) in {array.dtype for array in result[0]}


def test_a_finished_run_ends_at_once(finished, copied):
    before = files(copied)
    assert_same(train(copied, interrupt=(2, 0)), finished[1])
    assert files(copied) == before


def test_more_epochs_go_on(finished, copied):
    assert_same(train(copied, epochs=5), train(epochs=5))


def test_a_run_that_was_stopped_has_ended(tmp_path):
    whole = train(after=[Stop()])
    assert_same(train(tmp_path, after=[Stop()]), whole)
    assert_same(train(tmp_path, after=[Stop()]), whole)
    assert whole[2] == [0, 1]
    # More epochs, and it is as if it had not been stopped.
    assert_same(train(tmp_path, epochs=4), train(epochs=4))


def test_the_same_callback_and_model_go_on(tmp_path, undisturbed):
    keras.utils.set_random_seed(0)
    data, model = batches(), vae()
    backup = ExactBackup(tmp_path, save_freq=3)  # the model tells it the data

    def fit(*callbacks, **arguments):
        callbacks = [*ramp_and_rate(), *callbacks]
        return model.fit(data, verbose=0, callbacks=callbacks, **arguments).history

    for interruption in (Interrupt(1, 3), Interrupt(1, 1)):  # the second while batches are skipped
        with pytest.raises(Interrupted):
            fit(backup, interruption, epochs=EPOCHS)
    history = fit(backup, epochs=EPOCHS)
    assert_same((state(model), history), undisturbed[:2])
    # Without the callback, nothing of it is left in the model.
    step = int(model.step)
    assert len(fit(epochs=1)["loss"]) == 1
    assert int(model.step) == step + 4


def test_curves_of_batches_keep_their_steps(tmp_path):
    seen = []

    class Scalars(TensorBoardScalars):
        def _write(self, writer, prefix, logs, step):
            seen.extend((prefix, step) for name in logs if name == "loss")

    settings = {"build": vae, "data": batches, "epochs": 2}
    settings["after"] = [Scalars(tmp_path / "logs", every=1)]
    assert train(tmp_path / "run", (1, 3), **settings) is None
    seen.clear()
    train(tmp_path / "run", **settings)
    # The backup was made at step 6.
    assert sorted(step for prefix, step in seen if prefix == "batch_") == [6, 7, 8]


def test_training_never_waits_for_the_logs_of_a_batch():
    assert ExactBackup.on_train_batch_end is keras.callbacks.Callback.on_train_batch_end
    assert ExactBackup.on_batch_end is keras.callbacks.Callback.on_batch_end


def truncate(file):
    file.write_bytes(file.read_bytes()[:-1])


def empty(file):
    file.write_bytes(b"")


def flip(file):
    content = bytearray(file.read_bytes())
    content[-1000] ^= 4
    file.write_bytes(content)


def flip_in_the_header(file):
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"epoch": 3', b'"epoch": 1', 1))


@pytest.mark.parametrize("damage", [truncate, empty, flip, flip_in_the_header])
def test_a_damaged_backup(damage, finished, copied):
    before, newest = sorted(copied.iterdir())
    damage(newest)
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged: .* {before.name}"):
        assert train(copied, (2, 3)) is None
    # It is still there, and gives way to whole ones.
    assert newest.name in files(copied)
    with pytest.warns(UserWarning, match="is damaged"):
        assert_same(train(copied, save_freq="epoch"), finished[1])
    assert files(copied) == [before.name, "backup-000005"]
    assert_same(train(copied), finished[1])


def test_nothing_begins_anew_over_damaged_backups(copied):
    for file in copied.iterdir():
        flip(file)
    before = {file.name: file.read_bytes() for file in copied.iterdir()}
    message = "whole.* Received: .*backup-000004 and backup-000003 is damaged"
    with pytest.raises(ValueError, match=message):
        train(copied)
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == before


def test_what_else_is_in_the_folder(finished, copied):
    for name in ("backup-000009.71.tmp", "notes.txt", "backup-1"):
        (copied / name).write_text("")
    assert_same(train(copied, epochs=4), train(epochs=4))
    assert files(copied) == ["backup-000005", "backup-000006", "backup-1", "notes.txt"]


def test_no_half_file_is_left_where_writing_fails(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        train(tmp_path)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            {"build": lambda: regression(units=6)},
            r"variable 1 is .*/kernel \(64, 5\) float32. Received: .*/kernel \(64, 6\) float32",
        ),
        (
            {"build": lambda: regression(optimizer=keras.optimizers.AdamW(1e-2))},
            "The optimizer must be .*, Adam. Received: AdamW",
        ),
        (
            {"build": lambda: regression(optimizer=keras.optimizers.Adam(1.0, amsgrad=True))},
            r"variable \d+ is None. Received: .*kernel_velocity_hat",
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
    with pytest.raises(ValueError, match="`initial_epoch` must be .* Received: initial_epoch=1"):
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


class Poison(keras.callbacks.Callback):
    """Makes the model diverge at the start of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            kernel = self.model.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, np.nan))


@pytest.mark.parametrize("save_freq", ["epoch", 1])
def test_what_is_not_finite_is_not_saved(save_freq, tmp_path, finished):
    message = "logs must be finite. Received: non-finite loss, mae. This state was not saved; "
    with pytest.raises(ValueError, match=message + "there is no backup"):
        train(tmp_path, after=[Poison(0)], save_freq=save_freq)
    assert files(tmp_path) == []
    with pytest.raises(ValueError, match=f"{message}the newest backup is .*backup-00000"):
        train(tmp_path, after=[Poison(1)], save_freq=save_freq)
    assert_same(train(tmp_path), finished[1])


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    # Before they have reached the loss.
    with pytest.raises(ValueError, match="state must be finite. Received: non-finite .*kernel"):
        train(tmp_path, before=[Poison(1)], save_freq="epoch")
    assert files(tmp_path) == []


def test_a_model_may_say_itself_what_is_not_finite(tmp_path):
    class Diverging(VAE):
        def check_finite(self):
            if int(self.step) == 9:
                raise ValueError("The term kl became infinite at step 7.")

    def build():
        model = Diverging(**flat_networks(3), seed=1)
        model.compile(keras.optimizers.Adam(1e-2))
        return model

    message = "The term kl became infinite at step 7. This .* newest backup is .*backup-000002"
    with pytest.raises(ValueError, match=message):
        train(tmp_path, build=build, data=batches)
    assert files(tmp_path) == ["backup-000001", "backup-000002"]


def test_the_model_may_tell_the_data(tmp_path):
    backup = ExactBackup(tmp_path)
    with pytest.raises(ValueError, match="`data` must be given .* Received: data=None"):
        regression().fit(Pairs(), verbose=0, callbacks=[backup])
    with pytest.raises(ValueError, match="`data` must come in an order .*image_batches"):
        backup.set_data(IMAGES, shuffle=True)
    with pytest.raises(ValueError, match="`data` must come in an order"):
        backup.set_data({"a": [IMAGES, IMAGES]}, shuffle=True)
    backup.set_data(IMAGES, shuffle=False)
    backup.set_data(Pairs(), shuffle=True)
    regression().fit(Pairs(), verbose=0, callbacks=[backup])
    assert files(tmp_path) == ["backup-000001"]


def test_data_that_cannot_be_had_again():
    with pytest.raises(ValueError, match="`data` must be .* Received: a generator"):
        ExactBackup("backups", data=(x for x in IMAGES))
    for arguments in ({"workers": 2}, {"use_multiprocessing": True}):
        with pytest.raises(ValueError, match="`data` must be prepared by one worker.* Received"):
            ExactBackup("backups", data=Pairs(**arguments))
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(IMAGES, shuffle=True)
    with pytest.raises(ValueError, match="`data` must come in an order"):
        ExactBackup("backups", data=loader)
    ExactBackup("backups", data=torch.utils.data.DataLoader(IMAGES))


def test_epochs_that_do_not_begin_with_the_data(tmp_path):
    message = "`steps_per_epoch` must be left out.* Received: epochs of 3 batches, .* with 4"
    with pytest.raises(ValueError, match=message):
        train(tmp_path, steps_per_epoch=3)


@pytest.mark.parametrize("save_freq", ["batch", 0, 2.5, True, None])
def test_bad_frequencies(save_freq):
    message = '`save_freq` must be "epoch" or an integer >= 1. Received: save_freq='
    with pytest.raises(ValueError, match=message):
        ExactBackup("backups", save_freq)


def test_a_path_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for path in ("file", "file/folder"):
        with pytest.raises(ValueError, match="`path` must be a folder .* Received: path=.*file"):
            train(tmp_path / path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match=r"`path` must be .* \(no permission\)"):
        train(tmp_path)


def test_files_hold_every_kind_of_array(tmp_path):
    arrays = [
        np.arange(6, dtype="float32").reshape(2, 3),
        np.array([1.5, -2.0], ml_dtypes.bfloat16),
        np.array(7, "int32"),
        np.array([[1, 2**32 - 1]], "uint32"),
        np.array([True, False]),
        np.zeros((0, 3), "float16"),
    ]
    header = {"a": 0.1, "b": [float("inf"), np.float32(0.1)], "c": np.arange(2), "d": object()}
    BackupFolder(tmp_path).write(header, arrays)
    read, again = BackupFolder(tmp_path).read()
    assert read["a"] == 0.1 and read["b"] == [float("inf"), float(np.float32(0.1))]
    assert read["c"] == [0, 1] and "object" in read["d"]
    for a, b in zip(arrays, again, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, strict=True)


def start(folder, result):
    worker = Path(__file__).with_name("backup_worker.py")
    tests = str(worker.parents[1])
    return subprocess.Popen(
        [sys.executable, str(worker), str(folder), str(result)],
        env={**os.environ, "PYTHONPATH": tests, "KERAS_BACKEND": BACKEND},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_that_is_killed(tmp_path):
    undisturbed = start(tmp_path / "undisturbed", tmp_path / "expected.npz")
    for place in ("done 1 2", "done 3 1"):
        run = start(tmp_path / "run", tmp_path / "result.npz")
        for line in run.stdout:
            if line.strip() == place:
                break
        run.send_signal(signal.SIGKILL)
        errors = run.communicate()[1]
        assert run.returncode == -signal.SIGKILL, errors
    for run in (start(tmp_path / "run", tmp_path / "result.npz"), undisturbed):
        output, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
    with np.load(tmp_path / "result.npz") as a, np.load(tmp_path / "expected.npz") as b:
        assert a.files == b.files
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name], strict=True)
        assert len(json.loads(str(a["history"]))["loss"]) == 4
