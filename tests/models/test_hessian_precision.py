"""The Hessian Penalty of models whose networks compute in half precision, or in double."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_networks import flat_networks, progressive_networks

from keras_disentangle._keras_graph import all_layers, in_float32
from keras_disentangle.models import GAN, VAE, ProgressiveGAN

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(4, 3)).astype("float32")
DIRECTIONS = RNG.choice([-1.0, 1.0], size=(4, 2, 3)).astype("float32")


def gan():
    networks = flat_networks(3)
    critic = keras.Sequential([keras.Input(networks["decoder"].output_shape[1:])])
    critic.add(keras.layers.Flatten())
    critic.add(keras.layers.Dense(1))
    return GAN(networks["decoder"], critic, hessian_penalty={}, image_range=(0, 1))


MODELS = {
    "gan": gan,
    "vae": lambda: VAE(**flat_networks(3), hessian_penalty={}, seed=1),
    "progressive_gan": lambda: ProgressiveGAN(**progressive_networks(), hessian_penalty={}),
}


def penalty(name, policy, weights=None):
    """The penalty at `Z`, and the weights of a model under a policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = MODELS[name]()
    finally:
        keras.config.set_dtype_policy(before)
    if weights is not None:
        model.set_weights(weights)
    value = sum(model.generator_penalty(model.penalties[0], Z, DIRECTIONS, True).values())
    value = ops.convert_to_numpy(ops.stop_gradient(value))
    return value, [np.array(ops.convert_to_numpy(w)) for w in model.weights]


@pytest.mark.parametrize("name", MODELS)
def test_the_penalty_is_that_of_float32(name):
    expected, weights = penalty(name, "float32")
    found, _ = penalty(name, "mixed_bfloat16", weights)
    assert expected > 1e-6
    np.testing.assert_allclose(found, expected, rtol=0.05)


def test_replicas_may_leave_float32_in_any_order():
    """They compute in threads, of which one may begin while another is amid its own."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, dtype="mixed_bfloat16")])
    dense, all_of_it = model.layers[0], all_layers(model)
    first, second = (in_float32(all_of_it) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert dense.compute_dtype == "float32"
    second.__exit__(None, None, None)
    assert dense.compute_dtype == "bfloat16" and dense.dtype_policy.name == "mixed_bfloat16"


def test_growing_under_the_policy_float64():
    expected, weights = penalty("progressive_gan", "float32")
    found, _ = penalty("progressive_gan", "float64", weights)
    np.testing.assert_allclose(found, expected, rtol=0.01)
