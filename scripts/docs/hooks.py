"""Collects the site's pages from the repository and finishes them; hooks of MkDocs.

The pages are those of the repository, where their links are relative to the files. The site has
them at other places (`site`), so links are rewritten; the API's pages are generated.
"""

import json
import posixpath
import re
import sys
from html import unescape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import griffe
from docstrings import CODE
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files
from public_names import PACKAGE, ROOT, definitions, page_of, pages, public_names
from tutorials import page as tutorial

OWN = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "index.md",
}
PICTURES = (".png", ".gif", ".svg")
# Formulas as the extension "arithmatex" leaves them.
FORMULA = re.compile(r'(?s)<(div|span) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>')
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s#]*)((?:#[^)\s]*)?\))")
FENCE = re.compile(r"(?s)(```.*?```)")
API = pages()


def site(path):
    """Where a file of the repository is in the site, or `None`."""
    if path in OWN:
        return OWN[path]
    folder, _, rest = path.partition("/")
    if not path.endswith((".md", *PICTURES)):
        return None
    return {"docs": rest, "applications": f"cards/{rest}"}.get(folder)


def repository():
    """The files of the repository that the site shows, by their place in it."""
    found = [path for path in OWN if path != "README.md"]
    for folder in ("docs", "applications"):
        found += [path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.*")]
    return {site(path): path for path in sorted(found) if site(path)}


SOURCES = repository()


def on_files(files, config):
    kept, contents = [file for file in files if file.src_uri.startswith("assets/")], api_pages()
    for uri, path in SOURCES.items():
        if uri.startswith("tutorials/") and uri.endswith(".md"):
            contents |= tutorial(Path(uri).stem)
        else:
            kept.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    kept += [File.generated(config, uri, content=content) for uri, content in contents.items()]
    return Files(kept)


def api_pages():
    """The generated pages: one for each public name, one for each package, and the first."""
    library, defined = griffe.load(PACKAGE, search_paths=[str(ROOT)]), definitions()
    found, first = {}, ["# API", "", "| package | holds |", "|---|---|"]
    for package, names in public_names().items():
        title = f"kd.{package}" if package else "Evaluation"
        module = library[package] if package else library["evaluation"]
        folder = package or "evaluation"
        first.append(f"| [{title}]({folder}/index.md) | {summary_of(module)} |")
        lines = [f"# {title}", "", module.docstring.value, "", "| name | |", "|---|---|"]
        for name in names:
            path = defined[package, name]
            thing = library[path.removeprefix(f"{PACKAGE}.")]
            lines.append(f"| [`{name}`]({name}.md) | {summary_of(thing)} |")
            heading = ".".join(filter(None, ["kd", package, name]))
            found[page_of(package, name)] = documented(thing, heading)
        found[f"api/{folder}/index.md"] = "\n".join(lines)
    return {"api/index.md": "\n".join(first), **found}


def documented(thing, heading):
    """The page of a public name, for mkdocstrings."""
    options = {"heading": heading, "toc_label": thing.name}
    if thing.is_class:
        options["inherited_members"] = inherited(thing)
    return f"::: {thing.path}\n    options: {json.dumps(options)}\n"


def inherited(thing):
    """The members that a class has from private classes: those of public ones have pages."""
    public = set(definitions().values())
    bases = [base for base in thing.mro() if base.path in public]
    elsewhere = {name for base in bases for name in base.all_members}
    return sorted({*thing.inherited_members} - elsewhere)


def summary_of(thing):
    """The first sentence of a docstring, for a cell of a table."""
    text = " ".join(thing.docstring.value.split("\n\n")[0].split())
    parts = text.split("$")  # every other one is a formula
    bars = ("\\|", "\\vert ")
    return "$".join(part.replace("|", bars[i % 2]) for i, part in enumerate(parts))


def on_config(config):
    """The API's pages join the navigation."""
    parts = ["api/index.md"]
    for package, names in public_names().items():
        folder = package or "evaluation"
        items = [{name: page_of(package, name)} for name in names]
        parts.append({folder: [f"api/{folder}/index.md", *items]})
    config.nav = [
        {key: parts if value == "API" else value for key, value in part.items()}
        for part in config.nav
    ]
    return config


def on_page_markdown(markdown, page, config, files):
    """Links lead to where the site has the files; public names lead to their pages."""
    uri = page.file.src_uri
    source = SOURCES.get(uri)
    here = posixpath.dirname(uri)

    def link(match):
        if not match[2] or re.match(r"\w+:", match[2]):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        target = site(path)
        if target not in SOURCES and target != "index.md":
            return match[0]
        return f"{match[1]}{posixpath.relpath(target, here or '.')}{match[3]}"

    def name(match):
        if match.string[: match.start()].endswith("["):  # a link already
            return match[0]
        target = API.get(match[0][1:-1].removesuffix("()"))
        return f"[{match[0]}]({posixpath.relpath(target, here or '.')})" if target else match[0]

    if source is None:
        return markdown
    parts = FENCE.split(markdown)
    parts[::2] = [CODE.sub(name, LINK.sub(link, part)) for part in parts[::2]]
    return "".join(parts)


def on_page_content(html, page, config, files):
    """Formulas become MathML, which browsers show without scripts or fonts."""

    def formula(match):
        made = convert(unescape(match[2]), "block" if match[1] == "div" else "inline")
        if "\\" in made:
            raise ValueError(f"{page.file.src_uri}: no MathML for {match[2]!r}: {made}")
        return made

    return FORMULA.sub(formula, html)
