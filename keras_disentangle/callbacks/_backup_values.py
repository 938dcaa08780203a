"""Encodes the values that a backup can hold as JSON and a list of arrays, and decodes them.

Plain numbers, texts and None stay as they are; everything else becomes {kind: content}.
"""

import argparse
import collections
import dataclasses
import enum
import functools
import hashlib
import itertools
import json
import os
import pathlib
import random
import re
import types

import keras
import numpy as np
from keras import ops

from keras_disentangle.callbacks._backup_state import as_array

_PLAIN = (bool, int, float, str)
_CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": collections.deque,
}
_DICTS = {
    "dict": dict,
    "ordered_dict": collections.OrderedDict,
    "counter": collections.Counter,
    "defaultdict": collections.defaultdict,
}
_NAMESPACES = (argparse.Namespace, types.SimpleNamespace)
# Values that are given to a callback and that it does not change.
_WITHOUT_MEMORY = (
    types.ModuleType,
    functools.partial,
    np.dtype,
    enum.Enum,
    re.Pattern,
    keras.DTypePolicy,
    keras.initializers.Initializer,
    keras.losses.Loss,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.utils.PyDataset,
)
NOTHING = "nothing"


class NotKept(Exception):
    """Raised for a value that a backup cannot hold; its argument says what it is."""


class Encoder:
    """Encodes values, and decodes them again.

    Args:
        owned: variables that are saved already, which are left out.
    """

    def __init__(self, owned=()):
        self._owned = {id(variable) for variable in owned}

    def encode(self, value):
        """(content, arrays) of a value; raises `NotKept` if a backup cannot hold it."""
        arrays = []
        try:
            return self._encode(value, arrays), arrays
        except RecursionError:
            raise NotKept("something that contains itself") from None

    def _encode(self, value, arrays):
        if value is None or type(value) in _PLAIN:
            return value
        kind, content = self._parts(value, arrays)
        return {kind: content}

    def _parts(self, value, arrays):
        for kind, container in _CONTAINERS.items():
            if type(value) is container:
                return kind, [self._encode(part, arrays) for part in _in_order(value)]
        for kind, container in _DICTS.items():
            if type(value) is container:
                return kind, self._pairs(value, arrays)
        if isinstance(value, np.generic):
            return "scalar", _add(arrays, np.asarray(value))
        if isinstance(value, np.ndarray):
            return "array", _add(arrays, value)
        # Before tensors, among which Keras counts a variable on TensorFlow.
        if (variables := _variables(value)) is not None:
            own = [v for v in variables if id(v) not in self._owned]
            return "variables", [_add(arrays, as_array(v)) for v in own]
        if ops.is_tensor(value):
            return "tensor", _add(arrays, as_array(value))
        if (state := _generator_state(value)) is not None:
            return "generator", self._encode(state, arrays)
        if isinstance(value, _NAMESPACES) or dataclasses.is_dataclass(type(value)):
            return "fields", self._pairs(vars(value), arrays)
        if isinstance(value, os.PathLike):
            return "path", os.fspath(value)
        if isinstance(value, bytes):
            return "bytes", value.hex()
        is_function = callable(value) and hasattr(value, "__name__")  # or a class
        if is_function or isinstance(value, _WITHOUT_MEMORY) or _is_data(value):
            return NOTHING, None
        raise NotKept(f"of type {type(value).__name__}")

    def _pairs(self, value, arrays):
        return [[self._encode(k, arrays), self._encode(v, arrays)] for k, v in value.items()]

    def decode(self, content, arrays, current=None):
        """The decoded value; `current`, the one that it replaces, is changed in place if possible.

        Raises:
            ValueError: if the value can only be restored into `current`, as that of a metric, and
                does not fit.
        """
        if not isinstance(content, dict):
            return content
        [(kind, content)] = content.items()
        if kind in _CONTAINERS:
            at = iter(current) if type(current) in (list, tuple) else iter(())
            pairs = itertools.zip_longest(content, itertools.islice(at, len(content)))
            found = _CONTAINERS[kind]([self.decode(part, arrays, now) for part, now in pairs])
            return _put(found, current)
        if kind in _DICTS:
            found = _DICTS[kind]()
            found.update(self._decoded_items(kind, content, arrays, current))
            return _put(found, current)
        if kind == "scalar":
            return arrays[content][()]
        if kind == "array":
            return _put(arrays[content].copy(), current)
        if kind == "tensor":
            return ops.convert_to_tensor(arrays[content].copy())
        if kind == "path":
            return pathlib.Path(content)
        if kind == "bytes":
            return bytes.fromhex(content)
        if kind == "variables":
            variables = [v for v in _variables(current) or () if id(v) not in self._owned]
            shapes = [arrays[i].shape for i in content]
            if [tuple(v.shape) for v in variables] != shapes:
                raise ValueError(f"variables of the shapes {shapes}")
            for variable, i in zip(variables, content, strict=True):
                variable.assign(arrays[i].copy())
        elif kind == "generator":
            _set_generator_state(current, self.decode(content, arrays))
        elif kind == "fields":
            pairs = {
                name: self.decode(part, arrays, getattr(current, name, None))
                for name, part in content
            }
            vars(current).update(pairs)
        return current

    def _decoded_items(self, kind, pairs, arrays, current):
        known = current if type(current) is _DICTS[kind] else {}
        items = {}
        for key, part in pairs:
            key = self.decode(key, arrays)
            items[key] = self.decode(part, arrays, known.get(key))
        return items


def fingerprint(content, arrays):
    """A text that is equal for equal values."""
    digest = hashlib.sha256(json.dumps(content).encode())
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _add(arrays, array):
    if array.dtype.hasobject:
        raise NotKept("an array of Python objects")
    # No copy: a backup is written before training continues.
    arrays.append(np.asarray(array))
    return len(arrays) - 1


def _in_order(value):
    if isinstance(value, (set, frozenset)):  # The order of texts differs between processes.
        return sorted(value, key=lambda part: (type(part).__name__, repr(part)))
    return value


def _put(found, current):
    """`found`, written into `current` if that is mutable, because others may refer to it."""
    if type(found) is not type(current) or type(found) in (tuple, frozenset):
        return found
    if isinstance(found, np.ndarray):
        fits = found.shape == current.shape and found.dtype == current.dtype
        if not (fits and current.flags.writeable):
            return found
        current[...] = found
        return current
    current.clear()
    (current.extend if hasattr(current, "extend") else current.update)(found)
    return current


def _variables(value):
    if isinstance(value, keras.Variable):
        return [value]
    if isinstance(value, keras.random.SeedGenerator):
        return [value.state]
    if isinstance(value, (keras.Layer, keras.Metric, keras.optimizers.Optimizer)):
        return value.variables
    return None


def _generator_state(value):
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state(legacy=False)
    return value.getstate() if isinstance(value, random.Random) else None


def _set_generator_state(generator, state):
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.setstate(state)


def _is_data(value):
    """Whether it is a data set, of this library, Grain, TensorFlow or PyTorch."""
    modules = {base.__module__ for base in type(value).__mro__}
    roots = ("grain.", "keras_disentangle.datasets", "tensorflow.python.data", "torch.utils.data")
    return any(module.startswith(roots) for module in modules)
