"""What every loss makes of other types, of empty batches, and of what is no tensor."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.latents import Categorical, LatentSpace, Uniform, orthogonalize
from keras_disentangle.losses import (
    bernoulli_nll,
    discriminator_loss,
    gaussian_kl,
    gaussian_nll,
    generator_loss,
    hessian_penalty,
    information_lower_bound,
    r1_penalty,
    wgan_gp_penalty,
)

SPACE = LatentSpace([Categorical(2), Uniform(1, posterior_std=1.0)])
# Functions of tensors (n, 3), and the names of these.
LOSSES = {
    "bernoulli_nll": (bernoulli_nll, ["x", "logits"]),
    "gaussian_nll": (gaussian_nll, ["x", "mean", "log_std"]),
    "gaussian_kl": (gaussian_kl, ["mean", "log_var"]),
    "discriminator_loss": (
        lambda a, b: discriminator_loss("hinge", a, b),
        ["real_logits", "fake_logits"],
    ),
    "generator_loss": (lambda a: generator_loss("saturating", a), ["fake_logits"]),
    "r1_penalty": (r1_penalty, ["gradients"]),
    "wgan_gp_penalty": (wgan_gp_penalty, ["gradients"]),
    "information": (
        lambda a, b: information_lower_bound(SPACE, a, b),
        ["q_params", "codes"],
    ),
    "orthogonalize": (lambda a, b: ops.sum(orthogonalize(a, b), axis=-1), ["z", "directions"]),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("first", ["float64", "float32", "float16", "int32", "bool"])
@pytest.mark.parametrize("second", ["float64", "float32"])
def test_tensors_of_two_types_meet_in_one(name, first, second):
    loss, names = LOSSES[name]
    values = np.float64([[1, 0, 1], [0, 1, 1], [1, 1, 0]])
    found = loss(values.astype(first), *(values.astype(second) for _ in names[1:]))
    assert keras.backend.standardize_dtype(found.dtype) in ("float32", "float64")
    expected = loss(*(values.astype("float32") for _ in names))
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (found, expected)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "orthogonalize"])
def test_an_empty_batch_has_no_losses(name):
    loss, names = LOSSES[name]
    assert tuple(loss(*(np.zeros((0, 3)) for _ in names)).shape) == (0,)


@pytest.mark.parametrize("bad", [None, "text", [[1.0, 2.0], [3.0]], {"a": 1}], ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_no_tensor_is_named(name, bad):
    loss, names = LOSSES[name]
    for i, wrong in enumerate(names):
        arguments = [np.ones((3, 3)) for _ in names]
        arguments[i] = bad
        with pytest.raises(ValueError, match=f"`{wrong}` must be a tensor .* Received: {wrong}="):
            loss(*arguments)


def test_a_scale_that_does_not_fit_is_named():
    x = np.zeros((2, 3))
    for shape in ((4,), (3, 3), (1, 2, 3)):
        with pytest.raises(ValueError, match="`log_std` must be broadcastable .*log_std.shape="):
            gaussian_nll(x, x, np.zeros(shape))


@pytest.mark.parametrize("epsilon", [1e-6, 0.1, 1e6])
def test_the_penalty_is_finite_for_every_step_that_it_takes(epsilon):
    value = hessian_penalty(ops.tanh, np.ones((2, 3), "float32"), epsilon=epsilon, seed=0)
    assert np.isfinite(ops.convert_to_numpy(value))


def test_numbers_of_small_types_do_not_overflow():
    z = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    small = hessian_penalty(
        lambda z: z[:, :1] * z[:, 1:2],
        z,
        num_directions=np.uint8(2),
        epsilon=np.uint8(1),
        unbiased=False,
        seed=0,
    )
    plain = hessian_penalty(
        lambda z: z[:, :1] * z[:, 1:2], z, num_directions=2, epsilon=1.0, unbiased=False, seed=0
    )
    assert float(ops.stop_gradient(small)) == float(ops.stop_gradient(plain))
