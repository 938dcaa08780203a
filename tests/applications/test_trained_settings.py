"""What one gets with weights: the objective of their training, and no random values first."""

import inspect
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import initializers

import keras_disentangle as kd
from keras_disentangle._initial_values import no_random_values
from keras_disentangle.applications._shared.files import load_model

SHIPPED = [
    (app, name) for app, names in kd.applications.available_weights().items() for name in names
]
# The ramps at the step at which the training ended, and the other settings of the objective: as
# the cards tell of each training.
OBJECTIVES = {
    ("Autoencoder", "dsprites"): (
        {"beta": 4.0, "alpha_1": 1.0, "alpha_2": 1.0},
        {"name": "provlae"},
    ),
    ("Autoencoder", "shapes3d"): ({"beta": 8.0}, {"name": "beta_tc_vae"}),
    ("DiscriminativeVAE", "fashion_mnist"): (
        {"beta": 3.0, **{f"feature_weight_norm_{i}": 0.05 for i in (2, 4, 6)}},
        {"encoder_gradient": True},
    ),
    ("InfoGAN", "mnist"): (
        {"information_weight_categorical": 0.1, "information_weight_continuous": 1.0},
        {"feedback": True, "q_trained_with": "discriminator", "objective": "non_saturating"},
    ),
    ("ProVLAE", "dsprites"): ({"beta": 1.0, "alpha_1": 1.0, "alpha_2": 1.0}, {"gamma": 0.5}),
    ("ProVLAE", "shapes3d"): ({"beta": 2.0, "alpha_1": 1.0, "alpha_2": 1.0}, {"gamma": 0.5}),
    ("ProgressiveGAN", "clevr_1fov"): (
        {"penalty_weight": 10.0, "fade": 1.0},
        {"hessian_penalty": None, "gradient_penalty": "r1", "objective": "non_saturating"},
    ),
    ("ProgressiveGAN", "clevr_1fov_finetuned"): (
        {"penalty_weight": 10.0, "fade": 1.0, "hessian_weight": 3e-4},
        {"hessian_penalty": {}, "gradient_penalty": "r1", "objective": "non_saturating"},
    ),
    ("DirectionDiscovery", "clevr_1fov"): ({}, {"path_size": 5.0}),
    ("DirectionDiscovery", "clevr_1fov_finetuned"): ({}, {"path_size": 5.0}),
    ("DirectionDiscovery", "mnist"): ({}, {"path_size": 1.0}),
}


def test_an_objective_is_known_of_all_weights():
    assert set(OBJECTIVES) == set(SHIPPED)


@pytest.mark.parametrize(("application", "name"), SHIPPED)
def test_weights_bring_the_objective_of_their_training_and_are_not_drawn_first(
    application, name, monkeypatch
):
    def draw(*_, **__):
        raise AssertionError("an initial value was drawn")

    for kind in (initializers.VarianceScaling, initializers.RandomNormal, initializers.Orthogonal):
        monkeypatch.setattr(kind, "__call__", draw)
    model = getattr(kd.applications, application)(name)
    ramps, settings = OBJECTIVES[application, name]
    found = {ramp: float(value(model.step)) for ramp, value in getattr(model, "ramps", {}).items()}
    assert found == pytest.approx(ramps, rel=1e-6)
    assert {setting: getattr(model, setting) for setting in settings} == settings
    if application == "DiscriminativeVAE":
        assert model.observation.get_config() == {"scale": "full", "min_log_std": -4.0}


@pytest.mark.parametrize("name", kd.applications.__all__)
def test_weights_are_the_first_argument(name):
    if name != "available_weights":
        assert next(iter(inspect.signature(getattr(kd.applications, name)).parameters)) == "weights"


def test_a_feature_loss_has_the_weights_of_its_training():
    loss = kd.applications.DiscriminativeVAE("fashion_mnist").feature_loss
    assert loss.layer_weights == {f"norm_{i}": 0.05 for i in (2, 4, 6)}
    assert loss.get_config()["learn_scale"] is True


