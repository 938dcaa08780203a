"""Which applications there are, without importing them."""

import importlib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "keras_disentangle.applications"


def names(file="application.py"):
    """The folders of applications that have a file: those that are trained, or others."""
    return sorted(path.parent.name for path in ROOT.glob(f"[!_]*/{file}"))


def find(name):
    """The `Application` of a folder."""
    return importlib.import_module(f"{PACKAGE}.{name}.application").APPLICATION


def converter(name):
    """The module that converts published checkpoints for an application."""
    return importlib.import_module(f"{PACKAGE}.{name}.convert")
