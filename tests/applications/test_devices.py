"""How the command spreads a training over devices and processes."""

import os
import subprocess

import keras
import numpy as np
import pytest
from tiny_applications import TINY

from keras_disentangle.__main__ import main
from keras_disentangle.applications._shared import devices, registry
from keras_disentangle.datasets import image_batches
from keras_disentangle.trainers import _launch

BACKEND = keras.backend.backend()
IMAGES = np.arange(24, dtype="uint8").reshape(24, 1, 1, 1)


class Started:
    """In place of a process: remembers how it was started, and fails in one place."""

    all, failing = [], None

    def __init__(self, command, env, **options):
        self.command, self.env, self.options = command, env, options
        self.index = len(self.all)
        self.all.append(self)
        self.ended = False

    def wait(self, timeout):
        if self.failing not in (None, self.index):
            raise subprocess.TimeoutExpired(self.command, timeout)
        return 1 if self.index == self.failing else 0

    def terminate(self):
        self.ended = True


@pytest.fixture
def started(monkeypatch):
    monkeypatch.setattr(Started, "all", [])
    monkeypatch.setattr(devices.subprocess, "Popen", Started)
    return Started


@pytest.mark.skipif(BACKEND == "tensorflow", reason="has devices in one process alone")
def test_processes_of_a_command_know_their_place(started):
    main(["train", "provlae", "--processes", "3", "--seed", "2"])
    assert len(started.all) == 3
    for i, process in enumerate(started.all):
        assert process.command[-4:] == ["train", "provlae", "--seed", "2"]
        name = {"torch": "RANK", "jax": "KERAS_DISTRIBUTION_PROCESS_ID"}[BACKEND]
        assert process.env[name] == str(i)
        assert process.env[_launch.PLACES[BACKEND]] == "3"
        # The first one prints.
        assert ("stdout" in process.options) == (i > 0)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="has devices in one process alone")
def test_a_process_that_fails_ends_the_others(started, monkeypatch):
    monkeypatch.setattr(Started, "failing", 0)
    with pytest.raises(SystemExit, match="One of the 2 processes failed"):
        main(["train", "provlae", "--processes=2"])
    assert started.all[1].ended


WRONG = {
    "--processes 0": "`processes` must be an integer >= 1",
    "--devices 0": '`devices` must be "all" or a number up to',
    "--devices many": '`devices` must be "all" or a number up to',
    "--devices 900": '`devices` must be "all" or a number up to',
}
if BACKEND == "torch":
    WRONG = {"--devices all": "`devices` must be left out on PyTorch"}
if BACKEND == "tensorflow":
    WRONG["--processes 2"] = "`processes` must be left out on TensorFlow"


@pytest.mark.parametrize("flags, text", WRONG.items())
def test_numbers_of_devices_that_cannot_be(flags, text):
    with pytest.raises(SystemExit, match=text):
        main(["train", "provlae", "--dry-run", *flags.split()])


@pytest.mark.skipif(BACKEND == "tensorflow", reason="has devices in one process alone")
def test_where_a_launcher_started_the_process(monkeypatch):
    monkeypatch.setitem(os.environ, _launch.PLACES[BACKEND], "2")
    for flags in (["--processes", "2"], ["--devices", "2"]):
        with pytest.raises(SystemExit, match="must be left out"):
            main(["train", "provlae", "--dry-run", *flags])


def test_parts_of_batches_are_the_batches():
    whole = image_batches(IMAGES, 8, seed=0)
    parts = [devices.PartOfBatches(image_batches(IMAGES, 8, seed=0), i, 2) for i in range(2)]
    for batches in (whole, *parts):
        batches.epoch = 3
        batches.on_epoch_begin()
    for i in range(len(whole)):
        joined = np.concatenate([part[i][0] for part in parts])
        np.testing.assert_array_equal(joined, whole[i][0])
    for batches in (whole, *parts):
        batches.on_epoch_end()
        assert batches.epoch == 4
    with pytest.raises(ValueError, match="divided evenly among the 3 processes"):
        devices.PartOfBatches(whole, 0, 3)[0]


@pytest.mark.one_backend
@pytest.mark.parametrize("name", ["provlae", "direction_discovery"])
def test_images_on_the_device_change_nothing(name, monkeypatch, tmp_path, capsys):
    application = registry.find(name)
    recipe = TINY[name].recipe(monkeypatch, tmp_path)
    monkeypatch.setitem(application.recipes, "tiny", recipe)
    words = ["train", name, "--recipe", "tiny", "--verbose", "0", "--log-dir"]
    if name == "direction_discovery":
        with pytest.raises(SystemExit, match="`on_device` must be left out .* batches of int"):
            main([*words, str(tmp_path / "there"), "--on-device"])
        assert not (tmp_path / "there").exists()
        return
    main([*words, str(tmp_path / "here")])
    main([*words, str(tmp_path / "there"), "--on-device"])
    here, there = (application.load(tmp_path / x / "model.keras") for x in ("here", "there"))
    for a, b in zip(here.weights, there.weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b))
