"""A training step of every model of the tests with XLA on TensorFlow, against the uncompiled one.

    KERAS_BACKEND=tensorflow PYTHONPATH=.:tests python scripts/xla_table.py [name ...]

Weights and draws are the same for both. Prints the largest difference of a logged value, and of the
optimizer's moments relative to the largest of a variable, and ends with status 1 if a step does not
compile or a difference is above 1e-4 and 1e-3. Takes about three minutes of one core, nearly all of
it in the compiler.
"""

import sys

import keras
import numpy as np
from model_table import MODELS
from tabled_random import TABLED
from tiny_training import assign_by_hand, fit, numbers

TOLERANCES = (1e-4, 1e-3)


def main(names):
    if keras.backend.backend() != "tensorflow":
        sys.exit("KERAS_BACKEND must be tensorflow: JAX always compiles with XLA, PyTorch never")
    for name, draw in TABLED.items():
        setattr(keras.random, name, draw)
    print(f"{'model':28} {'logs':>9} {'moments':>9}")
    failed = []
    for name in names or MODELS:
        try:
            differences = compare(name)
        except Exception as error:
            print(f"{name:28} {type(error).__name__}: {str(error)[:200]}", flush=True)
            failed.append(name)
            continue
        print(f"{name:28} " + " ".join(f"{value:9.1e}" for value in differences), flush=True)
        if not all(found < limit for found, limit in zip(differences, TOLERANCES, strict=True)):
            failed.append(name)
        keras.backend.clear_session()
    if failed:
        sys.exit(f"Not as uncompiled: {', '.join(failed)}")


def compare(name):
    found = []
    for settings in ({"run_eagerly": True}, {"jit_compile": True}):
        model = MODELS[name].build()
        assign_by_hand(model)
        logs = fit(model, epochs=1, compile_with=settings)
        found.append((list(logs.values()), numbers(model.optimizer.variables)))
    # A logged value may pass 0.
    return [
        _largest(*pair, floor)
        for pair, floor in zip(zip(*found, strict=True), (1e-2, 1e-6), strict=True)
    ]


def _largest(first, second, floor):
    """The largest difference of two lists of arrays, each relative to the array's largest value."""
    return max(
        float(np.max(np.abs(np.subtract(a, b))) / max(np.max(np.abs(a)), floor))
        for a, b in zip(first, second, strict=True)
    )


if __name__ == "__main__":
    main(sys.argv[1:])
