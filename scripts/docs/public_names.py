"""What is public, read from the source: no backend is imported."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "keras_disentangle"


def declared(path):
    """`__all__` of a module, or nothing."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return []


def public_names():
    """Dict from each package, "" for the library itself, to the names of its `__all__`.

    Packages among the library's names are left out there; they have entries of their own.
    """
    root = ROOT / PACKAGE
    packages = [name for name in declared(root / "__init__.py") if (root / name).is_dir()]
    found = {"": [name for name in declared(root / "__init__.py") if name not in packages]}
    for name in sorted(packages):
        found[name] = sorted(declared(root / name / "__init__.py"), key=str.casefold)
    return found


def definitions():
    """Dict from each public name, a pair (package, name), to the full name of its definition.

    A function may have the name of its module: `kd.metrics.mig` is defined in another `mig`.
    """
    found = {}
    for package, names in public_names().items():
        tree = ast.parse((ROOT / PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        for node in imports:
            imported = {alias.name for alias in node.names}.intersection(names)
            found |= {(package, name): f"{node.module}.{name}" for name in imported}
    return found


def page_of(package, name):
    """Where the page of a public name is, in the site's sources."""
    return f"api/{package or 'evaluation'}/{name}.md"


def pages():
    """Dict from what readers write, such as `kd.losses.gaussian_kl`, to its page."""
    found = {}
    for package, names in public_names().items():
        prefix = f"kd.{package}." if package else "kd."
        found |= {prefix + name: page_of(package, name) for name in names}
        if package:
            found[f"kd.{package}"] = f"api/{package}/index.md"
    return found
