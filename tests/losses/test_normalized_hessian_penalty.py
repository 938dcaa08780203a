"""The normalised penalty: its closed form, the published numbers, and what does not change it."""

import keras
import numpy as np
import pytest
from derivatives import value_and_gradients
from keras import layers, ops
from tiny_networks import IMAGE_SHAPE, IMAGES, dense, flat_networks, player_networks
from tiny_training import fit

from keras_disentangle.losses import HessianPenaltyLoss, hessian_penalty
from keras_disentangle.losses._spread import spread
from keras_disentangle.losses.hessian_penalty import penalties, signs_and_normals
from keras_disentangle.models import GAN, VAE
from keras_disentangle.penalties import HessianPenalty

pytestmark = pytest.mark.compiled(False)
METHODS = ("finite_difference", "exact")
RNG = np.random.default_rng(0)


def quotient(fn, z, directions, method="finite_difference", epsilon=0.1, one_pass=False):
    """The normalised penalty of each output, along given directions (batch, 2 k, d)."""
    found = penalties(
        fn,
        ops.convert_to_tensor(z, "float32"),
        directions=ops.convert_to_tensor(directions, "float32"),
        num_directions=directions.shape[1] // 2,
        seed=None,
        epsilon=epsilon,
        reduction="max",
        method=method,
        unbiased=True,
        one_pass=one_pass,
        normalized=True,
    )
    return keras.tree.map_structure(lambda x: float(ops.convert_to_numpy(x)), found)


def every_direction(scale):
    """Directions (1, 72, 2) with exactly the variances of all signs and of a Gaussian.

    The Gaussian ones are those of a cubature rule: three points along each axis, repeated by their
    weights, have all moments of a normal distribution up to the fifth.
    """
    signs = np.array([[a, b] for a in (1, -1) for b in (1, -1)]).repeat(9, 0)
    points = [(0, 4), (3**0.5, 1), (-(3**0.5), 1)]
    normals = [[a, b] for a, m in points for b, n in points for _ in range(m * n)]
    return np.concatenate([signs, normals])[None] * scale


@pytest.mark.parametrize("method", METHODS)
def test_the_share_of_the_squares_off_the_diagonal(method):
    """Of quadratic functions, exactly: every direction is visited."""
    hessians = np.random.default_rng(0).normal(size=(5, 2, 2))
    hessians = (hessians + hessians.transpose(0, 2, 1)).astype("float32")
    scale = np.array([0.5, 2.0])

    def quadratics(z):
        return ops.einsum("bi,kij,bj->bk", z, hessians, z) / 2 + z[:, :1]

    z = RNG.normal(size=(1, 2))
    squares = np.square(hessians * scale[:, None] * scale)
    expected = 2 * squares[:, 0, 1].sum() / squares.sum()
    found = quotient(quadratics, z, every_direction(scale), method)
    assert found == pytest.approx(expected, rel=1e-4)
    assert 0.05 < expected < 0.95


@pytest.mark.parametrize("method", METHODS)
def test_both_ends(method):
    directions = every_direction(1.0)
    z = np.float32([[0.3, -0.2]])
    share = lambda fn: quotient(fn, z, directions, method)  # noqa: E731
    assert share(lambda z: z[:, :1] * z[:, 1:]) == pytest.approx(1, rel=1e-4)
    assert share(lambda z: ops.square(z)) == pytest.approx(0, abs=1e-6)
    if method == "exact":  # In differences, both variances are rounding errors.
        assert share(lambda z: 3 * z) == 0


# Of the published function, on these arrays.
PUBLISHED = {"first": 0.6827748934361059, "last": 1.3881721683219965}


def published_arrays():
    rng = np.random.default_rng(1)
    continuous = np.tanh(rng.normal(size=(12, 3)) * [1.0, 0.5, 0.3])
    z = 2 * np.round((continuous + 1) / 2 * 11) / 11 - 1
    kernels = [rng.normal(size=shape).astype("float32") for shape in ((3, 4), (4, 5))]
    signs, normals = rng.choice([-1.0, 1.0], size=(12, 2, 3)), rng.normal(size=(12, 2, 3))
    directions = np.concatenate([signs, normals], axis=1)

    def decoder(z):
        first = ops.tanh(ops.matmul(z, kernels[0]))
        return {"first": first, "last": ops.sin(ops.matmul(first, kernels[1]))}

    return decoder, z, directions, continuous


@pytest.mark.parametrize("one_pass", [False, True])
def test_the_published_numbers(one_pass):
    """Those of Tripod's code; the quotient of few vectors and activations may exceed 1."""
    decoder, z, directions, continuous = published_arrays()
    scale = ops.convert_to_numpy(spread(ops.convert_to_tensor(continuous)))
    np.testing.assert_allclose(scale, continuous.std(0) + 1e-6, rtol=1e-5)
    found = quotient(decoder, z, directions * scale, one_pass=one_pass)
    assert found == pytest.approx(PUBLISHED, rel=2e-3)  # Differences in float32.


