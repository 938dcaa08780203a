"""Files of weights that are damaged, lie, refer to other files or hold NaN are refused by name."""

import json
import struct
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_disentangle as kd
from keras_disentangle.applications._shared import release
from keras_disentangle.applications._shared.files import load_model
from keras_disentangle.applications._shared.release import Release
from keras_disentangle.applications._shared.runs import read_run
from keras_disentangle.applications.biggan import checkpoint
from keras_disentangle.applications.provlae.application import APPLICATION

torch = pytest.importorskip("torch")


@pytest.fixture
def network():
    inputs = keras.Input((2,))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dense(4)(inputs)))


@pytest.fixture
def saved(network, tmp_path):
    """Its weights as a `.weights.h5` file."""
    network.save_weights(path := tmp_path / "net.weights.h5")
    return path


def first_array(file):
    """The name of the first data set of a file that has a shape."""
    names = []
    file.visititems(lambda name, x: names.append(name) if getattr(x, "shape", ()) else None)
    return names[0]


def replace(path, **options):
    """Puts another data set into the place of the first."""
    with h5py.File(path, "a") as file:
        name = first_array(file)
        del file[name]
        return file.create_dataset(name, **options).name


def external(path):
    (path.parent / "secret").write_bytes(bytes(range(32)))
    replace(path, shape=(2, 4), dtype="f4", external=[(str(path.parent / "secret"), 0, 32)])


def virtual(path):
    with h5py.File(path.parent / "other.h5", "w") as file:
        file["x"] = np.ones((2, 4), "f4")
    layout = h5py.VirtualLayout((2, 4), "f4")
    layout[:] = h5py.VirtualSource(path.parent / "other.h5", "x", (2, 4))
    with h5py.File(path, "a") as file:
        name = first_array(file)
        del file[name]
        file.create_virtual_dataset(name, layout)


def link(kind):
    def change(path):
        with h5py.File(path, "a") as file:
            name = first_array(file)
            del file[name]
            file[name] = kind

    return change


def filled(value):
    return lambda path: replace(path, data=np.full((2, 4), value, "f4"))


BAD = {
    "NaN": (filled(np.nan), "must be finite"),
    "infinity": (filled(np.inf), "must be finite"),
    "external storage": (external, "another file"),
    "virtual data set": (virtual, "another file"),
    "external link": (link(h5py.ExternalLink("other.h5", "/x")), "link to elsewhere"),
    "soft link": (link(h5py.SoftLink("/x")), "link to elsewhere"),
    "absurd shape": (
        lambda path: replace(path, shape=(2**20, 2**20), dtype="f4", chunks=(1, 64)),
        "more than the 0 bytes",
    ),
    "absurd chunks": (
        lambda path: replace(path, shape=(2, 4), maxshape=(None, None), chunks=(2**14, 2**14)),
        "more than the 0 bytes",
    ),
    "objects": (lambda path: replace(path, data=["a"], dtype=h5py.string_dtype()), "fixed length"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "HDF5"),
    "empty": (lambda path: path.write_bytes(b""), "HDF5"),
}
LOADERS = {
    "an application": lambda network, path: Release("a", path).load(network),
    "ImageFeatures": lambda network, path: kd.metrics.ImageFeatures(network, weights=path),
    "FeatureNetwork": lambda _, path: kd.layers.FeatureNetwork.from_applications(
        "VGG16", "block1_conv1", path
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_weights(network, saved, bad):
    change, message = BAD[bad]
    change(saved)
    with pytest.raises(ValueError, match=rf"`weights`.*net\.weights\.h5.*{message}"):
        LOADERS["an application"](network, saved)


@pytest.mark.parametrize("loader", LOADERS)
def test_all_that_loads_weights(network, saved, loader):
    external(saved)
    with pytest.raises(ValueError, match=r"`weights`.*net\.weights\.h5.*another file"):
        LOADERS[loader](network, saved)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_nan_in_half_precision(network, saved, dtype):
    half = keras.ops.convert_to_numpy(keras.ops.cast([[1.0, np.nan]], dtype))
    with h5py.File(saved, "a") as file:
        name = first_array(file)
        del file[name]
        file[name] = half
        file[name].attrs["dtype"] = dtype
    with pytest.raises(ValueError, match="must be finite"):
        LOADERS["an application"](network, saved)


def test_whole_weights_load(network, saved):
    expected = [np.array(x) for x in network.get_weights()]
    network.set_weights([0 * x for x in expected])
    LOADERS["an application"](network, saved)
    for found, value in zip(network.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("suffix", [".txt", ""])
def test_other_kinds_of_files(network, tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"must be a \.keras or \.h5 file"):
        LOADERS["an application"](network, path)


def test_a_missing_file_is_told(network):
    for load in (LOADERS["ImageFeatures"], LOADERS["FeatureNetwork"]):
        with pytest.raises(ValueError, match=r"'vgg16\.weights\.h5', and there is no such file"):
            load(network, "vgg16.weights.h5")


@pytest.mark.parametrize("bad", BAD)
def test_whole_models(network, tmp_path, bad):
    change, message = BAD[bad]
    network.save(path := tmp_path / "net.keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "model.weights.h5").write_bytes(members["model.weights.h5"])
    change(tmp_path / "model.weights.h5")
    members["model.weights.h5"] = (tmp_path / "model.weights.h5").read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(
        ValueError, match=rf"`evaluator`.*net\.keras.*model\.weights\.h5.*{message}"
    ):
        load_model(path, "evaluator")


def test_one_bit_of_a_whole_model(network, tmp_path):
    network.save(path := tmp_path / "net.keras")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.keras"):
        load_model(path)


GOOD = {"application": "ProVLAE", "weights": {"a": {"file": "a", "sha256": "0", "settings": {}}}}


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "must be readable JSON"),
        ("{", "must be readable JSON"),
        ("[" * 100_000, "must be readable JSON"),
        ("\xff\xfe", "must be readable JSON|must hold"),
        ("[]", "must hold a JSON object"),
        ('"weights"', "must hold a JSON object"),
        ("{}", r"must hold a JSON object with \['weights'\]"),
        ('{"weights": 3}', "weights must be a JSON object"),
        ('{"weights": {"a": 3}}', "a must be a JSON object with"),
        (
            '{"weights": {"a": {}}}',
            r"a must be a JSON object with \['file', 'sha256', 'settings'\]",
        ),
        (
            json.dumps({"weights": {"a": {**GOOD["weights"]["a"], "file": "../a"}}}),
            "a must name a file beside it",
        ),
        (
            json.dumps({"weights": {"a": {**GOOD["weights"]["a"], "settings": 3}}}),
            "settings of a must be a JSON object. Received: 3",
        ),
        (json.dumps(GOOD), "expected SHA-256 0. Received: no file"),
    ],
)
def test_manifests(network, tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(release, "ROOT", tmp_path)
    (tmp_path / "app" / "weights").mkdir(parents=True)
    (tmp_path / "app" / "weights" / "manifest.json").write_text(content, encoding="latin1")
    with pytest.raises(ValueError, match=message) as error:
        Release("app", "a").load(network)
    if "SHA-256" not in message:
        assert "manifest.json" in str(error.value)


def test_every_use_of_a_manifest(tmp_path, monkeypatch):
    (tmp_path / "provlae" / "weights").mkdir(parents=True)
    manifest = tmp_path / "provlae" / "weights" / "manifest.json"
    monkeypatch.setattr(release, "ROOT", tmp_path)
    uses = (
        kd.applications.available_weights,
        lambda: kd.applications.ProVLAE(weights="a"),
        lambda: APPLICATION.known_recipe("a"),
        lambda: release.verified(manifest.parent / "a.keras"),
        lambda: release.record_scores("provlae", "ProVLAE", "a", {}),
    )
    manifest.write_text("{")
    for use in uses:
        with pytest.raises(ValueError, match=r"manifest\.json must be readable JSON"):
            use()
    manifest.write_text(json.dumps({"weights": {"a": {}}, "application": "A", "files": 3}))
    for use in uses[1:4]:
        with pytest.raises(ValueError, match=r"manifest\.json.*must be a JSON object"):
            use()
    manifest.write_text(
        json.dumps({**GOOD, "weights": {"a": {**GOOD["weights"]["a"], "recipe": 3}}})
    )
    with pytest.raises(
        ValueError, match="[Tt]he recipe of the weights 'a': settings must be a JSON object"
    ):
        APPLICATION.known_recipe("a")


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"settings": 3, "history": {}, "seed": 0}', '{"settings": {}, "seed": 0}'],
)
def test_results_of_a_finished_training(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ValueError, match=r"`runs` must be folders of finished .*results\.json"):
        read_run(APPLICATION, tmp_path)
    assert APPLICATION.known_recipe(tmp_path / "model.keras") is None


