"""Published checkpoints of BigGAN: read safely, converted completely, with equal images."""

import json
import os
import pathlib
import pickle
import re
import sys

import keras
import numpy as np
import pytest
import random_checkpoints

import keras_disentangle as kd
from keras_disentangle._files import sha256
from keras_disentangle.applications.biggan import checkpoint
from keras_disentangle.applications.biggan.convert import convert, main

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

PUBLISHED = json.loads(pathlib.Path(__file__).with_name("published_biggans.json").read_text())
TINY = {"channels": 4, "num_classes": 3}

# What reads and refuses computes with NumPy alone.
one_backend = pytest.mark.one_backend


def random_checkpoint(family, seed=0, **sizes):
    """Name -> array of a published network, "biggan" or "deep"."""
    return random_checkpoints.fill(getattr(random_checkpoints, f"{family}_shapes")(**sizes), seed)


def save(path, arrays, **settings):
    torch.save({name: torch.from_numpy(value) for name, value in arrays.items()}, path, **settings)
    return path


# So is what it reads into; the deep layers are computed beside NumPy, on every backend, elsewhere.
ON_ONE = {"deep_128": one_backend, "deep_256": one_backend}


@pytest.mark.parametrize(
    "key", [pytest.param(key, marks=ON_ONE.get(key, ())) for key in PUBLISHED["networks"]]
)
def test_images_are_as_published(key, tmp_path):
    network = PUBLISHED["networks"][key]
    sizes = {name: network[name] for name in ("image_size", "channels", "num_classes")}
    arrays = random_checkpoint(key.split("_")[0], network["seed"], **sizes)
    manifest = convert(save(tmp_path / "a.pth", arrays), tmp_path / "a.weights.h5")
    assert sizes.items() <= manifest["settings"].items()
    model = getattr(kd.applications, manifest["application"])(
        tmp_path / "a.weights.h5", **manifest["settings"]
    )
    size = network["image_size"]
    rows = slice(*PUBLISHED["pixels"][str(size)])
    # JAX takes longer to compile the operations one by one.
    call = model.predict_on_batch if keras.backend.backend() == "jax" else model
    for output in network["outputs"]:
        labels = output["labels"]
        z = random_checkpoints.latents(len(labels), model.latent_dim, output["latent_seed"])
        if output["truncation"] is not None:
            model.truncation = output["truncation"]
        images = keras.ops.convert_to_numpy(call([z, np.array(labels)]))
        assert images.shape == (len(labels), size, size, 3)
        pixels, means = images[:, rows][:, :, rows], images.mean(axis=(1, 2))
        np.testing.assert_allclose(pixels.reshape(-1), output["pixels"], rtol=0, atol=1e-4)
        np.testing.assert_allclose(means.reshape(-1), output["means"], rtol=0, atol=2e-5)


@one_backend
@pytest.mark.parametrize("family", ["biggan", "deep"])
def test_the_manifest_tells_of_every_tensor(family, tmp_path):
    arrays = random_checkpoint(family, **TINY)
    path = save(tmp_path / "a.pth", arrays)
    manifest = convert(path, tmp_path / "b" / "a.weights.h5", tmp_path / "c" / "a.json")
    assert json.loads((tmp_path / "c" / "a.json").read_text()) == manifest
    assert manifest["checkpoint"] == {
        "file": "a.pth",
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
    }
    tensors = manifest["tensors"]
    assert {name: tuple(tensor["shape"]) for name, tensor in tensors.items()} == {
        name: value.shape for name, value in arrays.items()
    }
    unused = {name for name, tensor in tensors.items() if "unused" in tensor}
    assert unused == {name for name in arrays if name.endswith(".sv0")}
    model = getattr(kd.applications, manifest["application"])(
        tmp_path / "b" / "a.weights.h5", **manifest["settings"]
    )
    paths = {weight.path for weight in model.weights if "truncation" not in weight.path}
    assert {path for tensor in tensors.values() for path in tensor.get("to", ())} == paths


