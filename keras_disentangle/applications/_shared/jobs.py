"""Trainings in processes of their own, several at once.

`python -m keras_disentangle.applications._shared.jobs JSON` trains one: a dict of the application
and of the arguments of `training.train`.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import keras

from keras_disentangle.applications._shared import registry, training
from keras_disentangle.applications._shared.data import skipping_damaged, skips_damaged
from keras_disentangle.applications._shared.recipe import of_json

_ROOT = Path(__file__).parents[3]
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
_PAUSE = 0.2  # seconds between two looks at what runs


def run(application, trainings, num_jobs):
    """Trains each in a process of its own, `num_jobs` at once, which share the cores.

    What a training prints goes into a `.log` file beside its folder. When this is interrupted, all
    are ended; started again, they resume from their backups.

    Args:
        application: the `Application`.
        trainings: list of dicts of the arguments of `training.train` but for the application.
        num_jobs: how many at once.

    Returns:
        Dict from the folder of each training that failed to its last words.
    """
    waiting, running, failed, count = list(trainings), {}, {}, 0
    with _ended_together(running):
        while waiting or running:
            while waiting and len(running) < num_jobs:
                chosen = waiting.pop(0)
                running[chosen["log_dir"]] = _start(application, chosen, num_jobs)
            ended = {folder: job for folder, job in running.items() if job.poll() is not None}
            for folder, job in ended.items():
                del running[folder]
                count += 1
                if job.returncode:
                    failed[folder] = _last_words(folder, job.returncode)
                state = f"failed: {failed[folder]}" if folder in failed else "trained"
                print(f"{count}/{len(trainings)} {folder.name}: {state}", flush=True)
            time.sleep(0 if ended else _PAUSE)
    return failed


@contextlib.contextmanager
def _ended_together(running):
    """Ends the processes in `running` if this one is ended, by an error, Ctrl-C or SIGTERM."""

    def end(number, frame):
        raise SystemExit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # Not in the main thread, to which signals go.
        before = None
    try:
        yield
    finally:
        for job in running.values():
            job.terminate()
        for job in running.values():
            job.wait()
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _start(application, chosen, num_jobs):
    chosen = {**chosen, "recipe": asdict(chosen["recipe"]), "log_dir": str(chosen["log_dir"])}
    threads = str(max(1, (os.cpu_count() or 1) // num_jobs))
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {
        **dict.fromkeys(_THREADS, threads),
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
        "PYTHONPATH": path,
    }
    asked = {"name": application.name, "skip_damaged": skips_damaged(), **chosen}
    command = [sys.executable, "-m", __name__, json.dumps(asked)]
    log = Path(f"{chosen['log_dir']}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as file:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment
        )


def _last_words(folder, code):
    """The last error that a log names."""
    if code < 0:
        return f"ended by signal {-code}"
    lines = Path(f"{folder}.log").read_text(errors="replace").strip().splitlines()
    # Keras adds lines of explanation after the error.
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Exit|Interrupt)\b", line)]
    return [f"exit status {code}", *lines[-1:], *errors[-1:]][-1][:300]


def main(text):
    """Trains what a JSON object says."""
    chosen = json.loads(text)
    application = registry.find(chosen.pop("name"))
    recipe = of_json(application.recipe_class, chosen.pop("recipe"))
    with skipping_damaged(chosen.pop("skip_damaged")):
        training.train(application, recipe, **chosen)


if __name__ == "__main__":
    main(sys.argv[1])
