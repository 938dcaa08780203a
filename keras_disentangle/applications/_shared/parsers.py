"""What the parsers of all commands have in common."""

import argparse
import contextlib
import json
import sys
from dataclasses import fields, replace
from pathlib import Path

from keras_disentangle._arguments import check_int
from keras_disentangle.applications._shared.files import write_json
from keras_disentangle.applications._shared.recipe import NoSettings, add_flags, given
from keras_disentangle.applications._shared.release import available_weights
from keras_disentangle.applications._shared.runs import model_of_run

PROGRAM = "keras-disentangle"
# Flags of several commands, with the keywords of `add_argument`.
DATA = {
    "--data": {"help": "a data set's name, or a folder, zip or .npz of images"},
    "--data-dir": {"help": "where downloaded data sets lie"},
    "--skip-damaged": {"action": "store_true", "help": "leave out image files that are damaged"},
}
JSON = {
    "--json": {
        "nargs": "?",
        "const": "-",
        "metavar": "FILE",
        "help": "write JSON to a file too; without a name, print it in place of text",
    }
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that lists what there is; their exit status is 2.

    Args:
        words: those of the command, `None` for a module of its own.
        description: what it does.
        flags: dict from a flag or argument to the keywords of `add_argument`.
        settings: a dataclass of `setting`s, each of which gets a flag.
    """

    def __init__(self, words, description=None, flags=None, settings=NoSettings, epilog=None):
        super().__init__(
            prog=None if words is None else f"{PROGRAM} {words}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            allow_abbrev=False,
        )
        for name, keywords in (flags or {}).items():
            self.add_argument(name, **keywords)
        if fields(settings):
            add_flags(self.add_argument_group("settings"), settings, defaults=True)

    def read(self, arguments):
        """A dict of what was given, or an error that lists the flags."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            flags = sorted(name for name in self._option_string_actions if name.startswith("--"))
            self.error(f"unknown {' '.join(unknown)}; there are: {', '.join(flags)}")
        return vars(options)

    def error(self, message):
        usage_error(message)


def usage_error(message):
    """Ends the process: the command was not called as it can be."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def choice(what, name, known):
    """`name`, if it is one of the known ones, or an error that lists them."""
    if name not in known:
        received = "none was given" if name is None else f"not {name!r}"
        usage_error(f"the {what} must be one of: {', '.join(known)}; {received}")
    return name


def of_weights(application):
    """The flag that chooses a trained model."""
    bundled = ", ".join(available_weights().get(application.title, []))
    text = f"bundled weights ({bundled}), a .keras file or the folder of a training"
    return {"--weights": {"default": application.weights, "help": text}}


def check_weights(application, weights):
    """The name of bundled weights, or the file, also of a training's folder; an error that lists
    what there is for any other."""
    known = available_weights().get(application.title, [])
    if weights not in known and Path(str(weights)).expanduser().is_dir():
        return str(model_of_run(weights)[1])
    if not str(weights).endswith(".keras"):
        choice("weights", weights, [*known, "a .keras file"])
    return weights


def of_results(out):
    """The flags of what is written."""
    return {"--out": {"default": out, "help": "folder for what is written"}, **JSON}


def of_training(application, *, several=False):
    """The flags of a training but for its settings.

    Args:
        several: whether models and seeds may have several values each.
    """
    first, many = application.variants[0], {"nargs": "+"} if several else {}
    trained = ", ".join(application.variants) if several else first
    start = f"settings to start from ({application.default_recipe})"
    size = "side of the images in pixels; by default that of the data"
    seed = {"default": [0] if several else 0, "help": "of weights, codes and data order (0)"}
    verbose = "2 prints a line an epoch instead of a bar, 0 nothing"
    return {
        "--recipe": {"choices": sorted(application.recipes), "help": start},
        "--model": {"choices": application.variants, "help": f"what to train ({trained})", **many},
        **DATA,
        "--image-size": {"type": int, "help": size},
        "--seed": {"type": int, **seed, **many},
        "--verbose": {"type": int, "choices": (0, 1, 2), "help": verbose},
    }


def add_recipe(parser, application, *, several=False):
    """A flag for each setting of a recipe but its data; with `several`, of many values each."""
    group = parser.add_argument_group("settings in place of the recipe's")
    add_flags(group, application.recipe_class, several=several, leave_out=("data",))


def own_settings(application, options):
    """The settings of a recipe that were given, but for its data."""
    own = given(options, application.recipe_class)
    own.pop("data", None)
    return own


def recipe_of(application, options, values):
    """The recipe that was chosen, with the settings that were given in place of its own."""
    name = options["recipe"] or application.default_recipe
    if options["image_size"] is not None:
        check_int("image_size", options["image_size"])
    recipe = application.with_data(
        application.recipes[name],
        options["data"],
        options["image_size"],
        options["data_dir"],
        options["recipe"] is not None,
    )
    return replace(recipe, **values)


def settings_of(kind, options):
    """The dataclass `kind` with what was given."""
    return kind(**given(options, kind))


@contextlib.contextmanager
def output(options):
    """Gives a function (content, text) that prints the text and writes JSON, as was asked for.

    If JSON is printed, all other output goes to the standard error.
    """
    stdout, to = sys.stdout, options["json"]

    def put(content, text):
        if to == "-":
            print(json.dumps(content, indent=2), file=stdout)
            return
        print(text)
        if to is not None:
            write_json(Path(to), content)

    if to == "-":
        with contextlib.redirect_stdout(sys.stderr):
            yield put
    else:
        yield put
