"""How models whose weights of terms move are saved: also into models that have other terms."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import MODELS, conv_ladder, flat_networks, info_gan, player_networks
from tiny_models import progressive_networks as growing

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
