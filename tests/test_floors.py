"""Who may import whom: nobody from a floor above, and Keras's private parts in one place."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "keras_disentangle"
BACKENDS = {"tensorflow", "jax", "jaxlib", "torch", "flax"}

# From the ground up. Those of one floor may import each other, though not in a circle; `_` are the
# private modules at the top, and the package itself (`import keras_disentangle`) is for
# applications and the command.
FLOORS = (
    ("_",),
    ("schedules",),
    ("latents",),
    ("layers",),
    ("losses", "observations"),
    ("penalties",),
    ("metrics", "datasets", "visualization"),
    ("trainers",),
    ("models",),
    ("callbacks", "evaluation"),
    ("explorer",),
    ("applications",),
    ("__init__", "__main__"),
)
LEVELS = {name: level for level, names in enumerate(FLOORS) for name in names}


def python_files():
    return sorted(LIBRARY.rglob("*.py"))


@functools.cache
def tree_of(path):
    return ast.parse(path.read_text(), str(path))


def imported(path):
    """(dotted name, at the top level of the module or not) of every import in a file."""
    tree = tree_of(path)
    never = {  # These are for type checkers and the documentation: they are not run.
        node
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "typing.TYPE_CHECKING"
        for node in block.body
    }
    nested = {
        node
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if node in never:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, node not in nested


def place(part):
    """`losses`, `models`, ..., or `_`, of a file or a dotted name below the library."""
    return "_" if part.startswith("_") and part not in ("__init__", "__main__") else part


def arrows():
    """{(package, package that it imports): the first file that does}."""
    found = {}
    for path in python_files():
        source = place(path.relative_to(LIBRARY).parts[0].removesuffix(".py"))
        for module, _ in imported(path):
            package, *rest = module.split(".")
            if package == "keras_disentangle":
                target = place(rest[0]) if rest else "__init__"
                found.setdefault((source, target), str(path.relative_to(ROOT)))
    return {(source, target): file for (source, target), file in found.items() if source != target}


def test_every_package_has_a_floor():
    parts = {
        place(path.relative_to(LIBRARY).parts[0].removesuffix(".py")) for path in python_files()
    }
    assert parts == set(LEVELS)


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_nobody_imports_from_above(name):
    for (source, target), file in arrows().items():
        is_whole = target == "__init__" and source in ("applications", "__main__")
        if source == name and not is_whole:
            assert LEVELS[target] <= LEVELS[source], f"{file} imports {target}"


def test_no_two_packages_import_each_other():
    found = arrows()
    below = {name: {target for source, target in found if source == name} for name in LEVELS}
    # The library as a whole is loaded before any of its applications.
    below["applications"] -= {"__init__"}
    below["__main__"] -= {"__init__"}
    while below:
        free = [name for name, targets in below.items() if not targets & set(below)]
        assert free, f"a circle among {sorted(below)}"
        for name in free:
            del below[name]


@pytest.mark.parametrize(
    "path", python_files(), ids=[str(path.relative_to(ROOT)) for path in python_files()]
)
def test_backends_and_scripts(path):
    in_trainers = path.parent == LIBRARY / "trainers" and path.name.startswith("_")
    may_import = in_trainers or path == LIBRARY / "losses" / "_second_derivative.py"
    for module, at_top in imported(path):
        package = module.split(".")[0]
        where = f"{path.relative_to(ROOT)} imports {module}"
        assert package not in BACKENDS or may_import, where
        assert package not in ("scripts", "tests"), where
        if package == "tensorflow_datasets":
            assert path.parent == LIBRARY / "datasets" and not at_top, where


def test_the_private_parts_of_keras_are_used_in_one_file():
    """Of other objects than `self`, only attributes that the library itself gives them."""
    private = LIBRARY / "_keras_graph.py"
    # A named tuple's, which is documented; an argparse parser's flags, which it tells nowhere else.
    own = {"_make", "_option_string_actions"}
    for path in python_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                own.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                own |= {node.attr} if path != private else set()
    for path in python_files():
        where = path.relative_to(ROOT)
        if path == private:
            continue
        for module, _ in imported(path):
            assert not module.startswith("keras.src"), f"{where} imports {module}"
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and node.attr[0] == "_" and node.attr[:2] != "__":
                assert node.attr in own, f"{where}:{node.lineno} uses {node.attr}"
