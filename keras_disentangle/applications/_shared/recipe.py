"""Settings whose fields carry their help and become flags of the command."""

import argparse
import json
from dataclasses import MISSING, dataclass, field, fields
from types import NoneType, UnionType
from typing import get_args, get_origin


@dataclass(frozen=True)
class NoSettings:
    """Of what there is nothing to set."""


def setting(default=MISSING, *, help):
    """A field of a frozen dataclass of settings.

    Its annotation is a type that a flag can hold: `int`, `float`, `str`, `bool`, `dict` (as JSON),
    `tuple[int, ...]` (several values), or one of these or `None`.

    Args:
        default: the value without the flag; without one it must be given.
        help: what the command says of the flag.
    """
    return field(default=default, metadata={"help": help})


def add_flags(parser, kind, *, several=False, leave_out=(), defaults=False):
    """Gives a parser a flag for each field of the dataclass `kind`; `given` reads them.

    Args:
        several: whether a flag takes more than one value, for trainings that differ in it.
        leave_out: names of fields that have a flag already.
        defaults: whether the help tells the defaults; those of recipes differ.
    """
    for known in fields(kind):
        if known.name in leave_out:
            continue
        of, is_tuple = _type(known.type)
        text = known.metadata["help"].replace("%", "%%")
        if defaults and known.default not in (None, MISSING):
            text += f" ({known.default})"
        options = {"help": text, "default": argparse.SUPPRESS}
        if of is bool and not several:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = _READERS.get(of, of)
            options["metavar"] = known.name.upper()
        if is_tuple or several:
            options["nargs"] = "+"
        parser.add_argument(flag(known.name), dest=known.name, **options)


def flag(name):
    """`--steps-per-epoch` of `steps_per_epoch`."""
    return f"--{name.replace('_', '-')}"


def given(options, kind):
    """Dict of the fields of `kind` whose flags were given, from what a parser read."""
    return {
        known.name: tuple(value) if _type(known.type)[1] else value
        for known in fields(kind)
        if (value := options.get(known.name)) is not None
    }


def parsed(kind, name, text):
    """The value of a setting that a word of the command says.

    Raises:
        ValueError: if it says none, or the setting has several values.
    """
    (annotation,) = (known.type for known in fields(kind) if known.name == name)
    of, is_tuple = _type(annotation)
    try:
        if not is_tuple:
            return _READERS.get(of, of)(text)
    except (ValueError, argparse.ArgumentTypeError):
        pass
    what = "a setting of one value" if is_tuple else f"a value of type {of.__name__}"
    raise ValueError(f"`{name}` must be {what}. Received: {name}={text}")


def of_json(kind, content):
    """The settings `kind` that a JSON file holds.

    Raises:
        ValueError: if they are none of this kind.
    """
    names = {known.name for known in fields(kind)}
    if not isinstance(content, dict) or set(content) - names:
        raise ValueError(f"settings must be a JSON object of some of {sorted(names)}")
    listed = {
        name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
    }
    try:
        return kind(**listed)
    except TypeError as error:  # One is missing.
        raise ValueError(f"settings are incomplete: {error}") from error


def _boolean(text):
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"must be true or false, not {text!r}") from error


_READERS = {bool: _boolean, dict: json.loads}


def _type(annotation):
    """The type of one value, and whether there are several."""
    if isinstance(annotation, UnionType):
        (annotation,) = set(get_args(annotation)) - {NoneType}
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0], True
    return annotation, False
