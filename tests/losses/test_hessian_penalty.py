"""The penalty against closed forms, the authors' three releases, and what it must leave alone."""

import json
import pathlib
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops
from published_generator import DIRECTIONS, Z, generator

from keras_disentangle.layers import PixelNormalization
from keras_disentangle.losses import convert_hessian_weight, hessian_penalty

# The name of the module is the function's in the package.
MODULE = sys.modules["keras_disentangle.losses.hessian_penalty"]
PUBLISHED = json.loads(
    pathlib.Path(__file__).with_name("published_hessian_penalties.json").read_text()
)
SETTINGS = {
    "epsilon": 0.1,
    "reduction": "max",
    "method": "finite_difference",
    "unbiased": True,
    "one_pass": False,
}
METHODS = ("finite_difference", "exact")
CASES = [(reduction, k) for reduction in ("max", "mean") for k in (2, 8)]


def numbers(tensors):
    return keras.tree.map_structure(lambda x: ops.convert_to_numpy(x), tensors)


def compute(fn, *arrays):
    """`fn(*arrays)` as NumPy; compiled with JAX, where one operation after another takes long."""
    if keras.backend.backend() == "jax":
        import jax

        fn = jax.jit(fn)
    return numbers(fn(*map(ops.convert_to_tensor, arrays)))


def along(fn, z, directions, **settings):
    """The penalties along given directions, an array (k, *z.shape)."""
    settings = {**SETTINGS, **settings}
    return compute(lambda z, v: MODULE.penalties_along(fn, z, list(v), **settings), z, directions)


def value(fn, z, **settings):
    return compute(lambda z: hessian_penalty(fn, z, **{"seed": 0, **settings}), z)


@pytest.fixture
def tabled_directions(monkeypatch):
    monkeypatch.setattr(
        MODULE, "rademacher", lambda shape, k, seed: np.swapaxes(DIRECTIONS[:k], 0, 1)
    )


class Penalised(keras.Model):
    """Trains a network towards a small penalty alone."""

    def __init__(self, network, call=None, **settings):
        super().__init__()
        self.network = network
        self.fn = call or network
        self.seed_generator = keras.random.SeedGenerator(0)
        self.settings = {"seed": self.seed_generator, **settings}

    def call(self, z):
        return self.network(z)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        penalty = hessian_penalty(self.fn, x, **self.settings)
        return penalty + sum(self.losses)


def trained(model, z=Z, rate=1.0, **arguments):
    """The loss of a step of gradient descent, and by how much each weight of the network fell."""
    before = numbers(list(model.network.trainable_variables))
    model.compile(keras.optimizers.SGD(rate), **arguments)
    history = model.fit(z, batch_size=len(z), shuffle=False, verbose=0).history
    after = numbers(list(model.network.trainable_variables))
    return history["loss"][0], [(a - b) / rate for a, b in zip(before, after, strict=True)]


# The published implementations


@pytest.mark.parametrize("reduction, k", CASES)
def test_penalties_are_the_published_ones(reduction, k):
    case, model = f"{reduction}_{k}", generator()
    ours = along(model, Z, DIRECTIONS[:k], reduction=reduction)
    one_pass = along(model, Z, DIRECTIONS[:k], reduction=reduction, one_pass=True)
    divided_by_k = along(model, Z, DIRECTIONS[:k], reduction=reduction, unbiased=False)
    assert set(ours) == set(PUBLISHED["pytorch"][case]) and len(ours) == 4
    for name in ours:
        for release in ("pytorch", "numpy"):
            np.testing.assert_allclose(ours[name], PUBLISHED[release][case][name], rtol=1e-4)
        np.testing.assert_allclose(one_pass[name], ours[name], rtol=1e-4)
        np.testing.assert_allclose(
            divided_by_k[name], PUBLISHED["tensorflow"][case][name], rtol=1e-4
        )
        np.testing.assert_allclose(divided_by_k[name], ours[name] * (k - 1) / k, rtol=1e-5)


