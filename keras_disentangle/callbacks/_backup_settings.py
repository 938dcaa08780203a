"""The settings of a training run, as texts by name, and their comparison with a backup's."""

import contextlib
import copy
import hashlib
import inspect
import os
import random
import re
import warnings

import keras
import numpy as np
from keras import ops

from keras_disentangle.callbacks._backup_memory import only_looks_on
from keras_disentangle.schedules import read
from keras_disentangle.trainers.array_batches import ArrayBatches
from keras_disentangle.trainers.stepped_model import SteppedModel

# Entries that Keras numbers or adds itself, and entries without effect.
_SKIPPED = {
    "build_config",
    "build_input_shape",
    "module",
    "registered_name",
    "shared_object_id",
}
_WHERE = {"directory", "filename", "filepath", "log_dir", "path", "root", "verbose"}
_MOST = 100  # Longer lists are compared by a digest.


def settings(model, data, callbacks):
    """The settings that determine a training run: a dict from names to texts.

    They are the configuration of the model and of its `compile`, its present ramps, the arguments
    of the callbacks that do not only look on, and of the data the numbers that it was made with,
    its size and digests of some of its images.
    """
    found = {}
    _flatten("model", _canonical(_config(model.get_config)), found)
    _flatten("compile", _canonical(_config(model.get_compile_config)), found)
    _flatten("data", _data(data), found)
    if isinstance(model, SteppedModel):
        for name, ramp in model.ramps.items():
            start, target, first_step, num_steps = map(read, ramp.variables)
            way = f"{start:g} to {target:g} in {num_steps} steps from step {first_step}"
            found[f"ramps[{name!r}]"] = way
    others = [callback for callback in callbacks if not only_looks_on(callback)]
    found["callbacks"] = ", ".join(type(callback).__qualname__ for callback in others)
    for i, callback in enumerate(others):
        _flatten(f"callbacks[{i}] {type(callback).__qualname__}", _arguments(callback), found)
    return found


def check_settings(received, expected, file, moved):
    """Raises a ValueError that names the settings that differ from those of the backup `file`.

    Args:
        moved: whether learning rates and ramps may have been changed by training since the model
            was compiled.
    """
    if received.get("callbacks") != expected.get("callbacks"):
        # Their settings are named by their positions, which differ.
        names = ["callbacks"]
    else:
        names = [n for n in {**expected, **received} if expected.get(n) != received.get(n)]
    if moved:
        names = [name for name in names if not name.endswith("learning_rate")]
    # Ramps of another model differ too: its other settings are named alone.
    if moved or any(not name.startswith("ramps[") for name in names):
        names = [name for name in names if not name.startswith("ramps[")]
    if not names:
        return
    changes = [
        f"{name} = {received.get(name, 'absent')} (in the backup: {expected.get(name, 'absent')})"
        for name in names
    ]
    more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
    raise ValueError(
        f"The training run must be that of the backup {file}; train with other settings in another "
        "folder. (A callback may be added, removed or changed if it has the attribute "
        f"`only_looks_on = True`.) Received: {', '.join(changes[:5])}{more}"
    )


def _config(get):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about parts that could not be loaded again
        try:
            return get()
        except Exception:  # A subclassed model, or what it is compiled with, need not have any.
            return {}


def _canonical(config):
    """The configuration without the numbers in Keras's names, which depend on earlier models."""
    names, counts = {}, {}

    def collect(part):
        if isinstance(part, dict):
            kind, name = part.get("class_name"), (part.get("config") or {})
            name = name.get("name") if isinstance(name, dict) else None
            if isinstance(kind, str) and isinstance(name, str) and name not in names:
                base = re.sub(r"_\d+$", "", name)
                if base.replace("_", "") == kind.lower():
                    counts[base] = counts.get(base, -1) + 1
                    names[name] = f"{base}#{counts[base]}"
            for value in part.values():
                collect(value)
        elif isinstance(part, (list, tuple)):
            for value in part:
                collect(value)

    def rename(part):
        if isinstance(part, dict):
            return {key: rename(value) for key, value in part.items() if key not in _SKIPPED}
        if isinstance(part, (list, tuple)):
            # A `Sequential` has an input layer when it is built.
            return [rename(p) for p in part if not _is_input(p)]
        return names.get(part, part) if isinstance(part, str) else part

    collect(config)
    config = rename(config)
    if isinstance(config.get("name"), str):
        config["name"] = re.sub(r"_\d+$", "", config["name"])
    return config


def _is_input(part):
    return isinstance(part, dict) and part.get("class_name") == "InputLayer"


