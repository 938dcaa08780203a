import collections
import random

import keras
import numpy as np
import pytest
from backup_runs import Pairs, assert_same, batches, files, regression, train, vae

from keras_disentangle.callbacks import (
    LatentTraversal,
    TensorBoardScalars,
)
from keras_disentangle.callbacks._backup_values import NOTHING, Encoder, NotKept

IS_TENSORFLOW = keras.backend.backend() == "tensorflow"
# The best is that of epoch 1; after it, one at a time is better than the one before.
SCORES = [5.0, 1.0, 4.0, 2.0, 3.0, 1.5, 0.5, 0.2]


class Score(keras.callbacks.Callback):
    """Logs numbers that are no outcome of training, so that it is known what others make of it."""

    only_looks_on = True

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = SCORES[epoch]


class Own(keras.callbacks.Callback):
    """Remembers what it counts, without a word to `ExactBackup`, and acts on it."""

    def __init__(self):
        super().__init__()
        self.batches, self.scores, self.best_kernel = 0, collections.deque(maxlen=3), None
        self.rng = np.random.default_rng(1)
        self.mean = keras.metrics.Mean()
        self.by_epoch = {}

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        self.mean.update_state(logs["loss"])

    def on_epoch_end(self, epoch, logs=None):
        self.scores.append(logs["score"])
        self.by_epoch[epoch] = np.array([logs["loss"], self.rng.random()])
        if logs["score"] == min(SCORES[: epoch + 1]):
            self.best_kernel = self.model.layers[-1].get_weights()[0]
        logs["own"] = self.batches + float(self.mean.result()) + self.by_epoch[epoch][1]
        logs["own_kernel"] = float(self.best_kernel.sum()) + sum(self.scores)


