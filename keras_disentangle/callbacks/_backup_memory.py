"""What the other callbacks of a training run remember, for a backup."""

import warnings

import keras

from keras_disentangle._keras_graph import MADE_ANEW
from keras_disentangle.callbacks._backup_csv import csv_content, set_csv_content
from keras_disentangle.callbacks._backup_values import NOTHING, Encoder, NotKept, fingerprint

_ONLOOKERS = (
    keras.callbacks.CSVLogger,
    keras.callbacks.History,
    keras.callbacks.ProgbarLogger,
    keras.callbacks.RemoteMonitor,
    keras.callbacks.TensorBoard,
    keras.callbacks.TerminateOnNaN,
)

# Names of what is no attribute.
_STATE, _CSV = "<state>", "<file>"


def only_looks_on(callback):
    """Whether training goes the same way without it."""
    return getattr(callback, "only_looks_on", isinstance(callback, _ONLOOKERS))


class CallbackMemory:
    """What callbacks remember: what they say of it themselves, or else, the attributes that change.

    Args:
        callbacks: all of a training run, in their order.
        backup: the one among them that asks.
        owned: variables that are saved already.

    Attributes:
        before, after: those that are called before `backup`, and those after it.
    """

    def __init__(self, callbacks, backup, owned):
        at = callbacks.index(backup) if backup in callbacks else 0
        self.before, self.after = callbacks[:at], callbacks[at + 1 :]
        for other in (*self.before, *self.after):
            if isinstance(other, (keras.callbacks.BackupAndRestore, type(backup))):
                raise ValueError(
                    "`callbacks` must hold one backup, for each would resume the run. "
                    f"Received: {type(other).__qualname__} beside {type(backup).__qualname__}"
                )
        names, self._names = [], {}
        for callback in callbacks:
            name = type(callback).__qualname__
            names.append(name)
            self._names[id(callback)] = f"{name} {names.count(name)}"
        self._encoder = Encoder(owned)
        self._first = {}
        self._kept = {}
        self._told = set()

    def begin(self, callbacks):
        """Takes notice of what they are like where training begins.

        Raises:
            ValueError: if one has an attribute that may change and that a backup cannot hold.
        """
        for callback in callbacks:
            name = self._names[id(callback)]
            if _has_hook(callback):
                self._hooked(callback)
                continue
            first = self._first[name] = {}
            for attribute, value in _attributes(callback).items():
                try:
                    first[attribute] = fingerprint(*self._encoder.encode(value))
                except NotKept as error:
                    if not only_looks_on(callback):
                        raise ValueError(_told(callback, f"`{attribute}` is {error}")) from None
                    first[attribute] = None

    def collect(self, arrays):
        """What JSON can hold of all of them; their arrays are added to `arrays`."""
        memory = {}
        for callback in (*self.before, *self.after):
            name = self._names[id(callback)]
            if _has_hook(callback):
                parts = {_STATE: self._hooked(callback)}
            else:
                parts = self._changed(callback, name)
            kept = memory[name] = {}
            for part, (content, own) in parts.items():
                kept[part] = [content, len(arrays), len(own)]
                arrays.extend(own)
        return memory

    def restore(self, callbacks, memory, arrays, file):
        """Gives callbacks the memory that they had in the backup `file`.

        Raises:
            ValueError: if one cannot take it.
        """
        for callback in callbacks:
            name = self._names[id(callback)]
            for part, (content, start, count) in memory.get(name, {}).items():
                own = arrays[start : start + count]
                current = vars(callback).get(part)
                try:
                    value = self._encoder.decode(content, own, current)
                except ValueError as error:
                    if only_looks_on(callback):
                        continue
                    raise ValueError(
                        f"`{part}` of {name} must be that of the backup {file}, {error}. "
                        f"Received: {current!r}"
                    ) from error
                if part == _STATE:
                    if value is not None:
                        callback.set_backup_state(value)
                elif part == _CSV:
                    set_csv_content(callback, value)
                else:
                    setattr(callback, part, value)
                    self._kept.setdefault(name, set()).add(part)

    def _hooked(self, callback):
        state = callback.get_backup_state()
        try:
            encoded = self._encoder.encode(state)
        except NotKept as error:
            raise ValueError(
                "`get_backup_state` must give numbers, texts, None, arrays, and lists and dicts of "
                f"them. Received: a value {error}, of {type(callback).__qualname__}"
            ) from None
        if state is not None and not hasattr(callback, "set_backup_state"):
            raise ValueError(
                "A callback whose `get_backup_state` gives something must have the method "
                f"`set_backup_state`. Received: {type(callback).__qualname__}, which lacks it"
            )
        return encoded

    def _changed(self, callback, name):
        """The attributes that are no longer what they were when training began."""
        parts = {}
        first, kept = self._first.get(name, {}), self._kept.get(name, ())
        for attribute, value in _attributes(callback).items():
            if attribute in first and first[attribute] is None:
                continue  # Of an onlooker; said so already.
            try:
                content, arrays = self._encoder.encode(value)
                changed = fingerprint(content, arrays) != first.get(attribute)
                if changed and isinstance(content, dict) and NOTHING in content:
                    raise NotKept(f"of type {type(value).__name__}")
            except NotKept as error:
                if (name, attribute) not in self._told and not only_looks_on(callback):
                    self._told.add((name, attribute))
                    said = _told(callback, f"`{attribute}` has become a value {error}")
                    warnings.warn(f"This is not backed up: {said}", stacklevel=2)
                continue
            if changed or attribute in kept:
                parts[attribute] = content, arrays
        if isinstance(callback, keras.callbacks.CSVLogger):
            parts[_CSV] = self._encoder.encode(csv_content(callback))
        return parts


def _has_hook(callback):
    return hasattr(callback, "get_backup_state")


def _attributes(callback):
    skipped = set().union(*(MADE_ANEW.get(base, ()) for base in type(callback).__mro__))
    # A progress bar shows what the logs say.
    if isinstance(callback, keras.callbacks.ProgbarLogger):
        return {}
    return {name: value for name, value in vars(callback).items() if name not in skipped}


def _told(callback, what):
    return (
        "`callbacks` must remember nothing but numbers, texts, arrays, Keras variables, random "
        "generators and lists and dicts of them, or have the methods `get_backup_state()` and "
        "`set_backup_state(state)`, or the attribute `only_looks_on = True`. Received: "
        f"{type(callback).__qualname__}, whose {what}"
    )
