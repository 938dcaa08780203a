"""What reaches experiment trackers: here a function, and the packages where they are installed."""

import json
import os
import re
import struct
import sys

import numpy as np
import pytest
from model_table import MODELS
from tiny_networks import IMAGES

from keras_disentangle._extras import install
from keras_disentangle.callbacks import (
    ExperimentTracker,
    LatentTraversal,
    RampWeight,
)
from keras_disentangle.visualization import save_png

pytestmark = pytest.mark.one_backend
NAMES = {"loss/loss", "loss/reconstruction", "loss/kl", "ramps/beta"}
PICTURES = {
    *("pictures/traversal", "pictures/rung_samples", "pictures/reconstructions"),
    "animations/traversal",
}
EPOCHS, STEPS = 2, 2  # STEPS an epoch


def train(tracker, folder, *callbacks, every=None, epochs=EPOCHS):
    """Trains a tiny VAE with pictures; returns the history, with validation."""
    model = MODELS["vae_bernoulli"].build()
    model.compile("adam")
    callbacks = [
        RampWeight("beta", 3.0, 4),
        LatentTraversal(folder, images=IMAGES[:2], steps=2, num_samples=2),
        *callbacks,
        ExperimentTracker(tracker, folder, every),
    ]
    before = "tensorflow" in sys.modules
    history = model.fit(
        IMAGES,
        batch_size=len(IMAGES) // STEPS,
        epochs=epochs,
        validation_data=(IMAGES,),
        callbacks=callbacks,
        verbose=0,
    ).history
    assert ("tensorflow" in sys.modules) == before  # no tracker needs it
    return history


def expected(history):
    """The numbers by name and step that a tracker should hold."""
    found = {}
    for name, values in history.items():
        bare = name.removeprefix("val_")
        group = "ramps" if bare == "beta" else "loss"
        found[f"{group}/{name}"] = dict(zip((2, 4), values, strict=True))
    return found


def test_numbers_and_pictures_arrive_under_their_names_at_the_models_step(tmp_path):
    calls = []

    def tracker(numbers, pictures, step):
        calls.append((numbers, pictures, step))

    history = train(tracker, tmp_path, every=1)
    epochs = [numbers for numbers, *_ in calls if numbers and "loss/loss" in numbers]
    found = {name: dict(zip((2, 4), (e[name] for e in epochs), strict=True)) for name in epochs[0]}
    assert found == expected(history) and found.keys() >= NAMES
    batches = {step: numbers for numbers, _, step in calls if "loss/batch_loss" in numbers}
    assert sorted(batches) == [1, 2, 3, 4]
    assert batches[4]["ramps/batch_beta"] == history["beta"][-1]
    shown = [(step, set(pictures)) for _, pictures, step in calls if pictures]
    still = {name for name in PICTURES if name.startswith("pictures")}
    assert shown == [(2, still), (4, still), (4, PICTURES - still)]
    assert all(os.path.isfile(path) for _, pictures, _ in calls for path in pictures.values())


def test_only_new_pictures_are_sent_and_errors_in_sending_are_a_warning(tmp_path):
    sent, model = [], MODELS["vae_bernoulli"].build()
    picture = np.zeros((2, 2, 3), "uint8")
    (tmp_path / "pictures").mkdir()
    save_png(tmp_path / "pictures" / "epoch_0001_old.png", picture)

    def tracker(numbers, pictures, step):
        sent.append(pictures)
        if len(sent) == 1:
            raise ConnectionError("no network")

    callback = ExperimentTracker(tracker, tmp_path)
    callback.set_model(model)
    callback.on_train_begin()
    with pytest.warns(UserWarning, match="`ExperimentTracker` could not write.*no network"):
        callback.on_epoch_end(0, {"loss": 1.0})
    save_png(tmp_path / "pictures" / "epoch_0002_new.png", picture)
    (tmp_path / "pictures" / "events.txt").touch()
    callback.on_epoch_end(1, {})
    callback.on_epoch_end(2, {"information": [1.0]})
    callback.on_train_end()
    assert [list(pictures) for pictures in sent] == [[], ["pictures/new"]]


@pytest.mark.parametrize("tracker", ["tensorboard", None, 3])
def test_unknown_trackers_are_refused(tmp_path, tracker):
    with pytest.raises(ValueError, match="`tracker` must be one of .'wandb', 'mlflow'."):
        ExperimentTracker(tracker, tmp_path)


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_named(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()  # as W&B makes for its runs
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError, match=re.escape(install(name))):
        ExperimentTracker(name, tmp_path)


@pytest.fixture
def wandb(tmp_path, monkeypatch):
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    wandb.teardown()  # It reads these when it is first used in a process.
    return wandb


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    import mlflow as package

    package.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)  # where its files go
    return package


def records(path):
    """The rows of a W&B run's file: a log of LevelDB, in blocks of 32 KiB."""
    from wandb.proto import wandb_internal_pb2

    data, record, place = path.read_bytes(), b"", 7
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:  # The next header begins with the next block.
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or its last part
            found = wandb_internal_pb2.Record.FromString(record)
            record = b""
            if found.WhichOneof("record_type") == "history":
                items = found.history.item
                yield {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json)
                    for item in items
                }


@pytest.mark.extra("wandb")
def test_wandb_records_every_number_and_picture(tmp_path, wandb):
    # Nothing about the machine.
    quiet = wandb.Settings(x_disable_meta=True, x_disable_stats=True, x_save_requirements=False)
    wandb.init(project="test", settings=quiet)
    history = train("wandb", tmp_path / "logs")
    wandb.finish()
    wandb.teardown()  # Only when its service has ended, the file is whole.
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    rows = list(records(file))
    wanted = expected(history)
    found = {name: {row["step"]: row[name] for row in rows if name in row} for name in wanted}
    assert found == wanted
    pictures = {
        name.removesuffix("/path"): row[name] for row in rows for name in row if "/path" in name
    }
    assert pictures.keys() == PICTURES
    for path in pictures.values():
        content = (file.parent / "files" / path).read_bytes()
        assert content.startswith((b"\x89PNG", b"GIF89a"))


@pytest.mark.extra("mlflow")
def test_mlflow_records_every_number_and_picture(tmp_path, mlflow):
    with mlflow.start_run() as run:
        history = train("mlflow", tmp_path / "logs")
    client, run = mlflow.MlflowClient(), run.info.run_id
    wanted = expected(history)
    assert client.get_run(run).data.metrics.keys() == wanted.keys()
    for name, values in wanted.items():
        found = client.get_metric_history(run, name)
        assert {metric.step: metric.value for metric in found} == values
    images = " ".join(file.path for file in client.list_artifacts(run, "images"))
    for name in PICTURES:
        group, _, name = name.rpartition("/")
        if group == "pictures":
            steps = re.findall(rf"images/{group}.{name}\Wstep\W(\d)\W\S*\.png", images)
            assert sorted(steps) == ["2", "4"]
    (animation,) = client.list_artifacts(run, "animations")
    assert animation.path == "animations/traversal.gif"


@pytest.mark.extra("mlflow", "wandb")
@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_without_a_run_is_refused(tmp_path, request, name):
    request.getfixturevalue(name)
    model = MODELS["vae_bernoulli"].build()
    callback = ExperimentTracker(name, tmp_path)
    callback.set_model(model)
    with pytest.raises(ValueError, match=rf"call `{name}\.[a-z_]+\(\)` before `fit`"):
        callback.on_train_begin()
