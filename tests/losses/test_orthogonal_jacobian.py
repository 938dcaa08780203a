"""OroJaR against closed forms and the authors' release for PyTorch."""

import itertools
import json
import pathlib

import keras
import numpy as np
import pytest
from keras import layers, ops
from published_generator import DIRECTIONS, Z, generator

from keras_disentangle.layers import PixelNormalization
from keras_disentangle.losses import orthogonal_jacobian
from keras_disentangle.losses.orthogonal_jacobian import jacobian_penalties

ONE = pytest.mark.one_backend
METHODS = ("finite_difference", "exact")
PUBLISHED = json.loads(
    pathlib.Path(__file__).with_name("published_orthogonal_jacobian.json").read_text()
)
SETTINGS = {
    "epsilon": 0.1,
    "reduction": "max",
    "method": "finite_difference",
    "unbiased": True,
    "one_pass": False,
}


def along(fn, z, directions, **settings):
    """The penalties along given directions (k, *z.shape), as floats in the structure of `fn`."""
    directions = ops.convert_to_tensor(np.swapaxes(directions, 0, 1))
    found = jacobian_penalties(
        fn,
        z,
        num_directions=directions.shape[1],
        directions=directions,
        seed=None,
        **{**SETTINGS, **settings},
    )
    return keras.tree.map_structure(float, found)


def matrix(d=4, p=7):
    return np.random.default_rng(1).normal(size=(d, p)).astype("float32")


def linear(z):
    return ops.matmul(z, ops.convert_to_tensor(matrix()))


def expected_of(jacobian):
    """2 sum_{i != j} (J_i . J_j)^2, of a Jacobian (components, outputs)."""
    gram = jacobian @ jacobian.T
    return 2 * np.sum(np.square(gram - np.diag(np.diag(gram))))


# The published implementation


@pytest.mark.parametrize("reduction, k", itertools.product(("max", "mean"), (2, 8)))
def test_penalties_are_the_published_ones(reduction, k):
    model, case = generator(), PUBLISHED[f"{reduction}_{k}"]["penalties"]
    found = along(model, Z, DIRECTIONS[:k], reduction=reduction)
    assert found == pytest.approx(case, rel=2e-4)
    one_pass = along(model, Z, DIRECTIONS[:k], reduction=reduction, one_pass=True)
    assert one_pass == pytest.approx(found, rel=1e-4)
    # As in their release for TensorFlow.
    biased = along(model, Z, DIRECTIONS[:k], reduction=reduction, unbiased=False)
    assert biased == pytest.approx({n: x * (k - 1) / k for n, x in case.items()}, rel=2e-4)


class Penalised(keras.Model):
    """Trains a network towards a small penalty alone, along given directions."""

    def __init__(self, network, **settings):
        super().__init__()
        self.network, self.settings = network, {**SETTINGS, **settings}

    def call(self, inputs):
        return self.network(inputs[0])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        z, v = x
        settings = {"num_directions": v.shape[1], "seed": None, **self.settings}
        found = jacobian_penalties(self.network, z, directions=v, **settings)
        return sum(keras.tree.flatten(found))


def gradients(network, z, directions, rate, **settings):
    """The penalty, and its gradient by each of the network's weights, from a step of descent."""
    model = Penalised(network, reduction="mean", **settings)
    model.compile(keras.optimizers.SGD(rate))
    before = [ops.convert_to_numpy(w) for w in network.trainable_variables]
    inputs = [z, np.swapaxes(directions, 0, 1)]
    logs = model.fit(inputs, batch_size=len(z), verbose=0).history
    after = [ops.convert_to_numpy(w) for w in network.trainable_variables]
    falls = [(a.astype("float64") - b) / rate for a, b in zip(before, after, strict=True)]
    return logs["loss"][0], falls


def test_gradients_are_the_published_ones():
    loss, found = gradients(generator(), Z, DIRECTIONS[:2], 1e-6)
    case = PUBLISHED["mean_2"]
    assert loss == pytest.approx(sum(case["penalties"].values()), rel=2e-4)
    # The last bias shifts all points alike.
    atol = 1e-6 * max(case["gradient_norms"])
    norms = [np.linalg.norm(gradient) for gradient in found]
    np.testing.assert_allclose(norms, case["gradient_norms"], rtol=2e-3, atol=atol)


def smooth():
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, "tanh"), PixelNormalization(), layers.Dense(5)]
    )
    rng = np.random.default_rng(0)
    model.set_weights([0.5 * rng.normal(size=w.shape) for w in model.weights])
    return model


def test_exact_derivatives_are_the_limit_of_differences():
    exact, near = (
        gradients(smooth(), Z, DIRECTIONS[:4], 1e-2, method=method, epsilon=0.005)
        for method in ("exact", "finite_difference")
    )
    assert near[0] == pytest.approx(exact[0], rel=0.02)
    for a, b in zip(exact[1], near[1], strict=True):
        np.testing.assert_allclose(b, a, atol=0.03 * np.linalg.norm(a) + 1e-3)
    assert all(np.linalg.norm(a) > 0.1 for a in exact[1][:-1])


# Closed forms


