"""What the documentation site is built from; the site itself is built by scripts/docs.sh."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

import keras_disentangle as kd

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.one_backend


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


names = script("public_names")


def test_every_public_name_has_a_page():
    expected = {f"kd.{name}" for name in kd.__all__}
    for name in kd.__all__:
        part = getattr(kd, name)
        expected |= {f"kd.{name}.{own}" for own in getattr(part, "__all__", ())}
    pages = names.pages()
    assert set(pages) == expected
    for (package, name), path in names.definitions().items():
        module, _, own = path.rpartition(".")
        assert getattr(importlib.import_module(module), own) is getattr(
            getattr(kd, package) if package else kd, name
        )
    assert len(names.definitions()) == len(expected) - len(names.public_names()) + 1
    # Also where file systems take no notice of case.
    assert len({page.casefold() for page in pages.values()}) == len(pages)


def test_every_page_is_in_the_navigation():
    text = (ROOT / "scripts" / "docs" / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"([\w/]+\.md)$", text[text.index("\nnav:") :], re.MULTILINE)
    assert len(listed) == len(set(listed))
    own = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
    found = {own.get(page, re.sub("^cards/", "applications/", page)) for page in listed}
    found = {page if (ROOT / page).exists() else f"docs/{page}" for page in found}
    expected = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("applications/**/*.md")}
    expected |= {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert found == expected | set(own.values())


@pytest.mark.parametrize("tutorial", sorted(ROOT.glob("docs/tutorials/*.md")), ids=lambda p: p.stem)
def test_a_tutorial_is_a_title_and_cells_of_valid_python(tutorial):
    text = tutorial.read_text(encoding="utf-8")
    assert text.startswith("# ")
    cells = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert cells
    for cell in cells:
        compile(cell, tutorial.name, "exec")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", re.sub(r"(?s)```.*?```", "", text)):
        assert (tutorial.parent / target).exists(), target


def test_docstrings_become_markdown(monkeypatch):
    monkeypatch.setitem(sys.modules, "public_names", names)
    text = """One sentence, as `kd.losses.dip` does.

Args:
    x: a number; see `Normal`.

Call arguments:
    y: a tensor.

Returns:
    A dict: its values are of rank 1.

Example:

>>> f(1)
2

Reference: Somebody, 2020.
"""
    made = script("docstrings").markdown(text, "latents")
    assert "[`kd.losses.dip`][keras_disentangle.losses.dip.dip]" in made
    assert "[`Normal`][keras_disentangle.latents.normal.Normal]" in made
    assert "**Call arguments:**\n\n- **`y`** – a tensor.\n\n" in made
    assert "**Returns:**\n\nA dict: its values" in made
    assert "**Example:**\n\n```pycon\n>>> f(1)\n2\n```\n\n**Reference:** Some" in made
