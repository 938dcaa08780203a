"""Trained weights: shipped ones load, and damaged or foreign ones are refused."""

import json

import h5py
import keras
import numpy as np
import pytest
from keras import ops
from tiny_networks import flat_networks
from tiny_training import weights

import keras_disentangle as kd
from keras_disentangle.applications._shared import release
from keras_disentangle.applications._shared.release import Release
from keras_disentangle.applications.discriminative_vae.measures import bundled_evaluator
from keras_disentangle.applications.progressive_gan import features
from keras_disentangle.applications.provlae.application import APPLICATION
from keras_disentangle.datasets.named import factor_data
from keras_disentangle.models import VAE

SETTINGS = {
    "image_shape": [8, 8, 1],
    "rung_sizes": [2, 1],
    "beta": 2.0,
    "gamma": 0.25,
    "networks": "small",
}
SHIPPED = [
    (application, name)
    for application, names in kd.applications.available_weights().items()
    for name in names
    if application != "DirectionDiscovery"  # Matrices; their own tests are beside this one.
]


@pytest.mark.parametrize("application, name", SHIPPED)
def test_shipped_weights(application, name):
    model = getattr(kd.applications, application)(weights=name)
    images = np.random.default_rng(0).random((2, *model.image_shape), dtype="float32")
    codes = keras.tree.flatten(model.encode(images)) if hasattr(model, "encode") else []
    for value in (*codes, model.sample(2, seed=0)):
        assert np.isfinite(ops.convert_to_numpy(value)).all()
    assert int(model.step) > 0


# One network of that kind shows what another backend's arithmetic does to a score.
@pytest.mark.parametrize(
    "name", ["dsprites", pytest.param("shapes3d", marks=pytest.mark.one_backend)]
)
def test_the_codes_are_worth_their_scores(name):
    entry = Release("provlae", name).entry
    model = kd.applications.ProVLAE(weights=name)
    data = factor_data(entry["data"], model.image_shape)
    found = kd.evaluate(model, data, ["mig", "mig_sup"], num_samples=20_000)
    # On another backend a few codes may fall into another bin.
    expected = {metric: entry["scores"][metric] for metric in found}
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An application's folder with the weights "tiny", in place of the installed one."""
    application = tmp_path / "provlae"
    (application / "weights").mkdir(parents=True)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    model = kd.applications.ProVLAE(**SETTINGS)
    model.step.assign(40)
    model.ramps["alpha_1"].set(0.0, 1.0, 20, 10)
    release.save_weights(model, "provlae", "ProVLAE", "tiny", SETTINGS)
    return application, model


def test_a_name_brings_weights_and_settings(folder):
    _, trained = folder
    assert kd.applications.available_weights() == {"ProVLAE": ["tiny"]}
    model = kd.applications.ProVLAE(weights="tiny")
    assert model.image_shape == (8, 8, 1) and model.rung_sizes == (2, 1)
    assert (model.beta, model.gamma) == (2.0, 0.25)
    for a, b in zip(weights(model), weights(trained), strict=True):
        np.testing.assert_allclose(a, b.astype("float16") if b.ndim else b, rtol=1e-6)
        assert a.dtype == b.dtype
    # The state of the ramps comes along: all rungs have joined.
    assert int(model.step) == 40
    assert float(model.ramps["alpha_1"](model.step)) == 1.0


@pytest.mark.one_backend
def test_files_are_stored_as_float16(folder):
    application, trained = folder
    kinds = []
    with h5py.File(application / "weights" / "tiny.weights.h5") as file:
        file.visititems(
            lambda _, item: (
                kinds.append(item.dtype)
                if isinstance(item, h5py.Dataset) and item.ndim and item.dtype.kind == "f"
                else None
            )
        )
    assert kinds.count("float16") == len(trained.trainable_variables)
    # Step counts would not survive it.
    assert kinds.count("float64") == len(trained.ramps) == len(kinds) - kinds.count("float16")


def test_agreeing_settings_may_be_repeated_and_others_replaced(folder):
    model = kd.applications.ProVLAE(weights="tiny", image_shape=(8, 8, 1), beta=7.0)
    assert model.beta == 7.0 and float(model.ramps["beta"](model.step)) == 7.0
    states = [
        ops.convert_to_numpy(kd.applications.ProVLAE(weights=w, **s).sampling.seed_generator.state)
        for w, s in (("tiny", {"seed": 7}), (None, {**SETTINGS, "seed": 7}))
    ]
    np.testing.assert_array_equal(*states)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "setting, value, message",
    [
        ("image_shape", (16, 16, 1), r"must be \[8, 8, 1\] for the weights 'tiny'. Received: .*16"),
        ("rung_sizes", (2, 2), r"must be \[2, 1\] for .* Received: rung_sizes=\(2, 2\)"),
        ("networks", "celeba", "must be 'small' for .* Received: networks='celeba'"),
    ],
)
def test_settings_that_contradict_the_weights(folder, setting, value, message):
    with pytest.raises(ValueError, match=f"`{setting}` {message}"):
        kd.applications.ProVLAE(weights="tiny", **{setting: value})