def test_what_one_says_goes_before_what_weights_were_trained_with():
    model = kd.applications.DiscriminativeVAE("fashion_mnist", beta=1.5, encoder_gradient=False)
    assert float(model.ramps["beta"](model.step)) == 1.5 and not model.encoder_gradient
    model = kd.applications.ProgressiveGAN("clevr_1fov_finetuned", hessian_penalty=None)
    assert model.hessian_penalty is None and "hessian_weight" not in model.ramps
    model = kd.applications.ProgressiveGAN("clevr_1fov_finetuned", hessian_penalty={"epsilon": 0.2})
    assert float(model.ramps["hessian_weight"](model.step)) == pytest.approx(3e-4)
    model = kd.applications.ProgressiveGAN("clevr_1fov", hessian_penalty={})
    assert float(model.ramps["hessian_weight"](model.step)) == 0


def test_a_saved_model_brings_the_objective_of_its_training(tmp_path):
    ladder = {"image_shape": (8, 8, 1), "rung_sizes": (1, 1)}
    kd.applications.ProVLAE(**ladder, beta=3.0, gamma=0.25).save(path := tmp_path / "model.keras")
    model = kd.applications.ProVLAE(path, **ladder)
    assert model.gamma == 0.25 and float(model.ramps["beta"](model.step)) == 3.0
    assert kd.applications.ProVLAE(path, **ladder, gamma=0.75).gamma == 0.75


def test_a_saved_model_is_loaded_without_drawing(tmp_path, monkeypatch):
    kd.applications.ProVLAE(image_shape=(8, 8, 1), rung_sizes=(1,)).save(tmp_path / "model.keras")
    monkeypatch.setattr(initializers.VarianceScaling, "__call__", lambda *_, **__: 1 / 0)
    model = load_model(tmp_path / "model.keras")
    assert any(
        np.any(keras.ops.convert_to_numpy(weight)) for weight in model.encoder_blocks[0].weights
    )


def test_only_random_values_are_left_out_and_only_for_the_time():
    def network():
        dense = keras.layers.Dense(3, bias_initializer=initializers.Constant(2.0))
        layers = [dense, keras.layers.LayerNormalization(dtype="bfloat16")]
        return keras.Sequential([keras.Input((4,)), *layers])

    with no_random_values(), ThreadPoolExecutor() as other:
        elsewhere = other.submit(network).result()
        kernel, bias, gamma, beta = network().weights
    assert np.any(elsewhere.get_weights()[0])
    assert np.array_equal(keras.ops.convert_to_numpy(kernel), np.zeros((4, 3)))
    assert np.array_equal(keras.ops.convert_to_numpy(bias), [2, 2, 2])
    assert keras.backend.standardize_dtype(gamma.dtype) == "bfloat16"
    cast = [keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")) for x in (gamma, beta)]
    assert np.array_equal(cast, [[1, 1, 1], [0, 0, 0]])
    with no_random_values(active=False):
        assert np.any(keras.ops.convert_to_numpy(network().weights[0]))
    with pytest.raises(RuntimeError, match="stopped"), no_random_values():
        raise RuntimeError("stopped")
    assert np.any(keras.ops.convert_to_numpy(network().weights[0]))


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX's compilations")
def test_jax_compiles_no_more_than_a_copy_for_each_shape():
    count = (
        "import jax, keras, keras_disentangle as kd\n"
        "found = []\n"
        "jax.monitoring.register_event_duration_secs_listener(\n"
        "    lambda event, *_, **__: 'backend_compile' in event and found.append(event))\n"
        "model = kd.applications.ProVLAE('shapes3d')\n"
        "print(len(found), len({(x.shape, x.dtype) for x in model.variables}))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", count], env=os.environ, capture_output=True, text=True, check=True
    )
    compiled, shapes = map(int, run.stdout.split()[-2:])
    assert compiled <= shapes + 8  # and the arithmetic of ramps
