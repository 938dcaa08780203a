"""What a source distribution and a package's page hold; needs no backend."""

import fnmatch
import re
import runpy
import tomllib
from pathlib import Path

import pytest

from keras_disentangle import _extras
from keras_disentangle._extras import install

ROOT = Path(__file__).parents[1]


def test_a_source_distribution_holds_commands_tests_and_pictures():
    lines = (ROOT / "MANIFEST.in").read_text().splitlines()
    found = [line.split()[1:] for line in lines if line.startswith("recursive-include")]
    rules = {folder: patterns for folder, *patterns in found}
    # Modules are included without a rule.
    weights = rules.pop("keras_disentangle/applications")
    for path in (ROOT / "keras_disentangle/applications").glob("*/weights/*"):
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in weights), path
    pages = rules.pop("keras_disentangle/explorer")
    for path in (ROOT / "keras_disentangle/explorer").glob("[!_]*"):
        assert path.suffix == ".py" or any(fnmatch.fnmatch(path.name, page) for page in pages), path
    assert set(rules) == {"applications", "docs", "scripts", "tests"}
    for folder, patterns in rules.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns), path


def test_the_description_leads_nowhere_into_the_repository(monkeypatch):
    setuptools = pytest.importorskip("setuptools")
    given = {}
    monkeypatch.setattr(setuptools, "setup", lambda **arguments: given.update(arguments))
    runpy.run_path(str(ROOT / "setup.py"))
    readme, text = (ROOT / "README.md").read_text(), given["long_description"]
    pictures = re.findall(r"!\[[^\]]*\]\([^)]*\)", readme)
    assert pictures and all((ROOT / re.search(r"\((.*)\)$", x)[1]).is_file() for x in pictures)
    assert not re.search(r"\]\((?!https?:|#)", text) and "![" not in text
    # The rest stays, code too.
    kept = [line for line in readme.splitlines() if "](" not in line and line.strip()]
    assert [line for line in text.splitlines() if line in set(kept)] == kept


def test_scikit_learn_is_imported_where_it_is_used():
    for path in (ROOT / "keras_disentangle").rglob("*.py"):
        assert not re.search(r"^(import|from) sklearn", path.read_text(), re.MULTILINE), path


def test_the_version_stands_in_one_place():
    root = (ROOT / "keras_disentangle" / "__init__.py").read_text()
    (version,) = re.findall(r'^__version__ = "(.*)"$', root, re.MULTILINE)
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"({version})" in (ROOT / "CHANGELOG.md").read_text()
    assert not re.search(r'^version = "', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)


def test_extras_are_installed_as_the_library_was(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert install("explore") == f'pip install -e "{ROOT}[explore]"'
    monkeypatch.chdir(ROOT)
    assert install("explore") == 'pip install -e ".[explore]"'
    monkeypatch.setattr(_extras, "__file__", str(tmp_path / "keras_disentangle" / "_extras.py"))
    assert install("explore") == 'pip install "keras_disentangle[explore]"'


def test_extras_that_are_named_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    told = re.compile(r"install\(['\"](\w+)['\"]\)|the\s+extra `(\w+)`")
    named = set()
    for path in (ROOT / "keras_disentangle").rglob("*.py"):
        named |= {name for pair in told.findall(path.read_text()) for name in pair if name}
    assert {"explore", "stream", "datasets"} <= named <= set(project["optional-dependencies"])