def state_dict(path, **tensors):
    torch.save(tensors or {"weight": torch.arange(600.0).reshape(20, 30)}, path)
    return path


@pytest.mark.parametrize("place", np.linspace(0.05, 0.95, 7))
def test_one_bit_of_a_checkpoint(tmp_path, place):
    path = state_dict(tmp_path / "a.pt")
    expected = checkpoint.read_state_dict(path)["weight"]
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(content)
    try:
        found = checkpoint.read_state_dict(path)["weight"]
    except ValueError as error:
        assert "a.pt" in str(error)
    else:  # what was hit has no meaning, such as a date or what pads a member
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("read", [checkpoint.read_state_dict, checkpoint.read_directions])
def test_a_checkpoint_that_seems_to_be_one_part_of_several(tmp_path, read):
    path = state_dict(tmp_path / "a.pt")
    content = path.read_bytes()
    end = content.rfind(b"PK\5\6")
    # The locator of the zip64 format, which names five disks.
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 5)
    path.write_bytes(content[:end] + locator + content[end:])
    with pytest.raises(ValueError, match=r"a\.pt.* zipfiles that span multiple disks"):
        read(path)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("read", [checkpoint.read_state_dict, checkpoint.read_directions])
def test_a_tensor_of_stride_0(tmp_path, read, dtype):
    tensor = torch.ones(1, dtype=getattr(torch, dtype)).expand(25_000, 25_000)
    with pytest.raises(
        ValueError, match=r"a\.pt, whose tensors declare \d,\d{3},\d{3},\d{3} bytes"
    ):
        read(state_dict(tmp_path / "a.pt", weight=tensor))


def test_tensors_that_are_used_twice(tmp_path):
    tensor = torch.arange(6.0)
    found = checkpoint.read_state_dict(state_dict(tmp_path / "a.pt", a=tensor, b=tensor))
    np.testing.assert_array_equal(found["a"], found["b"])


def test_a_compressed_checkpoint(tmp_path):
    with zipfile.ZipFile(state_dict(tmp_path / "a.pt")) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"b\.pt.*is compressed"):
        checkpoint.read_state_dict(tmp_path / "b.pt")


def test_old_checkpoints_are_read(tmp_path):
    torch.save({"a": torch.arange(6.0)}, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    np.testing.assert_array_equal(checkpoint.read_state_dict(tmp_path / "a.pt")["a"], range(6))
