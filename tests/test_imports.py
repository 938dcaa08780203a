"""What `import keras_disentangle` loads, and that each of its packages can be imported first."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_networks import progressive_networks

import keras_disentangle as kd

LIBRARY = Path(kd.__file__).parent
PACKAGES = sorted(
    path.stem
    for path in LIBRARY.iterdir()
    if path.name != "applications"
    and not path.name.startswith("_")
    and (path.suffix == ".py" or (path / "__init__.py").exists())
)
APPLICATIONS = sorted(
    ".".join(path.relative_to(LIBRARY).with_suffix("").parts)
    for path in LIBRARY.glob("applications/[!_]*/*.py")
    if path.name != "__init__.py"
)
USED_LATER = (
    "applications",
    "callbacks",
    "datasets",
    "evaluation",
    "explorer",
    "metrics",
    "visualization",
)
HEAVY = ("h5py", "matplotlib", "PIL", "scipy", "sklearn", "tensorboard")

# All within one interpreter, since loading the backend takes longest: before a package is imported
# the library's modules are forgotten, and it finds an empty library.
SCRIPT = """
import importlib, json, sys, types
path, file, packages, applications = json.loads(sys.argv[1])
sys.path.insert(0, path)
import keras
before = set(sys.modules)
import keras_disentangle
found = {"loaded": sorted(set(sys.modules) - before)}
found["sum"] = float(sum(x.sum() for x in keras.saving.load_model(file).get_weights()))
found["errors"] = {}
for name in applications + packages:
    if name in packages:
        for module in [m for m in sys.modules if m.partition(".")[0] == "keras_disentangle"]:
            del sys.modules[module]
        library = types.ModuleType("keras_disentangle")
        library.__path__ = keras_disentangle.__path__
        sys.modules["keras_disentangle"] = library
    try:
        importlib.import_module(f"keras_disentangle.{name}")
    except Exception as error:
        found["errors"][name] = repr(error)
print(json.dumps(found))
"""

pytestmark = pytest.mark.one_backend


@pytest.fixture(scope="module")
def generator():
    return progressive_networks()["generator"]


@pytest.fixture(scope="module")
def found(generator, tmp_path_factory):
    file = tmp_path_factory.mktemp("models") / "generator.keras"
    generator.save(file)
    arguments = [str(LIBRARY.parent), str(file), PACKAGES, APPLICATIONS]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": keras.backend.backend()},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_library_loads_little_until_it_is_used(found):
    ours = {name for name in found["loaded"] if name.startswith("keras_disentangle.")}
    assert ours and {name.split(".")[1] for name in ours}.isdisjoint(USED_LATER)
    assert {name.split(".")[0] for name in found["loaded"]}.isdisjoint(HEAVY)
    # Where Keras itself has loaded one of these, its import by the library shows in the source.
    for name in ours:
        path = LIBRARY.parent.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in getattr(node, "names", ()) if hasattr(alias, "name")]
            names.append(getattr(node, "module", None) or "")
            assert {x.split(".")[0] for x in names}.isdisjoint(HEAVY), path


def test_each_package_can_be_imported_first(found):
    assert len(PACKAGES) > 10 and len(APPLICATIONS) > 10
    assert found["errors"] == {}


def test_a_file_that_names_a_class_of_an_application_loads_at_once(found, generator):
    assert found["sum"] == pytest.approx(float(sum(np.sum(x) for x in generator.get_weights())))


def test_all_classes_of_applications_that_files_may_name_are_known():
    declared = set()
    for path in LIBRARY.glob("applications/**/*.py"):
        for node in ast.parse(path.read_text()).body:
            decorators = [ast.unparse(x) for x in getattr(node, "decorator_list", ())]
            if any("register_keras_serializable" in x for x in decorators):
                declared.add(f"keras_disentangle>{node.name}")
    known = keras.saving.get_custom_objects()
    assert declared and declared <= set(known)
    for name in declared:
        module = getattr(known[name], "_module", None)
        assert module is None or hasattr(__import__(module, fromlist=["x"]), name.split(">")[1])


def test_names_are_listed_and_loaded():
    for package in (kd, kd.applications):
        assert set(package.__all__) <= set(dir(package))
        for name in package.__all__:
            getattr(package, name)
        with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'other'"):
            package.other  # noqa: B018


@pytest.mark.one_backend
def test_no_two_classes_are_registered_under_one_name():
    """Files would load one of them in place of the other."""
    registered = re.compile(
        r'register_keras_serializable\(\s*"\w+"(?:, name="(\w+)")?\)\nclass (\w+)'
    )
    texts = (path.read_text("utf-8") for path in LIBRARY.rglob("*.py"))
    names = [name or kind for text in texts for name, kind in registered.findall(text)]
    assert len(names) > 50 and len(names) == len(set(names))


@pytest.mark.one_backend
def test_a_missing_backend_is_named():
    script = "import sys; sys.modules['jax'] = None; import keras_disentangle"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(LIBRARY.parent)}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: Keras needs its backend: ") and "KERAS_BACKEND" in last
