"""The folder of a training run: what it holds, and whether it can be resumed or read."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_disentangle._files import read_json
from keras_disentangle.applications._shared.recipe import of_json
from keras_disentangle.callbacks._backup_lock import FolderLock
from keras_disentangle.datasets._image_files import has_images

RUN, RESULTS, MODEL = "run.json", "results.json", "model.keras"


@dataclass
class FinishedRun:
    """A finished run: its name, its folder, what is in `results.json`, and its recipe."""

    name: str
    folder: Path
    results: dict
    recipe: Any

    def load(self, application):
        return application.load(self.folder / MODEL)


def read_run(application, log_dir):
    """A finished run of an application.

    Raises:
        ValueError: if the folder holds none.
    """
    path = Path(log_dir) / RESULTS
    try:
        results = read_json(path, "settings", "history", "seed")
        recipe = of_json(application.recipe_class, results["settings"])
        application.check_results(results)
    except (OSError, ValueError, LookupError, AttributeError, TypeError, StopIteration) as error:
        raise ValueError(
            f"`runs` must be folders of finished trainings of {application.title}, with their "
            f"{RESULTS}. Received: {path} ({type(error).__name__}: {error})"
        ) from error
    return FinishedRun(Path(log_dir).name, Path(log_dir), results, recipe)


def recipe_beside(application, path):
    """The recipe of the run that a `.keras` file belongs to, `None` if that is not known."""
    try:
        results = read_json(Path(path).parent / RESULTS, "application", "settings")
        if results["application"] != application.name:
            return None
        return of_json(application.recipe_class, results["settings"])
    except (OSError, ValueError):
        return None


def clear(log_dir, leaves=()):
    """Removes what an earlier run wrote, so that its pictures and logs do not mix in.

    Args:
        leaves: names of further files and folders.
    """
    if not (log_dir / RUN).exists():  # Not a folder of ours.
        return
    if (log_dir / "backup").is_dir():  # An error if another process trains there.
        FolderLock(log_dir / "backup").release()
    unfinished = [path.name for path in log_dir.glob(f"{MODEL}.*.tmp.keras")]  # of killed runs
    # Of the backups there are none, but `ExactBackup` may have locked their folder.
    for name in ("train", "pictures", MODEL, RESULTS, *unfinished, *leaves):
        path = log_dir / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def resumes(log_dir, settings):
    """Whether the folder holds an unfinished run with these settings, and its backup.

    Raises:
        ValueError: if it holds an unfinished one with others.
    """
    # Of the training itself or of one within it, such as that of a teacher.
    backups = [path for path in (log_dir / "backup").rglob("backup-*") if path.suffix != ".tmp"]
    if not backups:
        return False
    if not (log_dir / RUN).is_file():
        raise ValueError(
            f"`log_dir` must not hold backups without a {RUN}, which says of what training they "
            f"are; remove {log_dir / 'backup'} or take another folder. Received: log_dir={log_dir}"
        )
    if not (differ := _differences(log_dir / RUN, settings)):
        return True
    raise ValueError(
        "`log_dir` must not hold an unfinished training with other settings; resume it with "
        f"those in its {RUN}, remove it or take another folder. Received: log_dir={log_dir}, which "
        f"differs in {differ}"
    )


def finished(log_dir, settings):
    """What `results.json` holds, if the folder holds a finished run with these settings.

    Raises:
        ValueError: if it holds a finished one with others, or what may be one, which would be lost.
    """
    if not (log_dir / RESULTS).is_file():
        return None
    # Without its run.json, which a copy may lack, the results tell the settings too.
    known = log_dir / (RUN if (log_dir / RUN).is_file() else RESULTS)
    if not (differ := _differences(known, settings)):
        return json.loads((log_dir / RESULTS).read_text())
    raise ValueError(
        "`log_dir` must not hold a finished training with other settings, which would be lost; "
        f"remove it or take another folder. Received: log_dir={log_dir}, which differs in {differ}"
    )


def _differences(path, settings):
    """The names of the settings that are others in a file of a run, or what is wrong with it."""
    try:
        found = json.loads(path.read_text())
        recipe = dict(found["settings"])
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        return f"{path.name}, which is none of a training ({type(error).__name__})"
    # As JSON holds them: tuples as lists.
    asked = json.loads(json.dumps(settings))
    differ = {name for name in asked if found.get(name) != asked[name]} - {"settings"}
    asked = asked["settings"]
    differ |= {name for name in {*asked, *recipe} if recipe.get(name) != asked.get(name)}
    return sorted(differ)


def model_of_run(folder):
    """The model of a run's folder.

    Returns:
        `(application, path)`: the name of its application, and the `.keras` file.

    Raises:
        ValueError: if it is the folder of a run without a model, or of none; says what it holds.
    """
    folder = Path(folder).expanduser()
    application = application_of(folder)
    if application is not None and (folder / MODEL).is_file():
        return application, folder / MODEL
    if application is not None:
        raise ValueError(
            f"{folder} is the folder of a training of {application} that has no {MODEL} yet: "
            "started again with the same flags it goes on"
        )
    expected = "a .keras file, or the folder of a finished training"
    if found := sorted([*folder.glob("*.keras"), *(run.parent for run in folder.glob(f"*/{RUN}"))]):
        names = ", ".join(map(str, found[:3])) + ", …" * (len(found) > 3)
        raise ValueError(f"The model must be {expected}. Received: {folder}, which holds {names}")
    if has_images(folder):
        raise ValueError(
            f"The model must be {expected}; a folder of images is given by --data {folder}. "
            f"Received: {folder}, which holds images"
        )
    raise ValueError(f"The model must be {expected}. Received: {folder}, which is neither")


def application_of(folder):
    """The name of the application that trained in a folder, `None` if none did."""
    for name in (RUN, RESULTS):
        try:
            return str(read_json(Path(folder) / name, "application")["application"])
        except (OSError, ValueError):
            continue
    return None
