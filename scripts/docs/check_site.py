"""Checks a built site as a browser would read it.

python scripts/docs/check_site.py build/site

Every link within the site leads to a file and an anchor of it, nothing is loaded from elsewhere,
and every public name has a page with a rendered docstring. Each fault is printed.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from public_names import definitions, page_of

# Attributes whose address is loaded when the page is shown; others are followed by a click.
LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")}
FOLLOWED = {("a", "href")}
# Links that need not be loaded: <link rel=...>
UNLOADED = {"canonical", "prev", "next", "edit"}


class Page(HTMLParser):
    """The addresses, anchors and text of a page."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.anchors, self.documented = [], {""}, 0
        self._depth = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        for kind, name in LOADED | FOLLOWED:
            if tag == kind and attributes.get(name) and attributes.get("rel") not in UNLOADED:
                self.addresses.append((attributes[name], (kind, name) in LOADED))
        if tag == "div":
            self._depth += bool(self._depth) or "doc-contents" in attributes.get("class", "")

    def handle_endtag(self, tag):
        if tag == "div" and self._depth:
            self._depth -= 1

    def handle_data(self, data):
        if self._depth:
            self.documented += len(data.strip())


def faults(site):
    """What is wrong with a site, a text for each fault."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for address, is_loaded in page.addresses:
            parts = urlsplit(address)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                if is_loaded:
                    yield f"{name} loads {address}"
                continue
            # The page of what a server does not find names addresses from the root.
            start = site if parts.path.startswith("/") else path.parent
            target = (start / unquote(parts.path.lstrip("/"))).resolve() if parts.path else path
            if not target.is_file():
                yield f"{name} leads to {address}, which is no file"
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name} leads to {address}, of which there is no anchor"
    for style in site.rglob("*.css"):
        for address in re.findall(r"url\([\"']?(https?:[^)]*)", style.read_text(encoding="utf-8")):
            yield f"{style.relative_to(site)} loads {address}"
    for (package, name), definition in definitions().items():
        page = pages.get((site / page_of(package, name)).with_suffix(".html").resolve())
        # More than a heading and a signature: at least a sentence.
        if page is None or definition not in page.anchors or page.documented < 20:
            yield f"kd.{package}.{name} has no page with its docstring"


def main(site):
    found = list(faults(Path(site)))
    print("\n".join(found))
    if found:
        raise SystemExit(f"{len(found)} faults")
    number = sum(1 for _ in Path(site).rglob("*.html"))
    print(f"{number} pages: links, anchors and public names are as they should be.")


if __name__ == "__main__":
    main(sys.argv[1])
