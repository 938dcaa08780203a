"""A fixed portion of what `scripts/benchmarks/hostile_files.py` feeds to the readers."""

import importlib.util
import itertools
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmarks" / "hostile_files.py"
KINDS = ("png", "webp", "tif", "images.zip", "images.npz", "labelled.npz", "pair.png")


@pytest.fixture(scope="module")
def hostile():
    spec = importlib.util.spec_from_file_location("hostile_files", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [*KINDS, "checkpoint.pt", "checkpoint.safetensors"])
def test_read_or_refused_by_name(hostile, tmp_path, kind):
    if kind.startswith("checkpoint"):
        pytest.importorskip("torch")
        pytest.importorskip("safetensors")
    (tmp_path / "secret").write_bytes(hostile.SECRET)
    path, read = hostile.honest(kind, tmp_path)
    content = path.read_bytes()
    expected = hostile.digest(read(path))
    for name, bad in itertools.islice(hostile.files(kind, content, 0, tmp_path), 40):
        hostile.restore(path, bad)
        found = hostile.outcome(read, path, expected)
        assert found["outcome"] in ("same", "other", "refused"), (name, found)
        assert found["outcome"] != "other" or kind not in hostile.CHECKED, name


def test_the_whole_file_is_read(hostile, tmp_path):
    path, read = hostile.honest("png", tmp_path)
    assert hostile.outcome(read, path, hostile.digest(read(path)))["outcome"] == "same"
