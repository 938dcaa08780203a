"""How our models are saved and exported, also into models that have other terms."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from model_table import MODELS, info_gan
from tiny_networks import IMAGES, conv_ladder, flat_networks, player_networks
from tiny_networks import progressive_networks as growing

from keras_disentangle.models import GAN, VAE, ProgressiveGAN, ProgressiveLadderVAE
from keras_disentangle.schedules import read


def networks_of_a_gan():
    networks = player_networks(3)
    return {"generator": networks["generator"], "discriminator": networks["discriminator"]}


def ramp_numbers(model):
    return {name: [read(x) for x in ramp.variables] for name, ramp in model.ramps.items()}


# Each makes a model with or without the penalty.
PAIRS = {
    "gan": lambda **settings: GAN(**networks_of_a_gan(), gradient_penalty="r1", **settings),
    "progressive_gan": lambda **settings: ProgressiveGAN(**growing(), **settings),
    "info_gan": lambda **settings: info_gan(**settings),
    "vae": lambda **settings: VAE(**flat_networks(4), **settings),
    "ladder": lambda **settings: ProgressiveLadderVAE(**conv_ladder(), **settings),
}


@pytest.mark.parametrize("gains", [True, False], ids=["gains_a_ramp", "loses_a_ramp"])
@pytest.mark.parametrize("name", PAIRS)
def test_weights_go_into_a_model_with_other_ramps(name, gains, tmp_path):
    settings = [{}, {"hessian_penalty": {}}]
    saved, loaded = (PAIRS[name](**given) for given in (settings if gains else settings[::-1]))
    for i, ramp in enumerate(saved.ramps.values()):
        ramp.set(0.25, 0.5 + i, 3, 7 + i)
    saved.step.assign(11)
    expected = {**ramp_numbers(loaded), **ramp_numbers(saved)}
    expected = {name: expected[name] for name in loaded.ramps}
    saved.save_weights(tmp_path / "model.weights.h5")
    loaded.load_weights(tmp_path / "model.weights.h5")
    assert ramp_numbers(loaded) == expected
    if gains:
        assert expected["hessian_weight"] == [0, 0, 0, 0]
    assert read(loaded.step) == 11
    z = np.random.default_rng(0).normal(size=(4, loaded.latent_dim)).astype("float32")
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(model.decode(z)) for model in (saved, loaded))
    )


@pytest.mark.parametrize("name", MODELS)
def test_ramps_are_saved_by_name(name, tmp_path):
    model = MODELS[name].build()
    for i, ramp in enumerate(model.ramps.values()):
        ramp.set(0.25, 0.5 + i, 3, 7 + i)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert ramp_numbers(loaded) == ramp_numbers(model)


@pytest.fixture(params=["vae_bernoulli", "gan_r1", "direction_discovery"])
def model(request):
    """One of each kind."""
    return MODELS[request.param].build()


def put_nan(model):
    """In the last weight of a network, which Keras loads after the model's own."""
    variable = [v for v in model.weights if len(v.shape)][-1]
    variable.assign(np.full(variable.shape, np.nan))


def test_whole_models_that_are_not_finite_are_not_loaded(model, tmp_path):
    put_nan(model)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="/vars/.* must be finite. It holds NaN"):
        keras.saving.load_model(tmp_path / "model.keras")


def test_weights_in_several_files_are_finite_too(tmp_path):
    model, other = PAIRS["vae"](), PAIRS["vae"]()
    put_nan(model)
    model.save_weights(tmp_path / "model.weights.json", max_shard_size=2e-6)
    assert len(list(tmp_path.glob("*.h5"))) == 2
    before = other.get_weights()
    with pytest.raises(ValueError, match="model_0000.*must be finite. It holds NaN"):
        other.load_weights(tmp_path / "model.weights.json")
    for now, then in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    (tmp_path / "model.weights.json").write_text('{"weight_map": {"/vars": "../other.h5"}}')
    with pytest.raises(ValueError, match="must list .h5 files beside it. Received: '../other.h5'"):
        other.load_weights(tmp_path / "model.weights.json")


@pytest.mark.parametrize("file", ["model.h5", "model.hdf5"])
def test_keras_saves_no_whole_model_to_hdf5_either(file, model, tmp_path):
    with pytest.raises(ValueError, match="`filepath` must end in .keras"):
        keras.saving.save_model(model, tmp_path / file)
    model.save(tmp_path / "model.keras")  # What was refused leaves no trace.


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the format is PyTorch's")
@pytest.mark.parametrize("name", ["vae", "ladder"])
def test_on_pytorch_the_parts_of_a_variational_model_are_exported(name, tmp_path):
    import torch

    model, file = PAIRS[name](), tmp_path / "model.pt2"
    with pytest.raises(ValueError, match="`export` of a whole model must be on .*, format='torch'"):
        model.export(file, format="torch")
    assert not file.exists()
    model.decoder_model().export(file, format="torch", verbose=0)
    codes = torch.ones(1, model.latent_dim)
    found = torch.export.load(file).module()(codes)
    torch.testing.assert_close(found, model.decode(codes))
    model.encoder_model().export(file, format="torch", verbose=0)
    images = torch.from_numpy(IMAGES[:1])
    torch.testing.assert_close(torch.export.load(file).module()(images), model.encode(images))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="has no strategies")
def test_a_strategy_comes_before_the_model(monkeypatch):
    model = VAE(**flat_networks(2), seed=0)
    model.compile("sgd")
    if keras.backend.backend() == "jax":
        two = SimpleNamespace(device_mesh=SimpleNamespace(devices=np.empty(2)))
        monkeypatch.setattr(keras.distribution, "distribution", lambda: two)
        with pytest.raises(ValueError, match="over 2 devices, a model on 1"):
            model.fit(IMAGES, verbose=0)
        return
    import tensorflow as tf

    with (
        tf.distribute.MirroredStrategy(["CPU:0"]).scope(),
        pytest.raises(ValueError, match="made in the scope of the strategy"),
    ):
        model.fit(IMAGES, verbose=0)
