"""Nobody imports from a floor above, and backends are imported in two places alone."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "keras_disentangle"
GROUND = (
    *("losses", "layers", "latents", "schedules", "observations"),
    *("metrics", "datasets", "visualization"),
)
BACKENDS = {"tensorflow", "jax", "jaxlib", "torch", "flax"}

# What each floor must not import; the package itself (`import keras_disentangle`) is above all.
ABOVE = {
    **dict.fromkeys(GROUND, {"trainers", "models", "callbacks", "applications", "evaluation"}),
    "trainers": {"models", "callbacks", "applications", "evaluation"},
    "models": {"callbacks", "applications", "evaluation"},
    "evaluation": {"models", "callbacks", "applications"},
    "callbacks": {"models", "applications"},
}


def python_files():
    return sorted(LIBRARY.rglob("*.py"))


def imported(path):
    """(dotted name, at the top level of the module or not) of every import in a file."""
    tree = ast.parse(path.read_text(), str(path))
    nested = {
        node
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, node not in nested


def floor(path):
    """`losses`, `models`, ... of a file of the library."""
    part = path.relative_to(LIBRARY).parts[0]
    return part.removesuffix(".py")


@pytest.mark.parametrize("name", sorted(ABOVE))
def test_nobody_imports_from_above(name):
    for path in python_files():
        if floor(path) != name:
            continue
        for module, _ in imported(path):
            package, _, rest = module.partition(".")
            if package == "keras_disentangle":
                assert rest, f"{path.relative_to(ROOT)} imports the whole package"
                target = rest.split(".")[0]
                assert target not in ABOVE[name], f"{path.relative_to(ROOT)} imports {module}"


def test_every_folder_has_a_floor():
    folders = {path.name for path in LIBRARY.iterdir() if (path / "__init__.py").exists()}
    assert folders - {"applications"} <= set(ABOVE)


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
