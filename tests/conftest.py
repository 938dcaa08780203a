"""What all tests share: seeds, real data, the backends' order of import, how much is compiled."""

import contextlib
import gc
import importlib.util
import os
import pathlib

from quick_jax import quick_jax

# PyTorch must be loaded before TensorFlow: the other way round has crashed.
with contextlib.suppress(ImportError):
    import torch  # noqa: F401

if os.environ.get("KERAS_BACKEND") == "jax":
    os.environ.update(quick_jax())

import keras
import pytest
import tabled_random

# Compares all backends in processes of its own, so one of the runs is enough.
collect_ignore = [] if keras.backend.backend() == "tensorflow" else ["test_backends_agree.py"]


# Tests of what is made of trained models. Tracing takes TensorFlow many times as long as the few
# steps of a test, so here it traces nothing, unless a mark says so.
UNCOMPILED = {
    *("applications", "metrics", "visualization"),
    *("test_docs.py", "test_docstring_examples.py", "test_evaluation.py"),
}


def pytest_configure(config):
    for marker in (
        "compiled(yes): whether TensorFlow traces functions, as it does for users",
        "one_backend: what is tested is alike on all backends; test.sh runs it on one",
        "extra(packages): needs packages that are not in .venv-test; with_extras.sh has them",
    ):
        config.addinivalue_line("markers", marker)
    # TensorFlow's data sets trace their functions all the same, and say so.
    config.addinivalue_line("filterwarnings", "ignore:Even though the `tf.config")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Comes before the fixtures, which train too."""
    for mark in item.iter_markers("extra"):
        if missing := [name for name in mark.args if importlib.util.find_spec(name) is None]:
            report = pytest.fail if os.environ.get("KERAS_DISENTANGLE_EXTRAS") else pytest.skip
            report(f"{missing} must be installed")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        part = item.path.relative_to(pathlib.Path(__file__).parent).parts[0]
        mark = item.get_closest_marker("compiled")
        compiled = mark.args[0] if mark else part not in UNCOMPILED
        tf.config.run_functions_eagerly(not compiled)


def pytest_collection_finish():
    # What was imported stays, and need not be looked through again and again.
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def freed():
    """Keeps a process small: models and what was compiled for them end with their module."""
    yield
    gc.collect()
    if keras.backend.backend() == "jax":
        import jax

        jax.clear_caches()


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
    """Draws from the tables of `tabled_random` in place of the backend's own."""
    for name, draw in tabled_random.TABLED.items():
        monkeypatch.setattr(keras.random, name, draw)


@pytest.fixture
def scanning(monkeypatch):
    """As on a GPU, where convolutions too are scanned over."""
    if keras.backend.backend() == "jax":
        from keras_disentangle.trainers import _jax_steps

        monkeypatch.setattr(_jax_steps, "slow_in_a_loop", lambda *_: False)
