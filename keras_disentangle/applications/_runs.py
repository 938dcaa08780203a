"""What the commands of every application share: trained models from files, results to files."""

import argparse
import json
import os
import shutil
import time

import keras

from keras_disentangle._initial_values import no_random_values
from keras_disentangle._weights_files import check_weights_file
from keras_disentangle.applications._weights import available_weights
from keras_disentangle.callbacks._backup_lock import FolderLock
from keras_disentangle.schedules import read

RUN = "run.json"


def weights_parser(folder, application, default, command, description):
    """A parser with the option that chooses a trained model, for a command of an application.

    Args:
        folder, application: the application's names, "info_gan" and "InfoGAN".
        default: the weights by default; `None` if they must be given.
        command: "evaluate", of `scripts/evaluate.py`.
        description: what the command does.
    """
    parser = argparse.ArgumentParser(
        prog=f"{command}.py {folder}",
        description=description,
        epilog=f"Example: {command}.py {folder} --weights runs/{folder}/model.keras",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    shipped = ", ".join(available_weights().get(application, []))
    parser.add_argument(
        "--weights",
        default=default,
        required=default is None,
        help=f"shipped weights ({shipped}) or a .keras file",
    )
    return parser


def load_model(path, argument="weights"):
    """A trained model from a `.keras` file, uncompiled; `argument` is what named it.

    Raises:
        ValueError: if there is no such file, it is damaged, or a weight is NaN or infinite.
    """
    try:
        numbers = check_weights_file(path)
        # Some are not stored, such as the states of seeds.
        with no_random_values(most=2 * numbers + 2**20):
            # Without the optimizer, which may be one of PyTorch's alone.
            return keras.models.load_model(path, compile=False)
    except Exception as error:  # zipfile, h5py and Keras each raise their own kinds.
        raise ValueError(
            f"`{argument}` must be a whole .keras file. Received: {path} ({error})"
        ) from error


def save_model(model, path):
    """Writes a `.keras` file whole or not at all."""
    part = path.with_suffix(".part.keras")
    model.save(part)
    os.replace(part, path)


def write_json(path, content):
    """Writes a JSON file whole or not at all, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(part, path)


def clear(log_dir, *folders):
    """Removes what an earlier training wrote, so that its pictures and logs do not mix in."""
    if not (log_dir / RUN).exists():  # Not a folder of ours.
        return
    if (log_dir / "backup").is_dir():  # An error if another process trains there.
        FolderLock(log_dir / "backup").release()
    for name in ("train", "pictures", *folders):
        shutil.rmtree(log_dir / name, ignore_errors=True)
    for name in ("model.part.keras", "model.keras", "results.json"):
        (log_dir / name).unlink(missing_ok=True)


def goes_on(log_dir, settings):
    """Whether the folder holds an unfinished training with the same settings, and its backup."""
    if not _is_unfinished(log_dir):
        return False
    try:
        before = json.loads((log_dir / RUN).read_text())
    except (OSError, ValueError):
        return False
    # As JSON holds them: tuples as lists.
    return before == json.loads(json.dumps(settings))


def check_finished(log_dir):
    """Raises a ValueError if the folder holds an unfinished training that could go on."""
    if _is_unfinished(log_dir):
        raise ValueError(
            "`log_dir` must not hold an unfinished training with other settings; go on with those "
            f"in its {RUN}, remove it or take another folder. Received: log_dir={log_dir}"
        )


def _is_unfinished(log_dir):
    # Of the training itself or of one within it, such as that of a teacher.
    backups = (log_dir / "backup").rglob("backup-*")
    found = any(path.suffix != ".tmp" for path in backups)
    return found and not (log_dir / "results.json").exists()


class Clock(keras.callbacks.Callback):
    """Seconds and steps of this process: of a training that went on, those since then.

    Those of several calls of `fit` add up.
    """

    only_looks_on = True  # for `ExactBackup`

    def get_backup_state(self):
        return None

    def __init__(self):
        super().__init__()
        self.steps, self.seconds = 0, 0.0

    def on_train_begin(self, logs=None):
        self._first_step = read(self.model.step)
        self._begin = time.perf_counter()

    def on_train_end(self, logs=None):
        self.seconds += time.perf_counter() - self._begin
        self.steps += read(self.model.step) - self._first_step