@one_backend
def test_the_command_says_how_to_load(tmp_path, command, capsys):
    path = save(tmp_path / "a.pth", random_checkpoint("biggan", **TINY))
    weights = tmp_path / "a.weights.h5"
    words = ["convert", "biggan", "--to", weights, "--checkpoint"]
    assert command(*words, path) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    model = eval(told, {"kd": kd})
    assert (model.image_shape, model.num_classes) == ((128, 128, 3), 3)
    assert re.match("error: .* existing file. .*nowhere.pth", command(*words, "nowhere.pth"))
    assert command("convert", "--help") == 0 and "biggan" in capsys.readouterr().out
    assert command("convert", "biggan", "--help") == 0
    assert "--checkpoint" in capsys.readouterr().out


@one_backend
def test_wrapped_and_prefixed_and_older_files_are_read(tmp_path):
    arrays = {"a": np.arange(6, dtype="float32").reshape(2, 3), "b": np.float32(2.0)[None]}
    tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
    parallel = {f"module.{name}": value for name, value in tensors.items()}
    files = {
        "whole.pth": (tensors, {}),
        "older.bin": (tensors, {"_use_new_zipfile_serialization": False}),
        "wrapped.pt": ({"state_dict": parallel, "epoch": 3, "optimizer": {"state": {}}}, {}),
        "half.pth": ({name: value.half() for name, value in tensors.items()}, {}),
        "bfloat16.pth": ({name: value.bfloat16() for name, value in tensors.items()}, {}),
        "parameters.pth": ({n: torch.nn.Parameter(value) for n, value in tensors.items()}, {}),
    }
    for name, (content, settings) in files.items():
        torch.save(content, tmp_path / name, **settings)
        read = checkpoint.read_state_dict(tmp_path / name)
        assert list(read) == list(arrays)
        for key, value in arrays.items():
            assert read[key].dtype == "float32"
            np.testing.assert_array_equal(read[key], value)


@one_backend
def test_safetensors_are_read(tmp_path):
    kinds = (torch.float32, torch.float16, torch.bfloat16)
    tensors = {str(kind): torch.arange(6, dtype=kind).reshape(2, 3) for kind in kinds}
    safetensors.save_file(tensors, tmp_path / "a.safetensors")
    read = checkpoint.read_state_dict(tmp_path / "a.safetensors")
    assert set(read) == set(tensors)
    for value in read.values():
        assert value.dtype == "float32"
        np.testing.assert_array_equal(value, np.arange(6).reshape(2, 3))
    (tmp_path / "b.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-8])
    with pytest.raises(ValueError, match="whole safetensors file.*Received: .*b.safetensors"):
        checkpoint.read_state_dict(tmp_path / "b.safetensors")


@one_backend
@pytest.mark.parametrize("package, suffix", [("torch", ".pth"), ("safetensors", ".safetensors")])
def test_a_missing_package_is_named(package, suffix, tmp_path, monkeypatch):
    (tmp_path / f"a{suffix}").touch()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"needs {package}.*pip install .*checkpoints"):
        checkpoint.read_state_dict(tmp_path / f"a{suffix}")


class Malicious:
    """A pickle of this touches a file when it is loaded."""

    def __init__(self, marker, tensors):
        self.marker, self.tensors = marker, tensors

    def __reduce__(self):
        return pathlib.Path.touch, (self.marker,)


@one_backend
@pytest.mark.parametrize("kind", ["archive", "older", "pickle"])
def test_code_in_a_checkpoint_is_not_run(kind, tmp_path):
    marker, path = tmp_path / "marker", tmp_path / "a.pth"
    content = {"a": torch.zeros(2), "b": Malicious(marker, torch.zeros(2))}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content["b"], protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "archive")
    for read in (checkpoint.read_state_dict, checkpoint.read_directions):
        with pytest.raises(ValueError, match="nothing that runs code; none of it was run.*a.pth"):
            read(path)
    assert not marker.exists()
    # It would have been.
    if kind == "pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert marker.exists()