@pytest.mark.usefixtures("tabled_directions")
@pytest.mark.parametrize(
    "reduction, k, settings, arguments",
    [
        ("max", 2, {}, {}),
        ("mean", 2, {}, {}),
        ("max", 8, {"one_pass": True}, {}),
        ("mean", 8, {"one_pass": True}, {}),
        ("max", 2, {}, {"run_eagerly": True}),
    ],
)
def test_gradients_are_the_published_ones(reduction, k, settings, arguments):
    case = f"{reduction}_{k}"
    model = Penalised(generator(), reduction=reduction, num_directions=k, **settings)
    loss, gradients = trained(model, **arguments)
    expected = PUBLISHED["gradients"][case]
    np.testing.assert_allclose(loss, sum(PUBLISHED["pytorch"][case].values()), rtol=1e-4)
    norms = [np.linalg.norm(gradient) for gradient in gradients]
    # The bias of the last layer cancels out.
    atol = 1e-6 * max(expected["norms"])
    np.testing.assert_allclose(norms, expected["norms"], rtol=1e-3, atol=atol)
    for gradient, largest in zip(gradients, expected["largest"], strict=True):
        for place, entry in largest.items():
            np.testing.assert_allclose(gradient.flat[int(place)], entry, rtol=1e-3)


# Closed forms


def coefficients(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def mixed(z):
    """Four linear combinations."""
    return ops.matmul(z, ops.convert_to_tensor(coefficients(z.shape[1], 4)))


def quadratic(z):
    """Three outputs z^T A z in five dimensions."""
    return ops.einsum("ni,ijo,nj->no", z, ops.convert_to_tensor(coefficients(5, 5, 3)), z)


def cubic(z):
    c = ops.convert_to_tensor(coefficients(5, 5, 5, 3))
    return ops.einsum("ni,nj,nk,ijko->no", z, z, z, c)


def cubic_hessian(z):
    """(n, 3, 5, 5)"""
    c = coefficients(5, 5, 5, 3)
    c = sum(np.transpose(c, (*p, 3)) for p in [(0, 1, 2), (0, 2, 1), (1, 2, 0)])
    half = np.einsum("nk,ijko->noij", z, c)
    return half + np.swapaxes(half, 2, 3)


def off_diagonal(hessian):
    """2 sum of the squares of what is off the diagonal."""
    d = hessian.shape[-1]
    return 2 * np.sum(np.square(hessian * (1 - np.eye(d))), axis=(-2, -1))


@pytest.mark.parametrize(
    "method, k", [("finite_difference", 2), ("finite_difference", 5), ("exact", 2)]
)
def test_means_over_many_directions(method, k):
    z = np.random.default_rng(0).normal(size=(40_000, 5)).astype("float32")
    a = coefficients(5, 5, 3)
    hessian = np.moveaxis(a + np.swapaxes(a, 0, 1), 2, 0)
    settings = {"reduction": "mean", "method": method, "num_directions": k}
    expected = off_diagonal(hessian).mean()
    np.testing.assert_allclose(value(quadratic, z, **settings), expected, rtol=0.02)
    biased = value(quadratic, z, unbiased=False, **settings)
    np.testing.assert_allclose(biased, expected * (k - 1) / k, rtol=0.02)
    # The differences are exact for a cubic too: their error begins with the fourth derivative.
    expected = off_diagonal(cubic_hessian(z)).mean()
    np.testing.assert_allclose(value(cubic, z, **settings), expected, rtol=0.02)


@pytest.mark.parametrize("method, rtol", [("finite_difference", 5e-3), ("exact", 1e-5)])
def test_each_draw_is_the_variance_of_curvatures(method, rtol):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(6, 5)).astype("float32")
    v = rng.choice(np.float32([-1, 1]), size=(4, 6, 5))
    curvatures = np.einsum("kni,noij,knj->kno", v, cubic_hessian(z), v)
    for ddof in (0, 1):
        variance = curvatures.var(axis=0, ddof=ddof)
        for reduction in ("max", "mean"):
            found = along(cubic, z, v, method=method, reduction=reduction, unbiased=ddof == 1)
            np.testing.assert_allclose(found, getattr(variance, reduction)(), rtol=rtol)


