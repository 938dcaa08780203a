"""A folder that was given where a trained model is expected: that of a run, or one that is not."""

from pathlib import Path

from keras_disentangle._files import read_json
from keras_disentangle.applications._shared.training import MODEL, RESULTS, RUN
from keras_disentangle.datasets._image_files import has_images


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
