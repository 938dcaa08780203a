"""Lazy loading: of packages' attributes, and of classes that saved files name."""

import importlib
import sys

import keras


def attributes(package, modules):
    """`__getattr__` and `__dir__` of a package, some of whose attributes are loaded on first use.

    Args:
        package: its `__name__`.
        modules: dict from an attribute to the name of the module that defines it, or to `None` if
            it is a module of the package itself.
    """

    def load(name):
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if modules[name] is None:
            return importlib.import_module(f"{package}.{name}")
        found = getattr(importlib.import_module(modules[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    def names():
        return sorted({*vars(sys.modules[package]), *modules})

    return load, names


def register(name, module):
    """Lets Keras load files that refer to a class whose module is not loaded yet."""
    keras.saving.get_custom_objects()[f"keras_disentangle>{name}"] = _Unloaded(name, module)


class _Unloaded:
    """A placeholder for a class until a file refers to it; the import then replaces it."""

    def __init__(self, name, module):
        self._name, self._module = name, module

    def __repr__(self):
        return f"<class {self._module}.{self._name}, not loaded yet>"

    def from_config(self, config):
        return getattr(importlib.import_module(self._module), self._name).from_config(config)
