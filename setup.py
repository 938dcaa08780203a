"""The description of the package: the README without what leads into the repository.

A page outside it shows neither its pictures nor its files: pictures go, links become their texts.
Everything else is in pyproject.toml.
"""

import re
from pathlib import Path

from setuptools import setup

PICTURE = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)[^)]*\)")


def description():
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    return LINK.sub(r"\1", PICTURE.sub("", text))


setup(long_description=description(), long_description_content_type="text/markdown")
