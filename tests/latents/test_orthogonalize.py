import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.latents import orthogonalize

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(5, 4)).astype("float32")
ONE = np.array([1.0, -2.0, 0.5, 3.0], "float32")
SEVERAL = RNG.normal(size=(2, 4)).astype("float32")


def projected(z, directions):
    """What `orthogonalize` should give, in float64."""
    rows = np.atleast_2d(np.asarray(directions, "float64"))
    return z - z @ np.linalg.pinv(rows) @ rows


@pytest.mark.parametrize(
    "directions",
    [ONE, ONE[None], SEVERAL, np.eye(4)[[2, 0]], np.linalg.qr(RNG.normal(size=(4, 4)))[0][:3]],
    ids=["one", "one_row", "oblique", "axes", "orthonormal"],
)
@pytest.mark.parametrize("scale", [1, 1e-3])
def test_the_component_in_their_span_is_gone(directions, scale):
    result = ops.convert_to_numpy(orthogonalize(Z, scale * directions))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, projected(Z, directions), atol=1e-6)
    again = ops.convert_to_numpy(orthogonalize(result, directions))
    np.testing.assert_allclose(again, result, atol=1e-6)


def test_an_axis_sets_its_coordinate_to_zero_exactly():
    expected = Z.copy()
    expected[:, 1] = 0
    np.testing.assert_array_equal(ops.convert_to_numpy(orthogonalize(Z, np.eye(4)[1])), expected)


def test_the_example_and_what_it_takes():
    for z, q in (
        (np.array([[3.0, 4.0]]), np.array([0.0, 2.0])),
        ([[3, 4]], [0, 2]),
        (ops.convert_to_tensor([[3.0, 4.0]]), ops.convert_to_tensor([0.0, 2.0])),
        (ops.cast([[3.0, 4.0]], "bfloat16"), np.array([0.0, 2.0])),
    ):
        result = orthogonalize(z, q)
        assert keras.backend.standardize_dtype(result.dtype) in ("float32", "float64")
        np.testing.assert_allclose(ops.convert_to_numpy(result), [[3, 0]], atol=1e-6)


def test_directions_that_nearly_or_quite_coincide():
    near = np.stack([ONE, ONE + 1e-3 * SEVERAL[0]])
    result = ops.convert_to_numpy(orthogonalize(Z, near))
    np.testing.assert_allclose(result, projected(Z, near), atol=2e-3)
    np.testing.assert_allclose(result @ near.T, 0, atol=1e-5)
    same = ops.convert_to_numpy(orthogonalize(Z, np.stack([ONE, 2 * ONE])))
    np.testing.assert_allclose(same @ ONE, 0, atol=1e-5)


def test_all_directions_leave_nothing():
    directions = RNG.normal(size=(4, 4))
    np.testing.assert_allclose(ops.convert_to_numpy(orthogonalize(Z, directions)), 0, atol=1e-6)


class Trained(keras.layers.Layer):
    """Has the latents and the directions as weights."""

    def __init__(self, z, directions):
        super().__init__()
        self.z, self.directions = (
            self.add_weight(shape=x.shape, initializer=lambda shape, dtype, x=x: ops.array(x))
            for x in (z, directions)
        )

    def call(self, x):
        return x * orthogonalize(self.z, self.directions)


@pytest.mark.parametrize("directions", [ONE, SEVERAL], ids=["one", "several"])
def test_gradients(directions):
    weights = RNG.normal(size=Z.shape)

    def loss(z, directions):
        return np.mean(weights * projected(z, directions))

    def gradient(point, of):
        result = np.empty(point.shape)
        for index in np.ndindex(point.shape):
            step = np.zeros(point.shape)
            step[index] = 1e-5
            result[index] = (of(point + step) - of(point - step)) / 2e-5
        return result

    layer = Trained(Z, directions)
    model = keras.Sequential([keras.Input(batch_shape=Z.shape), layer])
    model.compile(keras.optimizers.SGD(1.0), lambda y, pred: ops.mean(pred, axis=-1))
    model.fit(weights.astype("float32"), Z, batch_size=len(Z), shuffle=False, verbose=0)
    moved = [ops.convert_to_numpy(weight) for weight in (layer.z, layer.directions)]
    expected = [
        Z - gradient(Z, lambda z: loss(z, directions)),
        directions - gradient(directions, lambda q: loss(Z, q)),
    ]
    for received, value in zip(moved, expected, strict=True):
        np.testing.assert_allclose(received, value, atol=1e-5)


def test_of_zeros_nothing_is_removed():
    np.testing.assert_array_equal(ops.convert_to_numpy(orthogonalize(Z, np.zeros(4))), Z)
    pair = np.stack([ONE, 0 * ONE])
    assert np.isfinite(ops.convert_to_numpy(orthogonalize(Z, pair))).all()


@pytest.mark.parametrize(
    "z, directions, message",
    [
        (Z, np.ones(3), r"`z` must have the shape \(n, 3\). Received: z.shape=\(5, 4\)"),
        (Z[0], ONE, r"`z` must have the shape \(n, 4\). Received: z.shape=\(4,\)"),
        (Z, np.ones((2, 3)), r"`z` must have the shape \(n, 3\)"),
        (Z, np.ones((5, 4)), r"`directions` must have .* m <= d. Received: .*shape=\(5, 4\)"),
        (Z, np.ones((0, 4)), r"`directions` must have .*shape=\(0, 4\)"),
        (Z, 1.0, r"`directions` must have .*shape=\(\)"),
        (Z, np.ones((1, 1, 4)), r"`directions` must have .*shape=\(1, 1, 4\)"),
    ],
)
def test_bad_shapes_are_named(z, directions, message):
    with pytest.raises(ValueError, match=message):
        orthogonalize(z, directions)
