"""Gives Griffe the library's docstrings as Markdown."""

import griffe
from docstrings import markdown
from public_names import PACKAGE, public_names

NAMES = public_names()


class Docstrings(griffe.Extension):
    """Rewrites every docstring when its object has been read."""

    def on_instance(self, *, obj, **kwargs):
        if obj.docstring is None:
            return
        parts = obj.path.split(".")
        package = parts[1] if len(parts) > 1 and parts[1] in NAMES else ""
        name = parts[-1] if obj.is_class or obj.is_function else ""
        own = ".".join(filter(None, [PACKAGE, package, name]))
        obj.docstring.value = markdown(obj.docstring.value, package, own)
