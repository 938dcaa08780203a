"""Gives Griffe the library's docstrings as Markdown."""

import griffe
from docstrings import markdown


class Docstrings(griffe.Extension):
    """Rewrites every docstring when its object has been read."""

    def on_instance(self, *, obj, **kwargs):
        if obj.docstring is not None:
            package = [*obj.path.split("."), ""][1]
            obj.docstring.value = markdown(obj.docstring.value, package, obj.path)
