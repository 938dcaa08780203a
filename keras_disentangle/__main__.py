"""The command `keras-disentangle`, also `python -m keras_disentangle`.

    keras-disentangle list                                applications, recipes, bundled weights
    keras-disentangle train APPLICATION [flags]           trains a model by a recipe
    keras-disentangle evaluate APPLICATION [flags]        scores a trained model
    keras-disentangle evaluate MODEL.keras --data DATA    scores any Keras model that encodes images
    keras-disentangle compare APPLICATION [RUN ...]       compares training runs
    keras-disentangle traverse APPLICATION [flags]        draws the effect of each latent
    keras-disentangle explore NAME | MODEL.keras | RUN    moves latents in the browser
    keras-disentangle ship APPLICATION NAME MODEL.keras   bundles trained weights
    keras-disentangle reproduce [TABLE]                   how a table of the cards was measured
    keras-disentangle convert APPLICATION [flags]         converts published checkpoints

RUN is the folder of a training, which evaluate and traverse take in place of APPLICATION too.
COMMAND APPLICATION --help lists the flags. The environment variable KERAS_BACKEND chooses
tensorflow, jax or torch.
"""

import sys
import warnings
from pathlib import Path

from keras_disentangle.applications._shared import (
    commands,
    exploring,
    listing,
    registry,
    reproducing,
    runs,
)
from keras_disentangle.applications._shared.parsers import choice, usage_error
from keras_disentangle.applications._shared.release import manifests

COMMANDS = ("list", *commands.OF_APPLICATIONS, "explore", "reproduce", "convert")


def main(arguments=None):
    """Runs one command; its exit status is 2 if it was not called as it can be, 1 after errors."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--help"], ["-h"]):
        print(__doc__.strip())
        return
    command, *words = words or [None]
    choice("command", command, COMMANDS)
    before, warnings.formatwarning = warnings.formatwarning, _warning
    try:
        _run(command, words)
    except (ValueError, FileNotFoundError, ImportError) as error:
        sys.exit(f"error: {error}")
    finally:
        warnings.formatwarning = before


def _warning(message, category, filename, lineno, line=None):
    """A warning as a line; of other packages, with the place in the code."""
    if Path(__file__).parent in Path(filename).parents:
        return f"warning: {message}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"


def _run(command, words):
    if command == "list":
        return listing.show(words)
    if command == "reproduce":
        return reproducing.reproduce(words)
    if command == "evaluate" and words and words[0].endswith(".keras"):
        return commands.evaluate_file(words)
    if command == "explore" and words and words[0].endswith(".keras"):
        return exploring.explore_file(words)
    known = registry.names("convert.py" if command == "convert" else "application.py")
    if command in ("evaluate", "traverse", "explore") and words and _is_folder(words[0], known):
        name, model = runs.model_of_run(words[0])
        words = [name, "--weights", str(model), *words[1:]]
    if words in (["--help"], ["-h"]):
        if command == "explore":
            return exploring.explore_file(words)
        print(f"{command} APPLICATION [flags]\n\nAPPLICATION is one of: {', '.join(known)}")
        return None
    name = words[0] if words else None
    if command == "explore":
        return exploring.explore_name(name, words[1:])
    if name not in known and name in registry.names("convert.py"):
        usage_error(f"{name} has published checkpoints alone: only `convert` takes it")
    choice("application", name, known)
    if command == "convert":
        return registry.converter(name).main(words[1:])
    return commands.OF_APPLICATIONS[command](registry.find(name), words[1:])


def _is_folder(word, applications):
    """Whether a word is the path of a folder, and not the name of anything else."""
    names = {*applications, *(name for _, _, entries in manifests() for name in entries)}
    return word not in names and Path(word).expanduser().is_dir()


if __name__ == "__main__":
    main()