class Diary(keras.callbacks.Callback):
    """Writes a line for each batch, and says what is to be remembered."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_begin(self, logs=None):
        self.file = open(self.path, "a")

    def on_train_batch_end(self, batch, logs=None):
        print(batch, logs["loss"], file=self.file, flush=True)

    def on_train_end(self, logs=None):
        self.file.close()

    def get_backup_state(self):
        return {"length": self.path.stat().st_size}

    def set_backup_state(self, state):
        with open(self.path, "r+") as file:
            file.truncate(state["length"])


def callbacks(folder):
    folder.mkdir(exist_ok=True)
    score = {"monitor": "score", "mode": "min"}
    return [
        Score(),
        Own(),
        keras.callbacks.ReduceLROnPlateau(**score, factor=0.5, patience=1, cooldown=1),
        keras.callbacks.ModelCheckpoint(
            folder / "best.weights.h5", **score, save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.CSVLogger(folder / "log.csv"),
        Diary(folder / "diary.txt"),
        *([keras.callbacks.TensorBoard(folder / "tb", write_graph=False)] if IS_TENSORFLOW else []),
        keras.callbacks.EarlyStopping(**score, patience=3, restore_best_weights=True),
    ]


def outcome(folder):
    """What is in the files, but for the times in that of the weights."""
    model = regression()
    model.load_weights(folder / "best.weights.h5")
    texts = [(folder / name).read_bytes() for name in ("log.csv", "diary.txt")]
    return texts, [weight.tolist() for weight in model.get_weights()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return train(after=callbacks(folder), epochs=8), outcome(folder)


@pytest.mark.parametrize("place", ["before", "after"])
def test_callbacks_go_on(place, tmp_path, undisturbed):
    log = tmp_path / "log"
    for interrupt in [(1, 1), (2, 0), (3, 2), (4, 3)]:
        settings = {place: callbacks(log), "epochs": 8, "save_freq": 3}
        assert train(tmp_path / "run", interrupt, **settings) is None
    result = train(tmp_path / "run", **{**settings, place: callbacks(log)})
    assert_same(result, undisturbed[0])
    assert result[2] == [0, 1, 2, 3, 4]  # stopped, three epochs after the best
    assert len(set(result[1]["learning_rate"])) > 1
    assert outcome(log) == undisturbed[1]
    # Once it has ended, nothing of it changes.
    assert_same(train(tmp_path / "run", **{**settings, place: callbacks(log)}), undisturbed[0])
    assert outcome(log) == undisturbed[1]


def test_callbacks_are_not_called_for_batches_they_have_seen(tmp_path):
    seen = []

    class Batches(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(("begin", self.epoch, batch))

        def on_train_batch_end(self, batch, logs=None):
            seen.append(("end", self.epoch, batch, "loss" in logs))

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

    assert train(tmp_path, (0, 3), after=[Batches()], epochs=1) is None
    seen.clear()
    train(tmp_path, after=[Batches()], epochs=1)
    assert seen == [("begin", 0, 3), ("end", 0, 3, True)]


@pytest.mark.parametrize("place", ["before", "after"])
def test_more_epochs_with_what_begins_an_epoch(place, tmp_path):
    def rate():
        return [keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate)]

    train(tmp_path, **{place: rate()}, epochs=2)
    assert_same(train(tmp_path, **{place: rate()}, epochs=4), train(**{place: rate()}, epochs=4))


def test_averages_that_are_swapped_in(tmp_path):
    def build():
        return regression(optimizer=keras.optimizers.Adam(1e-2, use_ema=True), run_eagerly=True)

    swap = keras.callbacks.SwapEMAWeights
    settings = {"build": build, "fresh": True, "validation_data": Pairs()[0]}
    whole = train(after=[swap(swap_on_epoch=True)], **settings)
    for place in ("before", "after"):
        path = tmp_path / place
        assert train(path, (1, 2), **{place: [swap(swap_on_epoch=True)]}, **settings) is None
        assert_same(train(path, **{place: [swap(swap_on_epoch=True)]}, **settings), whole)


class Holder(keras.callbacks.Callback):
    def __init__(self, held):
        super().__init__()
        self.held = held


class Meter:
    pass


def test_what_cannot_be_kept_is_refused_by_name(tmp_path):
    message = "`callbacks` must hold as .*get_backup_state.*: Holder, whose `held` is of type Meter"
    for place in ("before", "after"):
        with pytest.raises(ValueError, match=message):
            train(tmp_path / place, **{place: [Holder(Meter())]})
        assert files(tmp_path / place) == []
    looking = Holder(Meter())
    looking.only_looks_on = True
    train(tmp_path / "looking", after=[looking], epochs=1)
    with pytest.raises(ValueError, match="`callbacks` must hold one .*: BackupAndRestore"):
        train(tmp_path / "two", after=[keras.callbacks.BackupAndRestore(tmp_path / "keras")])


def test_a_state_that_cannot_be_kept(tmp_path):
    class Hooked(keras.callbacks.Callback):
        def get_backup_state(self):
            return {"meter": Meter()}

    with pytest.raises(ValueError, match="`get_backup_state` must return .* Meter, from .*Hooked"):
        train(tmp_path, after=[Hooked()])
    Hooked.get_backup_state = lambda self: {"seen": 1}
    with pytest.raises(ValueError, match="must have the method `set_backup_state`.*Hooked"):
        train(tmp_path, after=[Hooked()])


def test_what_turns_up_while_training(tmp_path):
    class Late(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.meter = Meter()

    with pytest.warns(UserWarning, match="not backed up: .*Late, whose `meter` has become") as told:
        train(tmp_path, after=[Late()])
    assert len([warning for warning in told if "Late" in str(warning.message)]) == 1


def test_a_memory_that_no_longer_fits(tmp_path):
    class Meters(keras.callbacks.Callback):
        shape = (2,)

        def on_train_begin(self, logs=None):
            self.total = keras.Variable(np.zeros(self.shape))

        def on_epoch_end(self, epoch, logs=None):
            self.total.assign_add(np.ones(self.shape))

    assert train(tmp_path, (1, 3), before=[Meters()]) is None
    Meters.shape = (3,)
    with pytest.raises(ValueError, match="`total` of .*Meters 1 must be that of the backup .*(2,)"):
        train(tmp_path, before=[Meters()])


def test_callbacks_that_watch_go_on(tmp_path):
    def watching(every):
        return [
            LatentTraversal(tmp_path / "log", every=every),
            TensorBoardScalars(tmp_path / "log"),
        ]

    settings = {"build": vae, "data": batches}
    assert train(tmp_path / "run", (1, 3), after=watching(2), **settings) is None
    # They may change, for training does not depend on them.
    train(tmp_path / "run", after=watching(3), **settings)
    pictures = files(tmp_path / "log" / "pictures")
    assert "epoch_0003_traversal.png" in pictures and "traversal.gif" in pictures


def test_a_run_that_was_killed_while_the_last_pictures_were_drawn(tmp_path, monkeypatch):
    settings = {"build": vae, "data": batches, "epochs": 1}

    def killed(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LatentTraversal, "_frames", killed)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "run", after=[LatentTraversal(tmp_path / "log")], **settings)
    train(tmp_path / "run", after=[LatentTraversal(tmp_path / "log")], **settings)
    assert "traversal.gif" in files(tmp_path / "log" / "pictures")


def test_data_of_grain_have_no_memory():
    grain = pytest.importorskip("grain")
    for data in (grain.MapDataset.range(4), grain.MapDataset.range(4).batch(2).to_iter_dataset()):
        assert Encoder().encode(data) == ({NOTHING: None}, [])


def test_values():
    rng, legacy, plain = np.random.default_rng(3), np.random.RandomState(3), random.Random(3)
    shared = [1, (2.5, None, "three")]
    values = {
        "numbers": [True, 7, 1e-300, float("inf"), np.float32(0.1), np.int64(2)],
        "shared": shared,
        "set": {"b", "a"},
        "deque": collections.deque([1, 2], maxlen=2),
        "default": collections.defaultdict(list, a=[1]),
        "array": np.arange(6.0).reshape(2, 3),
        "tensor": keras.ops.ones((2,)),
        "bytes": b"\x00\xff",
        (1, "key"): {"nested": {2: 3}},
        "rng": rng,
        "legacy": legacy,
        "plain": plain,
        "function": np.mean,
    }
    encoder = Encoder()
    content, arrays = encoder.encode(values)
    arrays = [array.copy() for array in arrays]  # as when they are written
    expected = rng.random(), legacy.random_sample(), plain.random()
    shared.append(4)
    values["array"] *= 2
    again = encoder.decode(content, arrays, values)
    assert again is values and again["shared"] is shared == [1, (2.5, None, "three")]
    assert (rng.random(), legacy.random_sample(), plain.random()) == expected
    np.testing.assert_array_equal(again["array"], np.arange(6.0).reshape(2, 3))
    assert keras.ops.is_tensor(again["tensor"]) and again["function"] is np.mean
    # In a process of its own, where nothing is there yet.
    fresh = encoder.decode(
        content, arrays, {k: None for k in values} | {"rng": rng, "legacy": legacy, "plain": plain}
    )
    for name in ("numbers", "set", "bytes", (1, "key"), "deque"):
        assert fresh[name] == values[name] and type(fresh[name]) is type(values[name])
    assert type(fresh["numbers"][4]) is np.float32

    for bad in (object(), [Meter()], {"a": np.array([object()])}):
        with pytest.raises(NotKept):
            encoder.encode(bad)
    shared.append(shared)
    with pytest.raises(NotKept, match="contains itself"):
        encoder.encode(shared)
