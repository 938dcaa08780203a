"""The arguments of `fit`, for all models: by name, each checked before training begins."""

import contextlib
import inspect

import keras

from keras_disentangle._arguments import check_flag, check_int, check_number, check_verbose, listed
from keras_disentangle.trainers._backend import backend
from keras_disentangle.trainers.finite_terms import StopOnNonFinite
from keras_disentangle.trainers.keras_callbacks import PrepareKerasCallbacks


def fit_arguments(*args, **kwargs):
    """The arguments of a call of `keras.Model.fit`, as a dict by name.

    Raises:
        ValueError: if a setting of the training is out of range. Data are checked elsewhere.
    """
    arguments = inspect.signature(keras.Model.fit).bind(None, *args, **kwargs).arguments
    del arguments["self"]
    return checked(arguments)


def checked(arguments):
    """Arguments of `fit`, `evaluate` or `predict` in a dict, in the types that Keras expects.

    Raises:
        ValueError: if a setting is out of range. Data are checked elsewhere.
    """
    return {name: _CHECKS.get(name, _as_it_is)(name, x) for name, x in arguments.items()}


def training_callbacks(callbacks, x, shuffle=True):
    """The callbacks to give to `fit`: the guards, then the user's, which receive the data."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    callbacks = keras.tree.flatten(callbacks) if callbacks else []
    for callback in callbacks:
        if hasattr(callback, "set_data"):
            callback.set_data(x, shuffle)
    return [*backend.callbacks(), StopOnNonFinite(), PrepareKerasCallbacks(callbacks), *callbacks]


@contextlib.contextmanager
def drawn_in_order(arguments):
    """The arguments of `fit`, with which a stream is drawn in its order; it is closed in the end.

    Streams read ahead, and have shuffled their images themselves. Of data that Keras cannot shuffle
    it is not asked to, unless the user does: it would warn.
    """
    x = arguments.get("x")
    if getattr(x, "is_read_in_order", False) is not True:
        shuffled = hasattr(x, "shape") or isinstance(x, (list, tuple, dict, keras.utils.PyDataset))
        yield arguments if shuffled else {"shuffle": False, **arguments}
        return
    try:
        yield {**arguments, "shuffle": False}
    finally:
        x.close()


def _as_it_is(name, value):
    return value


def _count(name, value):
    return check_int(name, value)


def _count_or_none(name, value):
    return None if value is None else check_int(name, value)


def _shuffle(name, value):
    return value if isinstance(value, str) and value == "batch" else check_flag(name, value)


def _split(name, value):
    return 0.0 if value is None else check_number(name, value, 0, below=1)


def _frequency(name, value):
    """The number of epochs between two validations, or the list of epochs with a validation."""
    if isinstance(value, (list, tuple)):
        return [check_int(f"{name}[{i}]", epoch) for i, epoch in enumerate(listed(value))]
    return check_int(name, value)


def _callbacks(name, value):
    if value is None or isinstance(value, keras.callbacks.CallbackList):
        return value
    found = keras.tree.flatten(value)
    if bad := [part for part in found if not isinstance(part, keras.callbacks.Callback)]:
        raise ValueError(
            f"`{name}` must be a list of `keras.callbacks.Callback`. Received: {bad[0]!r} among "
            f"{len(found)}"
        )
    return found


_CHECKS = {
    "batch_size": _count_or_none,
    "callbacks": _callbacks,
    "epochs": _count,
    "initial_epoch": lambda name, value: check_int(name, value, 0),
    "shuffle": _shuffle,
    "steps": _count_or_none,
    "steps_per_epoch": _count_or_none,
    "validation_batch_size": _count_or_none,
    "validation_freq": _frequency,
    "validation_split": _split,
    "validation_steps": _count_or_none,
    "verbose": check_verbose,
}
