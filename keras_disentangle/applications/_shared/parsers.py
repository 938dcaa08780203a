"""What the parsers of all commands have in common."""

import argparse
import contextlib
import json
import sys
from dataclasses import fields, replace
from pathlib import Path

from keras_disentangle.applications._shared.files import write_json
from keras_disentangle.applications._shared.recipe import add_flags, given
from keras_disentangle.applications._shared.release import available_weights

PROGRAM = "keras-disentangle"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that lists what there is; their exit status is 2."""

    def __init__(self, words, **options):
        super().__init__(
            prog=f"{PROGRAM} {words}",
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            allow_abbrev=False,
            **options,
        )

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


def add_data(parser):
    parser.add_argument("--data", help="a data set's name, or a folder, zip or .npz of images")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")


def add_weights(parser, application):
    """The flag that chooses a trained model."""
    bundled = ", ".join(available_weights().get(application.title, []))
    parser.add_argument(
        "--weights",
        default=application.weights,
        help=f"bundled weights ({bundled}) or a .keras file",
    )


def check_weights(application, weights):
    """An error that lists what there is, unless these are bundled weights or a file's."""
    if not str(weights).endswith(".keras"):
        choice(
            "weights", weights, [*available_weights().get(application.title, []), "a .keras file"]
        )
    return weights


def add_json(parser):
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write JSON to a file too; without a name, print it in place of text",
    )


def add_training(parser, application, *, several=False):
    """The flags of a training, and one for each setting of a recipe.

    Args:
        several: whether models, seeds and settings may have several values each.
    """
    add, many = parser.add_argument, {"nargs": "+"} if several else {}
    add(
        "--recipe",
        choices=sorted(application.recipes),
        help=f"settings to start from ({application.default_recipe})",
    )
    first = application.variants[0]
    add(
        "--model",
        choices=application.variants,
        help=f"what to train ({', '.join(application.variants) if several else first})",
        **many,
    )
    add_data(parser)
    add("--image-size", type=int, help="side of the images in pixels; by default that of the data")
    text = "of weights, codes and data order (0)"
    add("--seed", type=int, default=[0] if several else 0, help=text, **many)
    add("--verbose", type=int, help="2 prints a line an epoch instead of a bar, 0 nothing")
    own = parser.add_argument_group("settings in place of the recipe's")
    add_flags(own, application.recipe_class, several=several, leave_out=("data",))


def own_settings(application, options):
    """The settings of a recipe that were given, but for its data."""
    own = given(options, application.recipe_class)
    own.pop("data", None)
    return own


def add_results(parser, out):
    """The flags of what is written."""
    parser.add_argument("--out", default=out, help="folder for what is written")
    add_json(parser)


def add_settings(parser, kind):
    """A flag for each field of a command's own settings."""
    if fields(kind):
        add_flags(parser.add_argument_group("settings"), kind, defaults=True)


def recipe_of(application, options, values):
    """The recipe that was chosen, with the settings that were given in place of its own."""
    name = options["recipe"] or application.default_recipe
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
