"""The state of the other callbacks of a training run, for a backup."""

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

# Keys of the parts of a state that are not attributes.
_STATE, _CSV = "<state>", "<file>"


def only_looks_on(callback):
    """Whether training gives the same results without the callback."""
    return getattr(callback, "only_looks_on", isinstance(callback, _ONLOOKERS))


class CallbackMemory:
    """The state of callbacks: `get_backup_state()` where they have it, else attributes that change.

    Args:
        callbacks: all callbacks of a training run, in their order.
        backup: the `ExactBackup` among them.
        owned: variables that are saved already.

    Attributes:
        before, after: the callbacks that are called before `backup`, and those called after it.
    """

    def __init__(self, callbacks, backup, owned):
        at = callbacks.index(backup) if backup in callbacks else 0
        self.before, self.after = callbacks[:at], callbacks[at + 1 :]
        for other in (*self.before, *self.after):
            if isinstance(other, (keras.callbacks.BackupAndRestore, type(backup))):
                raise ValueError(
                    "`callbacks` must hold one backup, because each would resume the run. "
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
        self._warned = set()

    def begin(self, callbacks):
        """Records the attributes of callbacks where training begins.

        Raises:
            ValueError: if an attribute may change and a backup cannot hold it.
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
                        raise ValueError(_refusal(callback, f"`{attribute}` is {error}")) from None
                    first[attribute] = None

    def collect(self, arrays):
        """The state of all callbacks in the form that JSON takes; arrays are added to `arrays`."""
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
        """Restores the state that callbacks had in the backup `file`.

        Raises:
            ValueError: if it does not fit a callback.
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
                "`get_backup_state` must return numbers, texts, None, arrays, or lists and dicts "
                f"of them. Received: a value {error}, from {type(callback).__qualname__}"
            ) from None
        if state is not None and not hasattr(callback, "set_backup_state"):
            raise ValueError(
                "A callback whose `get_backup_state` returns a state must have the method "
                f"`set_backup_state`. Received: {type(callback).__qualname__}, which lacks it"
            )
        return encoded

    def _changed(self, callback, name):
        """The attributes that have changed since training began."""
        parts = {}
        first, kept = self._first.get(name, {}), self._kept.get(name, ())
        for attribute, value in _attributes(callback).items():
            if attribute in first and first[attribute] is None:
                continue  # It cannot be kept, of a callback that only looks on.
            try:
                content, arrays = self._encoder.encode(value)
                changed = fingerprint(content, arrays) != first.get(attribute)
                if changed and isinstance(content, dict) and NOTHING in content:
                    raise NotKept(f"of type {type(value).__name__}")
            except NotKept as error:
                if (name, attribute) not in self._warned and not only_looks_on(callback):
                    self._warned.add((name, attribute))
                    reason = _refusal(callback, f"`{attribute}` has become a value {error}")
                    warnings.warn(f"This is not backed up: {reason}", stacklevel=2)
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
    # The state of a progress bar follows from the logs.
    if isinstance(callback, keras.callbacks.ProgbarLogger):
        return {}
    return {name: value for name, value in vars(callback).items() if name not in skipped}


def _refusal(callback, reason):
    return (
        "`callbacks` must hold as their state only numbers, texts, arrays, Keras variables, random "
        "generators and lists and dicts of them, or have the methods `get_backup_state()` and "
        "`set_backup_state(state)`, or the attribute `only_looks_on = True`. Received: "
        f"{type(callback).__qualname__}, whose {reason}"
    )