@pytest.mark.parametrize("method, one_pass", [(m, False) for m in METHODS] + [(METHODS[0], True)])
def test_over_all_directions_a_linear_map_has_its_closed_form(method, one_pass):
    signs = np.array(list(itertools.product((-1, 1), repeat=4)), "float32")
    z = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    directions = np.repeat(signs[:, None], 3, axis=1)
    settings = {"method": method, "one_pass": one_pass, "unbiased": False}
    for reduction in ("max", "mean"):  # The Jacobian is the same everywhere.
        found = along(linear, z, directions, reduction=reduction, **settings)
        assert found == pytest.approx(expected_of(matrix()), rel=1e-3)


def test_the_mean_over_pairs_of_random_directions():
    z = np.zeros((40_000, 4), "float32")
    for unbiased, factor in ((True, 1), (False, 0.5)):
        found = orthogonal_jacobian(linear, z, reduction="mean", unbiased=unbiased, seed=0)
        assert float(found) == pytest.approx(factor * expected_of(matrix()), rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_orthogonal_changes_cost_nothing_and_equal_ones_do(method):
    rotation = np.linalg.qr(matrix(4, 4))[0].astype("float32")
    scales = np.float32([[1], [2], [3], [0]])  # A component without effect is orthogonal to all.
    z = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    settings = {"num_directions": 8, "method": method, "seed": 0}

    def orthogonal(z):
        return ops.matmul(z, ops.convert_to_tensor(scales * rotation))

    assert float(orthogonal_jacobian(orthogonal, z, **settings)) < 1e-4
    assert float(orthogonal_jacobian(lambda z: z[:, :1] + z[:, 1:2], z, **settings)) > 1
    # Components may meet in a pixel, other than for the Hessian Penalty.
    turned = ops.convert_to_tensor(np.float32([[1, 1], [1, -1]]))
    both = orthogonal_jacobian(lambda z: ops.matmul(z[:, :2], turned), z, **settings)
    assert float(both) < 1e-4


@ONE
def test_sums_over_activations_and_reductions():
    z = Z[:, :4]

    def both(z):
        return {"a": linear(z), "b": [ops.reshape(ops.sin(linear(z)), (-1, 7, 1))]}

    found = along(both, z, DIRECTIONS[:4, :, :4])
    assert found["a"] == along(linear, z, DIRECTIONS[:4, :, :4])
    assert found["b"][0] == along(lambda z: ops.sin(linear(z)), z, DIRECTIONS[:4, :, :4])
    each = [along(both, z[i : i + 1], DIRECTIONS[:4, i : i + 1, :4])["b"][0] for i in range(5)]
    assert found["b"][0] == pytest.approx(max(each))
    mean = along(both, z, DIRECTIONS[:4, :, :4], reduction="mean")["b"][0]
    assert mean == pytest.approx(np.mean(each), rel=1e-5)
    own = along(both, z, DIRECTIONS[:4, :, :4], reduction=lambda x: ops.sum(x) / x.shape[0])
    assert own["b"][0] == pytest.approx(mean, rel=1e-5)


@ONE
@pytest.mark.parametrize("k", [2, 3])
def test_evaluations(k):
    calls = []

    def fn(z):
        calls.append(ops.convert_to_numpy(z))
        return z

    orthogonal_jacobian(fn, Z, num_directions=k, epsilon=0.25)
    orthogonal_jacobian(fn, Z, num_directions=k, epsilon=0.25, one_pass=True)
    assert [len(z) for z in calls] == [5] * (k + 1) + [5 * (k + 1)]
    for points in (np.array(calls[:-1]), calls[-1].reshape(k + 1, 5, 6)):
        np.testing.assert_array_equal(points[0], Z)
        np.testing.assert_allclose(np.abs(points[1:] - Z), 0.25, rtol=1e-5)


@ONE
def test_half_precision_layers_compute_in_float32():
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, "tanh", dtype="mixed_bfloat16"), PixelNormalization()]
    )
    narrow = along(model, Z, DIRECTIONS[:2])
    wide = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, "tanh"), PixelNormalization(dtype="float32")]
    )
    wide.set_weights(model.get_weights())
    assert narrow == pytest.approx(along(wide, Z, DIRECTIONS[:2]), rel=1e-4)


@ONE
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_directions": 1}, "`num_directions` must be an integer >= 2. Received: .*=1"),
        ({"epsilon": 0}, "`epsilon` must be a finite number"),
        ({"reduction": "sum"}, "`reduction` must be one of"),
        ({"reduction": lambda x: x}, r"`reduction` must return a scalar.*shape \(5,\)"),
        ({"method": "forward"}, "`method` must be one of"),
        ({"unbiased": 1}, "`unbiased` must be True or False"),
        ({"one_pass": True, "method": "exact"}, "`one_pass` must be False where"),
        ({"z": np.ones((2, 2), int)}, "`z` must be a float tensor"),
        ({"fn": lambda z: ops.sum(z)}, r"`fn` must return tensors \(batch, ...\)"),
    ],
)
def test_what_is_refused(settings, message):
    arguments = {"fn": lambda z: z, "z": Z, **settings}
    with pytest.raises(ValueError, match=message):
        orthogonal_jacobian(arguments.pop("fn"), arguments.pop("z"), **arguments)