def test_check_of_the_authors():
    z = np.random.default_rng(0).normal(size=(10, 2)).astype("float32")
    v = np.random.default_rng(1).choice(np.float32([-1, 1]), size=(100, 10, 2))

    def fn(z):
        return [z[:, 0] * z[:, 1], z[:, 0] ** 2 * z[:, 1]]

    expected = np.array([np.full(10, 4), 16 * z[:, 0] ** 2])
    for reduction in ("max", "mean"):
        found = along(fn, z, v, one_pass=True, reduction=reduction)
        np.testing.assert_allclose(found, getattr(expected, reduction)(axis=1), rtol=0.05)
    # In two dimensions, v^T H v has only two values: two directions meet both, or one twice.
    expected = expected.mean(axis=0) * np.var(v[:2, :, 0] * v[:2, :, 1], axis=0, ddof=1)
    assert set(np.var(v[:2, :, 0] * v[:2, :, 1], axis=0, ddof=1)) == {0, 2}
    for method in METHODS:
        found = along(fn, z, v[:2], method=method, reduction="mean")
        np.testing.assert_allclose(np.mean(found), expected.mean(), rtol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_diagonal_hessian_costs_nothing(method):
    z = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")
    settings = {"num_directions": 8, "method": method}
    assert value(lambda z: mixed(ops.sin(3 * z)), z, **settings) < 1e-4
    # Not so if the components meet.
    assert value(lambda z: ops.sin(mixed(z)), z, **settings) > 1


def smooth_network():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(32, "tanh"),
            layers.Reshape((4, 4, 2)),
            layers.Conv2DTranspose(4, 4, strides=2, padding="same", activation="softplus"),
            PixelNormalization(),
            layers.Conv2D(2, 3, padding="same", activation="sigmoid"),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights([0.7 * rng.normal(size=w.shape) for w in model.weights])
    return model


@pytest.mark.usefixtures("tabled_directions")
@pytest.mark.parametrize("arguments", [{}, {"run_eagerly": True}], ids=["compiled", "eager"])
def test_exact_derivatives_of_a_network(arguments, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "DIRECTIONS", DIRECTIONS[:, :, :3])
    settings = {"reduction": "mean", "num_directions": 2, "epsilon": 0.02}
    exact, near = (
        trained(Penalised(smooth_network(), method=m, **settings), Z[:, :3], 1e-2, **arguments)
        for m in ("exact", "finite_difference")
    )
    np.testing.assert_allclose(exact[0], near[0], rtol=1e-2)
    for a, b in zip(exact[1], near[1], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-2 * np.linalg.norm(a))
    assert all(np.linalg.norm(a) > 1e-3 for a in exact[1])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the others differentiate it")
def test_what_tensorflow_cannot_differentiate_is_no_zero():
    network = keras.Sequential(
        [keras.Input((2, 2, 1)), layers.UpSampling2D(interpolation="bilinear")]
    )
    with pytest.raises(ValueError, match=r"`method` must .* shape \(3, 4, 4, 1\)"):
        value(lambda z: network(z) ** 2, np.ones((3, 2, 2, 1), "float32"), method="exact")


# Directions and evaluations


def test_directions():
    z = np.ones((50, 7, 3), "float32")
    seed = keras.random.SeedGenerator(0)
    first, second = (ops.convert_to_numpy(MODULE.rademacher(z.shape, 4, seed)) for _ in range(2))
    assert first.shape == (50, 4, 7, 3) and first.dtype == "float32"
    for signs in (first, second):
        assert set(np.unique(signs)) == {-1, 1}
        assert abs(signs.mean()) < 0.05
        # Neither the examples nor the directions share theirs.
        assert len({example.tobytes() for example in signs.reshape(200, 21)}) == 200
    assert abs((first * second).mean()) < 0.05


def test_seeds():
    seed = keras.random.SeedGenerator(0)

    def fn(z):
        return ops.sin(mixed(z))

    values = [float(hessian_penalty(fn, Z, seed=s)) for s in (seed, seed, 3, 3, None, None)]
    assert values[2] == values[3]
    assert len(set(values)) == 5


@pytest.mark.parametrize("k", [2, 3])
def test_evaluations(k):
    calls = []

    def fn(z):
        calls.append(numbers(z))
        return z

    hessian_penalty(fn, Z, num_directions=k, epsilon=0.25)
    hessian_penalty(fn, Z, num_directions=k, epsilon=0.25, one_pass=True)
    assert [len(z) for z in calls] == [5] * (2 * k) + [5 * 2 * k]
    for points in (np.array(calls[:-1]), calls[-1].reshape(2 * k, 5, 6)):
        # 2k evaluations, none at z, and every one has its opposite.
        np.testing.assert_allclose(np.abs(points - Z), 0.25, rtol=1e-5)
        np.testing.assert_allclose(points[:k] + points[k:], np.tile(2 * Z, (k, 1, 1)), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_what_does_not_depend_on_z_costs_nothing(method):
    settings = {"method": method, "num_directions": 4}
    assert value(lambda z: ops.ones((5, 3)), Z, **settings) == 0
    both = value(lambda z: [mixed(z) ** 2, ops.ones((5, 3))], Z, **settings)
    np.testing.assert_allclose(both, value(lambda z: mixed(z) ** 2, Z, **settings), rtol=1e-5)


def test_structures_add_up():
    def both(z):
        return {"b": (z[:, 0] * z[:, 1], z[:, 1:] * z[:, :1]), "a": [z[:, 2] * z[:, 3]]}

    parts = [lambda z, i=i: keras.tree.flatten(both(z))[i] for i in range(3)]
    total = sum(value(part, Z, num_directions=4) for part in parts)
    np.testing.assert_allclose(value(both, Z, num_directions=4), total, rtol=1e-5)
    found = along(both, Z, DIRECTIONS)
    assert isinstance(found["b"], tuple) and isinstance(found["a"], list)


def test_reductions():
    def largest_per_example(x):
        assert tuple(x.shape) == (5, 4)
        return ops.mean(ops.max(x, axis=1))

    def fn(z):
        return ops.sin(mixed(z))

    smallest, found, largest = (
        value(fn, Z, reduction=r) for r in ("mean", largest_per_example, "max")
    )
    assert smallest < found < largest


@pytest.mark.parametrize("reduction", ["max", "mean"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows(reduction, bad):
    def fn(z):
        return ops.stack([z[:, 0] * z[:, 1], bad * z[:, 0], z[:, 0]], axis=1)

    assert not np.isfinite(value(fn, Z, reduction=reduction))


def test_narrow_numbers_are_widened():
    # One direction and its opposite are as far apart from bfloat16 as from float32.
    narrow = ops.cast(Z, "bfloat16")
    wide = ops.cast(narrow, "float32")

    def fn(z):
        return z[:, 0] * z[:, 1]

    def rounding(z):
        return ops.cast(fn(z), "bfloat16")

    for a, b in ((fn, fn), (rounding, lambda z: ops.cast(rounding(z), "float32"))):
        penalty = hessian_penalty(a, narrow, seed=0)
        assert keras.backend.standardize_dtype(penalty.dtype) == "float32"
        np.testing.assert_allclose(numbers(penalty), value(b, wide), rtol=1e-5)
    found, expected = (
        along(generator(dtype), Z, DIRECTIONS[:2], reduction="mean")
        for dtype in ("mixed_bfloat16", "float32")
    )
    for name, penalty in found.items():
        assert penalty.dtype == "float32"
        np.testing.assert_allclose(penalty, expected[name], rtol=0.03)


def test_other_inputs_through_a_lambda():
    z, label = keras.Input((6,)), keras.Input((6,))
    network = keras.Model([z, label], ops.sum(z * label, axis=1) ** 2)
    one_hot = ops.convert_to_tensor(np.eye(6, dtype="float32")[:5])
    # Only one component is left, so nothing is off the diagonal.
    assert value(lambda z: network([z, one_hot]), Z, num_directions=4) < 1e-4
    assert value(lambda z: network([z, ops.ones_like(one_hot)]), Z, num_directions=4) > 1


# What stays as it was


def noisy_network():
    """Linear for given masks and noise, so that its penalty is 0 if they are equal."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(20),
            layers.Dropout(0.5, seed=1),
            layers.GaussianNoise(1.0, seed=2),
            layers.Dense(4, activity_regularizer="l2"),
        ]
    )


def test_draws_are_the_same_at_all_points():
    network = noisy_network()
    states = [v for v in network.variables if "seed" in v.path]
    before = numbers(states)
    outputs = []

    def fn(z):
        outputs.append(network(z, training=True))
        return outputs[-1]

    assert float(hessian_penalty(fn, Z)) < 1e-6
    assert len(states) == 2
    np.testing.assert_array_equal(numbers(states), before)
    # The draws are at work, and go on as if nothing had happened.
    at_z = (numbers(outputs[0]) + numbers(outputs[2])) / 2
    assert np.abs(at_z - numbers(network(Z, training=False))).max() > 0.1
    np.testing.assert_allclose(at_z, numbers(network(Z, training=True)), rtol=1e-4, atol=1e-5)
    # So do those of Keras's global generator.
    assert float(hessian_penalty(lambda z: z + keras.random.normal(ops.shape(z)), Z)) < 1e-6


def test_moving_statistics_stay():
    network = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.BatchNormalization()])
    before = numbers(network.variables)
    # In training, through the statistics of the batch, the function is no longer linear.
    assert value(lambda z: network(z, training=True), Z) > 1e-2
    assert value(network, Z) < 1e-6
    for a, b in zip(before, numbers(network.variables), strict=True):
        np.testing.assert_array_equal(a, b)
    network(Z, training=True)
    assert np.abs(before[-1] - numbers(network.variables)[-1]).max() > 1e-3


def test_losses_of_layers_stay():
    network = noisy_network()
    network(Z)
    (before,) = numbers(network.losses)
    hessian_penalty(network, Z + 1)
    hessian_penalty(lambda z: network.layers[-1](z), np.ones((5, 20), "float32"))
    np.testing.assert_array_equal(numbers(network.losses), [before])


@pytest.mark.parametrize("arguments", [{}, {"run_eagerly": True}], ids=["compiled", "eager"])
def test_training_leaves_all_that_as_it_was(arguments):
    network = keras.Sequential(
        [*noisy_network().layers, layers.BatchNormalization(), layers.Dense(3, "tanh")]
    )
    network.build((None, 6))
    network.set_weights([w + 0.1 for w in network.get_weights()])

    class Observing(Penalised):
        def call(self, z):
            return self.network(z, training=False)

    model = Observing(network, lambda z: network(z, training=True))
    kept = [v for v in network.variables if not v.trainable]
    before, seed = numbers(kept), numbers(model.seed_generator.state)
    (regularization,) = numbers([network.layers[3](network.layers[0](Z))])
    regularization = 0.01 * np.square(regularization).sum() / len(Z)
    penalty = value(model.fn, Z, seed=0)
    loss, gradients = trained(model, rate=1e-3, **arguments)
    # Once the losses of the layers, and once the penalty.
    np.testing.assert_allclose(loss, regularization + penalty, rtol=1e-4)
    for a, b in zip(before, numbers(kept), strict=True):
        np.testing.assert_array_equal(a, b)
    # Only the directions' own generator has moved on.
    assert (numbers(model.seed_generator.state) != seed).any()
    # What is before the batch normalisation can be reached by the penalty alone.
    assert np.abs(gradients[0]).max() > 1e-3


# The weight


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({}, 0.1),
        # The paper's weight: its release divides by k.
        ({"unbiased": False, "new_unbiased": True}, 0.05),
        ({"new_unbiased": False}, 0.2),
        ({"num_directions": 8, "unbiased": False, "new_unbiased": True}, 0.0875),
        ({"unbiased": False, "new_num_directions": 8}, 0.1 * 0.5 * 8 / 7),
        ({"new_num_directions": 8}, 0.1),
        ({"new_epsilon": 0.05}, 0.1 / 16),
        ({"epsilon": 0.05, "new_epsilon": 0.1}, 1.6),
        ({"epsilon": 0.05}, 0.1),
        ({"new_epsilon": 0.05, "power": 0}, 0.1),
        ({"new_epsilon": 0.05, "power": 1, "unbiased": False, "new_unbiased": True}, 0.025),
    ],
)
def test_weights(arguments, expected):
    np.testing.assert_allclose(convert_hessian_weight(0.1, **arguments), expected)


@pytest.mark.parametrize(
    "power, fn",
    [
        (0, lambda z: z[:, 0] * z[:, 1]),
        # A kink, seen from its middle.
        (2, lambda z: ops.abs(z[:, 0] + z[:, 1])),
        # A difference that does not depend on the step.
        (4, lambda z: ops.sign(z[:, 0] * z[:, 1])),
    ],
)
def test_a_converted_weight_has_the_same_effect(power, fn):
    z = np.zeros((200, 2), "float32")
    effects = []
    for epsilon, unbiased in ((0.1, True), (0.02, True), (0.25, False)):
        weight = convert_hessian_weight(
            0.1, new_epsilon=epsilon, power=power, new_unbiased=unbiased
        )
        effects.append(weight * value(fn, z, epsilon=epsilon, unbiased=unbiased, reduction="mean"))
    assert effects[0] > 0.1
    np.testing.assert_allclose(effects, effects[0], rtol=1e-4)


# Bad input


@pytest.mark.parametrize(
    "fn, z, settings, message",
    [
        (None, Z, {"num_directions": 1}, "`num_directions` must be .* >= 2. .*num_directions=1"),
        (None, Z, {"num_directions": 2.0}, "Received: num_directions=2.0"),
        (None, Z, {"epsilon": 0}, "`epsilon` must be a finite number >= 1e-06 .* epsilon=0"),
        (None, Z, {"epsilon": -0.1}, "Received: epsilon=-0.1"),
        (None, Z, {"epsilon": 1e-30}, "Received: epsilon=1e-30"),
        (None, Z, {"epsilon": 1e30}, "Received: epsilon=1e\\+30"),
        (None, Z[:0], {}, "`z` must be .*batch > 0. Received: z.shape=\\(0, 6\\)"),
        (lambda z: z[:, :0], Z, {}, "none empty. Received: fn\\(z\\).shape=\\(5, 0\\)"),
        (None, Z, {"epsilon": np.inf}, "Received: epsilon=inf"),
        (None, Z, {"epsilon": np.nan}, "Received: epsilon=nan"),
        (None, Z, {"epsilon": None}, "Received: epsilon=None"),
        (None, Z, {"epsilon": "0.1"}, "Received: epsilon='0.1'"),
        (None, Z, {"reduction": "sum"}, r"`reduction` must be .*'mean'\).*reduction='sum'"),
        (None, Z, {"reduction": None}, "Received: reduction=None"),
        (None, Z, {"reduction": ops.abs}, r"`reduction` must return a scalar.*shape \(5, 6\)"),
        (None, Z, {"method": "forward"}, "`method` must be one of .*Received: method='forward'"),
        (None, Z, {"method": "exact", "one_pass": True}, "`one_pass` must be False.*one_pass=True"),
        (None, np.ones((2, 3), "int32"), {}, r"`z` must .*shape=\(2, 3\), z.dtype=int32"),
        (None, np.float32(1), {}, r"`z` must be a float tensor \(batch, ...\).*z.shape=\(\)"),
        (
            ops.sum,
            Z,
            {},
            r"batch size of `z`, .* fn\(z\).shape=\(\), z.shape=\(5, 6\)",
        ),
        (lambda z: (z, ops.sum(z)), Z, {}, r"Received: fn\(z\)\[1\].shape=\(\)"),
        (lambda z: {"a": [z[1:]]}, Z, {}, r"fn\(z\)\['a'\]\[0\].shape=\(4, 6\), z.shape=\(5, 6\)"),
        (
            lambda z: ops.sum(ops.reshape(z, (-1, 5, 6)), 0),
            Z,
            {"one_pass": True},
            r"Received: fn\(z\).shape=\(5, 6\), z.shape=\(20, 6\)",
        ),
        (lambda z: (ops.cast(z, "int32"),), Z, {}, r"floats. Received: fn\(z\)\[0\].dtype=int32"),
        (lambda z: [z, None], Z, {}, r"Received: fn\(z\)\[1\]=None"),
        (lambda z: [], Z, {}, r"`fn` must return at least one tensor. Received: fn\(z\)=\[\]"),
        (layers.Dense(2), Z, {}, "`fn` must be built, if it is a layer. Received: fn=<Dense"),
    ],
)
def test_bad_input_is_named(fn, z, settings, message):
    with pytest.raises(ValueError, match=message):
        hessian_penalty(fn or (lambda z: z), z, **settings)


@pytest.mark.parametrize(
    "weight, arguments, message",
    [
        (-1, {}, "`weight` must be a finite number >= 0. Received: weight=-1"),
        (1, {"epsilon": 0}, "`epsilon` must be .* Received: epsilon=0"),
        (1, {"epsilon": "0.1"}, "`epsilon` must be .* Received: epsilon='0.1'"),
        (1, {"new_epsilon": np.inf}, "`new_epsilon` must be .* Received: new_epsilon=inf"),
        (1, {"num_directions": 1}, "`num_directions` must be .* Received: num_directions=1"),
        (1, {"new_num_directions": 1}, "`new_num_directions` must be .*new_num_directions=1"),
        (1, {"power": -1}, "`power` must be .* Received: power=-1"),
    ],
)
def test_bad_weights_are_named(weight, arguments, message):
    with pytest.raises(ValueError, match=message):
        convert_hessian_weight(weight, **arguments)