def _arguments(callback):
    """The arguments of a callback that it keeps as attributes of the same names."""
    names = inspect.signature(type(callback).__init__).parameters
    found = {name: getattr(callback, name) for name in names if name in vars(callback)}
    found = {name: value for name, value in found.items() if name not in _WHERE}
    if "min_delta" in found:  # Keras may change its sign.
        found["min_delta"] = abs(found["min_delta"])
    return found


def _data(x):
    leaves = keras.tree.flatten(x)
    if all(hasattr(leaf, "shape") for leaf in leaves):
        return [_rows(leaf) for leaf in leaves]
    found = {"class": type(x).__name__}
    with contextlib.suppress(TypeError, NotImplementedError):
        found["batches"] = len(x)
    if isinstance(x, keras.utils.PyDataset):
        numbers = {k: v for k, v in vars(x).items() if isinstance(v, (int, float, str))}
        found.update({k: v for k, v in numbers.items() if k[0] != "_" and k != "epoch"})
        if isinstance(x, ArrayBatches):
            found["arrays"] = [_rows(array) for array in x.arrays]
        else:
            found["images"] = getattr(x, "_num_images", None)
            # Of a stream that several processes share, the same in each.
            found["first batch"] = _first_batch(getattr(x, "whole", x))
    elif hasattr(x, "element_spec"):
        found["element_spec"] = str(x.element_spec)
        found["made by"] = _steps_of(x)
    elif hasattr(x, "batch_size"):  # a torch DataLoader
        found.update(batch_size=x.batch_size, drop_last=getattr(x, "drop_last", None))
    elif isinstance(x, int):
        found["value"] = x
    return found


def _first_batch(x):
    """Shapes and digests of the first batch of epoch 0; the data do not change."""
    states = random.getstate(), np.random.get_state()
    x = copy.copy(x)
    if hasattr(x, "epoch"):
        x.epoch = 0
    for name, value in vars(x).items():
        if isinstance(value, (set, list, dict)):
            setattr(x, name, copy.copy(value))
    try:
        return [_rows(leaf) for leaf in keras.tree.flatten(x[0]) if hasattr(leaf, "shape")]
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _rows(x, most=64):
    """Shape, dtype and a digest of at most `most` rows, evenly spaced."""
    shape = tuple(x.shape)
    rows = x
    if shape and shape[0] > most:
        index = np.linspace(0, shape[0] - 1, most).astype(int)
        rows = np.stack([_array(x[int(i)]) for i in index])
    return f"{shape} {keras.backend.standardize_dtype(x.dtype)} {_digest(_array(rows))}"


def _array(x):
    return x if isinstance(x, np.ndarray) else ops.convert_to_numpy(x)


def _steps_of(x):
    """The types of a `tf.data.Dataset` and of those it is made from, with their scalar settings."""
    inputs = getattr(x, "_inputs", None)
    inputs = inputs() if callable(inputs) else ()
    numbers = []
    for name, value in sorted(vars(x).items()):
        is_number = getattr(value, "shape", None) == () and hasattr(value, "numpy")
        if is_number and value.dtype.name not in ("variant", "resource"):
            numbers.append(f"{name.strip('_')}={value.numpy()}")
    own = f"{type(x).__name__.strip('_')}({', '.join(numbers)})"
    return " < ".join([own, *map(_steps_of, inputs)])


def _digest(array):
    if array.dtype.hasobject:
        return "objects"
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:12]


def _flatten(name, value, found):
    """Adds texts of the parts of a value."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        for key, part in value.items():
            _flatten(f"{name}.{key}", part, found)
    elif isinstance(value, (list, tuple)) and len(value) <= _MOST:
        for i, part in enumerate(value):
            _flatten(f"{name}[{i}]", part, found)
    elif isinstance(value, (list, tuple)):
        found[name] = f"{len(value)} parts {hashlib.sha256(repr(value).encode()).hexdigest()[:12]}"
    elif hasattr(value, "shape") and hasattr(value, "dtype"):
        found[name] = _rows(value)
    elif isinstance(value, float):
        with np.errstate(over="ignore"):
            short = np.float32(value)
        found[name] = str(short if short == value else value)
    elif value is None or isinstance(value, (bool, int, str, os.PathLike)):
        found[name] = repr(value)
    elif hasattr(value, "get_config"):
        found[name] = type(value).__name__
        _flatten(name, _canonical(_config(value.get_config)), found)
    else:
        found[name] = getattr(value, "__qualname__", type(value).__qualname__)
