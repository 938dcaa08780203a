"""What the header of a backup must hold."""

import random

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
    """Raises a ValueError that names the `file` unless `ExactBackup` can go on from its header."""
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
            f"{', '.join(bad)} is missing or of another kind"
        )