@pytest.mark.one_backend
def test_unknown_names_list_the_known_ones(folder):
    with pytest.raises(ValueError, match=r"one of \['tiny'\]. Received: weights='huge'"):
        kd.applications.ProVLAE(weights="huge")


@pytest.mark.one_backend
@pytest.mark.parametrize("damage", ["altered", "truncated", "missing"])
def test_damaged_weights_are_refused(folder, damage):
    path = folder[0] / "weights" / "tiny.weights.h5"
    content = bytearray(path.read_bytes())
    if damage == "altered":
        content[len(content) // 2] ^= 1
    path.write_bytes(content[: len(content) // 2] if damage == "truncated" else content)
    if damage == "missing":
        path.unlink()
    with pytest.raises(ValueError, match="'tiny' are not as shipped: expected SHA-256"):
        kd.applications.ProVLAE(weights="tiny")


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_a_path(folder, tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    trained = folder[1]
    trained.save_weights(path) if suffix == ".weights.h5" else trained.save(path)
    shape = {"image_shape": (8, 8, 1), "rung_sizes": (2, 1)}
    model = kd.applications.ProVLAE(weights=path, **shape)
    for a, b in zip(weights(model), weights(trained), strict=True):
        np.testing.assert_array_equal(a, b)

    with pytest.raises(ValueError, match="whole weights file of this architecture. Received: .*"):
        kd.applications.ProVLAE(weights=str(path), image_shape=(16, 16, 1), rung_sizes=(2, 1))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=f"whole weights file .* Received: .*model{suffix}"):
        kd.applications.ProVLAE(weights=str(path), **shape)
    path.unlink()
    with pytest.raises(ValueError, match=f"an existing file. Received: weights=.*model{suffix}"):
        kd.applications.ProVLAE(weights=str(path), **shape)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"networks": "huge"}, r"`networks` must be one of .* Received: networks='huge'"),
        ({"beta": -1}, "`beta` .* Received: beta=-1"),
        ({"gamma": -1}, "`gamma` .* Received: gamma=-1"),
        ({"image_shape": (4, 4, 1)}, r"`image_shape` .* Received: image_shape=\(4, 4, 1\)"),
        ({"rung_sizes": (3, 0, 3)}, r"`rung_sizes` must be an integer >= 1. Received: .*=0"),
        ({"rung_sizes": 3}, "`rung_sizes` must be a tuple .* Received: rung_sizes=3"),
        ({"image_shape": (32.5, 32, 1)}, "`image_shape` must be an integer .*32.5"),
        ({"beta": "a"}, "`beta` .* Received: beta='a'"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        kd.applications.ProVLAE(**arguments)


SHIPPED_NETWORKS = [
    bundled_evaluator("fashion_mnist"),
    features.BUNDLED,
]


@pytest.mark.one_backend
@pytest.mark.parametrize("path", SHIPPED_NETWORKS, ids=lambda path: path.stem)
def test_networks_beside_the_weights_are_verified(path, tmp_path):
    assert release.verified(path) == path
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=f"{path.name!r} is not as shipped: .* in its manifest"):
        release.verified(copy)
    release.record_file(copy, "ProVLAE")
    assert release.verified(copy) == copy
    copy.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{path.name!r} is not as shipped: expected SHA-256"):
        release.verified(copy)


@pytest.mark.one_backend
def test_every_network_that_ships_is_known():
    for path in release.ROOT.glob("*/weights/*.keras"):
        release.verified(path)


@pytest.mark.one_backend
def test_a_training_becomes_weights(folder, tmp_path, monkeypatch, command):
    monkeypatch.setattr(kd, "evaluate", lambda model, data, **_: {"mig": float(len(data))})
    model = kd.applications.ProVLAE(**{**SETTINGS, "image_shape": [16, 16, 3]}, seed=1)
    model.step.assign(30)
    model.ramps["beta"].set(5.0, 3.0, 10, 20)
    model.save(path := tmp_path / "model.keras")
    release.save_weights(model, "provlae", "ProVLAE", "rooms", {})
    release.record_scores("provlae", "ProVLAE", "rooms", {"sap": 0.5})
    ship = ["ship", "provlae", "rooms"]
    assert command(*ship, path, "--recipe", "shapes3d_small", "--data", "shapes3d") == 0
    shipped = kd.applications.ProVLAE(weights="rooms")
    for a, b in zip(weights(shipped), weights(model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-7)
    entry = Release("provlae", "rooms").entry
    assert (entry["data"], entry["scores"]) == ("shapes3d", {"mig": 480_000.0})
    assert entry["settings"] == {**SETTINGS, "image_shape": [16, 16, 3], "beta": 3.0}

    # What they were trained on is what they are evaluated on, unless another is asked for.
    monkeypatch.setattr(APPLICATION, "evaluation_pictures", lambda *_: {})
    assert command("evaluate", "provlae", "--weights", "rooms", "--out", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())["data"]
    assert (found["name"], found["images"]) == ("shapes3d", 480_000)
    VAE(**flat_networks(2)).save(tmp_path / "vae.keras")
    told = command(*ship, tmp_path / "vae.keras", "--recipe", "demo")
    assert "`model` must be a ProgressiveLadderVAE" in told