@one_backend
def test_what_is_no_state_dict_is_refused(tmp_path):
    path = tmp_path / "a.pth"
    with pytest.raises(ValueError, match="existing file. Received: .*a.pth"):
        checkpoint.read_state_dict(path)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="Received: .*a.pth"):
        checkpoint.read_state_dict(path)
    save(path, {"a": np.zeros(100, "float32")})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="Received: .*a.pth"):
        checkpoint.read_state_dict(path)
    path.rename(tmp_path / "a.npy")
    with pytest.raises(ValueError, match="must end in one of .*Received: .*a.npy"):
        checkpoint.read_state_dict(tmp_path / "a.npy")
    one = {"a": torch.zeros(2)}
    for content, received in (
        ([torch.zeros(2)], "a list"),
        (torch.zeros(2), r"a tensor of shape \(2,\)"),
        ({"epoch": 3}, r"the keys \['epoch'\]"),
        ({}, r"the keys \[\]"),
        ({3: torch.zeros(2)}, r"the keys \['3'\]"),
        ({"G": one, "G_ema": one}, r"the keys .*, of which state dicts: \['G', 'G_ema'\]"),
    ):
        torch.save(content, path)
        with pytest.raises(ValueError, match=f"one state dict.*Received: .*a.pth with {received}"):
            checkpoint.read_state_dict(path)


@one_backend
def test_tensors_of_no_use_are_named(tmp_path):
    for value, message in (
        (torch.tensor([1.0, float("nan")]), "must be finite. Received: b of .*a.pth"),
        (torch.tensor([1.0, float("inf")]).half(), "must be finite. Received: b of .*a.pth"),
        (torch.zeros(2, dtype=torch.complex64), "real numbers. Received: b of .*complex64"),
        (torch.eye(2).to_sparse(), "must be dense .*Received: b of .*a.pth"),
        (torch.zeros(2, device="meta"), "must be dense .*Received: b of .*a.pth"),
    ):
        torch.save({"a": torch.zeros(2), "b": value}, tmp_path / "a.pth")
        with pytest.raises(ValueError, match=message):
            checkpoint.read_state_dict(tmp_path / "a.pth")


def drop(*names):
    return lambda arrays: {n: v for n, v in arrays.items() if not n.endswith(names)}


def change(name, value):
    return lambda arrays: {**arrays, name: value(arrays[name]) if callable(value) else value}


@one_backend
@pytest.mark.parametrize(
    "family, alter, message",
    [
        ("biggan", drop("s.2.0.conv2.bias"), r"without \['blocks.2.0.conv2.bias'\]$"),
        ("deep", change("extra.weight", np.zeros(2)), r"with \['extra.weight'\]$"),
        ("deep", drop(".weight_u"), r"without \['generator[^\]]*'\]$"),
        (
            "biggan",
            change("blocks.1.0.conv1.weight", lambda value: value[1:]),
            r"blocks.1.0.conv1.weight must be floats of the shape \(32, 64, 3, 3\), .*"
            r"Received: float32 of the shape \(31, 64, 3, 3\)",
        ),
        (
            "deep",
            change("generator.bn.bias", lambda value: value.astype("int32")),
            r"generator.bn.bias must be floats of .*Received: int32",
        ),
        ("biggan", drop("conv1.weight"), "3 to 7 blocks. Received: 0"),
        ("deep", drop("layers.3.conv_0.weight_orig"), r"in \[10, 12, 14\]. Received: 9"),
        ("biggan", drop("linear.weight"), "a tensor linear.weight with 2 axes. Received: None"),
        ("biggan", drop("shared.weight"), "of the generator of .*Received: .* and 155 more"),
        ("biggan", drop(".sv0"), r"the tensors \*.sv0 of the published code.*epsilon \(1e-4\)"),
        (
            "biggan",
            change("blocks.0.0.bn1.bn.running_mean", np.zeros(64)),
            r"adds it at inference. Received: .* with \['blocks.0.0.bn1.bn.running_mean'\]",
        ),
        (
            "biggan",
            change("blocks.0.0.bn1.bn.accumulation_counter", np.ones(1)),
            r"not sums over batches.* with batches in \['blocks.0.0.bn1.bn.accumulation_counter'",
        ),
    ],
)
def test_other_checkpoints_are_refused(family, alter, message, tmp_path):
    path = save(tmp_path / "a.pth", alter(random_checkpoint(family, **TINY)))
    with pytest.raises(ValueError, match=message):
        convert(path, tmp_path / "out" / "a.weights.h5", tmp_path / "out" / "a.json")
    assert os.listdir(tmp_path) == ["a.pth"]


