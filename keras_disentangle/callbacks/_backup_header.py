"""Checks of a backup's header: its entries, and whether a training run may resume from it."""

import random

import keras
import numpy as np

from keras_disentangle.callbacks._backup_state import as_tuple

FORMAT = 2

_KEYS = {
    "backend": str,
    "optimizer": str,
    "variables": list,
    "metrics": list,
    "settings": dict,
    "first_count": int,
    "epoch": int,
    "batch": int,
    "steps": (int, type(None)),
    "epochs": int,
    "ended": bool,
    "stopped": bool,
    "first_step": int,
    "logs": dict,
    "memory": dict,
    "random": list,
    "numpy_random": list,
}


def check_header(state, file):
    """Raises a ValueError that names the `file` unless `ExactBackup` can resume from its header."""
    if state.get("format") != FORMAT:
        raise ValueError(
            f"The version of this callback must be that of the backup {file}, "
            f"{state.get('format')}. Received: {FORMAT}"
        )
    bad = [name for name, kind in _KEYS.items() if not isinstance(state.get(name, ...), kind)]
    try:
        random.Random().setstate(as_tuple(state["random"]))
        np.random.RandomState().set_state(state["numpy_random"])
    except (KeyError, TypeError, ValueError, OverflowError):
        bad.append("random")
    if bad:
        raise ValueError(
            f"`path` must hold backups of `ExactBackup`. Received: {file}, in whose header "
            f"{', '.join(bad)} is missing or of the wrong type"
        )


def check_run(state, file, model, params):
    """Raises a ValueError if backend, optimizer or epochs do not match the backup `file`."""
    for what, expected, received in (
        ("backend", state["backend"], keras.backend.backend()),
        ("optimizer", state["optimizer"], type(model.optimizer).__name__),
        ("number of batches in an epoch", state["steps"], params["steps"]),
    ):
        if expected != received:
            raise ValueError(
                f"The {what} must be that of the backup {file}, {expected}. Received: {received}"
            )
    if state["batch"] % model.steps_per_execution:
        raise ValueError(
            f"`steps_per_execution` must divide {state['batch']}, the batch at which {file} was "
            f"made. Received: steps_per_execution={model.steps_per_execution}"
        )
    if params["epochs"] < state["epoch"]:
        raise ValueError(
            f"`epochs` must be at least {state['epoch']}, the number of epochs completed in "
            f"{file}. Received: epochs={params['epochs']}"
        )