def test_scales_do_not_matter():
    decoder, z, _, _ = published_arrays()
    z = z.astype("float32")

    def penalty(codes, activations, **settings):
        fn = lambda x: {k: v * activations for k, v in decoder(x / codes).items()}  # noqa: E731
        found = hessian_penalty(fn, codes * z, reduction="mean", seed=3, **settings)
        return float(ops.convert_to_numpy(found))

    settings = {"normalized": True, "num_directions": 20}
    expected = penalty(1.0, 1.0, **settings)
    assert 0 < expected < 2  # Two layers.
    for scales in ((1.0, 40.0), (5.0, 1.0), (0.2, 0.1)):
        assert penalty(*scales, **settings) == pytest.approx(expected, rel=0.02)
    # Of the plain penalty they do.
    assert penalty(1.0, 10.0) == pytest.approx(100 * penalty(1.0, 1.0), rel=0.01)


def test_the_directions():
    drawn = ops.convert_to_numpy(signs_and_normals((4000, 2), 6, 5))
    assert drawn.shape == (4000, 6, 2)
    assert set(np.unique(drawn[:, :3])) == {-1, 1}
    normals = drawn[:, 3:].reshape(-1, 6)
    np.testing.assert_allclose(normals.mean(0), 0, atol=5 / 4000**0.5)
    np.testing.assert_allclose(np.cov(normals.T), np.eye(6), atol=5 * (2 / 4000) ** 0.5)
    joint = (drawn[:, :3] * drawn[:, 3:]).mean(0)
    np.testing.assert_allclose(joint, 0, atol=5 / 4000**0.5)


def test_the_gradient_of_a_constant_dimension_is_finite():
    z = keras.Variable(np.float32([[0.5, 1.0], [0.5, 2.0], [0.5, 4.0]]))
    scale, (gradient,) = value_and_gradients(lambda: ops.sum(spread(z * 1.0)), [z])
    assert scale == pytest.approx(np.std([1, 2, 4]) + 2e-6) and np.isfinite(gradient).all()
    assert not gradient[:, 0].any() and gradient[:, 1].any()


# In models


def named_decoder():
    """Layers `hidden`, which is linear in activations, and `squashed` on the way to logits."""
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, "tanh"),
            layers.Dense(4, name="hidden"),
            layers.Activation("tanh", name="squashed"),
            layers.Dense(64),
            layers.Reshape(IMAGE_SHAPE),
        ]
    )


def named_vae(outputs, **settings):
    penalty = HessianPenalty(outputs, weight=1.0, **settings)
    return VAE(dense(IMAGE_SHAPE, 6, None), named_decoder(), penalties=[penalty], seed=1)


@pytest.mark.one_backend
@pytest.mark.filterwarnings("error:The layers")
def test_layers_of_a_decoder():
    model = named_vae(["hidden", "squashed"], normalized=True)
    history = fit(model, epochs=1)
    assert history["hessian_penalty_hidden"][0] > 0 < history["hessian_penalty_squashed"][0]
    names = {name for name in history if name.startswith("hessian_penalty_")}
    assert names == {"hessian_penalty_hidden", "hessian_penalty_squashed"}
    loss = HessianPenaltyLoss(model.decoder, ["squashed"], normalized=True, one_pass=True, seed=0)
    assert ops.convert_to_numpy(loss(RNG.normal(size=(5, 3)).astype("float32"))) > 0


@pytest.mark.one_backend
def test_of_the_plain_penalty_linear_layers_are_warned_of():
    with pytest.warns(UserWarning, match=r"The layers \['hidden'\] are linear"):
        named_vae(["hidden"])


@pytest.mark.one_backend
@pytest.mark.parametrize("normalized", [True, False])
def test_what_the_penalty_trains(normalized):
    """The encoder too if it is normalised, as published; otherwise codes are constants."""
    model = named_vae(["squashed"], normalized=normalized)
    encoder = model.encoder.trainable_variables
    outputs = {}

    def penalty():
        outputs.update(model(IMAGES, training=True))
        drawn = model.draw_directions(len(IMAGES), 3, 0)
        evaluate = model._evaluation(model.penalties[0], drawn[0], IMAGES, outputs, True)
        return sum(evaluate().values())

    _, gradients = value_and_gradients(penalty, [*encoder, model.decoder.weights[0]])
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert [bool(gradient.any()) for gradient in gradients[:-1]] == [normalized] * len(encoder)
    assert gradients[-1].any()


@pytest.mark.one_backend
def test_a_gan():
    penalty = HessianPenalty(weight=0.1, normalized=True, num_directions=20)
    model = GAN(**player_networks(3), penalties=[penalty], seed=1)
    found = fit(model, epochs=1)["hessian_penalty"][0]
    assert 0 < found < 1


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: HessianPenalty(normalized=1),
            "`normalized` must be True or False. Received: .*=1",
        ),
        (
            lambda: hessian_penalty(lambda z: z, np.ones((1, 2), "float32"), normalized=True),
            r"`z` must hold at least two examples.*\(1, 2\)",
        ),
        (
            lambda: fit(
                VAE(**flat_networks(3), penalties=[HessianPenalty(normalized=True)]), IMAGES[:1]
            ),
            "at least 2 images",
        ),
        (lambda: named_vae(["nowhere"]), "`outputs` must be layers of the model.*'nowhere'"),
        (
            lambda: quotient(lambda z: z, np.ones((2, 2)), np.ones((2, 4, 3))),
            r"`directions` must have the shape .*\(2, 4, 2\)",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