@one_backend
def test_their_own_normalisation_is_the_same(tmp_path):
    arrays = random_checkpoint("biggan", **TINY)
    deeper = {}
    for name, value in arrays.items():
        stem, _, part = name.rpartition(".")
        if part in ("stored_mean", "stored_var"):
            deeper[f"{stem}.bn.{part}"] = value
            deeper[f"{stem}.bn.accumulation_counter"] = np.zeros(1, "float32")
        else:
            deeper[name] = value
    models = []
    for content in (arrays, deeper):
        convert(save(tmp_path / "a.pth", content), tmp_path / "a.weights.h5")
        models.append(kd.applications.BigGAN(tmp_path / "a.weights.h5", **TINY))
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(a, b)


@one_backend
def test_weights_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = save(tmp_path / "a.pth", random_checkpoint("biggan", **TINY))
    before = tmp_path / "a.weights.h5"
    before.write_bytes(b"before")

    def save_weights(model, path):
        pathlib.Path(path).write_bytes(b"half")
        raise OSError("No space left")

    monkeypatch.setattr(kd.applications.BigGAN, "save_weights", save_weights)
    with pytest.raises(OSError, match="No space left"):
        convert(path, before, tmp_path / "a.json")
    assert before.read_bytes() == b"before"
    assert sorted(os.listdir(tmp_path)) == ["a.pth", "a.weights.h5"]
    with pytest.raises(ValueError, match="`to_path` must end in .weights.h5. Received: .*a.h5"):
        convert(path, tmp_path / "a.h5")
    with pytest.raises(ValueError, match="`manifest_path` must end in .json. Received: .*a.txt"):
        convert(path, before, tmp_path / "a.txt")
    with pytest.raises(ValueError, match="existing file. Received: .*nowhere.pth"):
        main(["--checkpoint", str(tmp_path / "nowhere.pth"), "--to", str(before)])


@one_backend
def test_directions_are_orthonormal_in_order(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(4, 6)).astype("float32") * 20
    path = tmp_path / "directions.pt"
    torch.save(torch.from_numpy(matrix), path)
    directions = checkpoint.read_directions(path)
    assert directions.dtype == "float64"
    expected = []
    for row in matrix.astype("float64"):
        row = row - sum((row @ other) * other for other in expected)
        expected.append(row / np.linalg.norm(row))
    np.testing.assert_allclose(directions, expected, atol=1e-12)
    np.testing.assert_allclose(directions @ directions.T, np.eye(4), atol=1e-14)
    torch.save({"A": torch.from_numpy(matrix)}, path)
    np.testing.assert_array_equal(checkpoint.read_directions(path), directions)


@one_backend
@pytest.mark.parametrize(
    "content, message",
    [
        (torch.zeros(6), r"one matrix.*Received: .*with a tensor of shape \(6,\)"),
        (torch.zeros(0, 6), r"Received: .*with a tensor of shape \(0, 6\)"),
        (torch.ones(7, 6), r"no more rows than columns. Received: .*shape \(7, 6\)"),
        (torch.ones(2, 6, dtype=torch.int64), "matrix of floats.*Received: .*int64"),
        ({"A": torch.eye(3), "B": torch.eye(3)}, r"one matrix.*the keys \['A', 'B'\]"),
        ([1.0], "Received: .*a list"),
        (torch.tensor([[1.0, 0.0], [float("nan"), 1.0]]), "must be finite. Received: directions"),
        (torch.tensor([[1.0, 2.0], [2.0, 4.0]]), "linearly independent. .* row 1 is a combination"),
        (torch.tensor([[0.0, 0.0], [2.0, 4.0]]), "linearly independent. .* row 0 is a combination"),
    ],
)
def test_other_directions_are_refused(content, message, tmp_path):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=message):
        checkpoint.read_directions(tmp_path / "a.pt")
