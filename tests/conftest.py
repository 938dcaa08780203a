"""What all tests share: seeds, real data, the backends' order of import."""

import contextlib
import os
import pathlib

# PyTorch must be loaded before TensorFlow: the other way round has crashed.
with contextlib.suppress(ImportError):
    import torch  # noqa: F401

# XLA spends most of a small test on optimising what then runs for a few steps.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import keras
import pytest
import tiny_models

# Compares all backends in processes of its own, so one of the runs is enough.
collect_ignore = [] if keras.backend.backend() == "tensorflow" else ["test_backends_agree.py"]


@pytest.fixture(autouse=True)
def random_seed():
    keras.utils.set_random_seed(0)


@pytest.fixture
def data_dir():
    """The folder with real data sets that `KERAS_DISENTANGLE_DATA` names."""
    folder = os.environ.get("KERAS_DISENTANGLE_DATA")
    if folder:
        return pathlib.Path(folder)
    report = pytest.fail if os.environ.get("CI") else pytest.skip
    report("KERAS_DISENTANGLE_DATA does not name a folder with data sets")


@pytest.fixture
def tabled_noise(monkeypatch):
    """Draws from the tables of `tiny_models` in place of the backend's own."""
    for name, draw in tiny_models.TABLED.items():
        monkeypatch.setattr(keras.random, name, draw)
