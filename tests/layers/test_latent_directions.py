import json

import h5py
import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import gammaln
from tiny_networks import network

from keras_disentangle.layers import LatentDirections


def matrix(layer):
    return ops.convert_to_numpy(layer.matrix())


def kernel(layer):
    return ops.convert_to_numpy(layer.kernel)


def gram_schmidt(rows):
    """The process by its definition: each row without its components along those before it."""
    basis = []
    for row in np.asarray(rows, "float64"):
        for q in basis:
            row = row - row @ q * q
        basis.append(row / np.linalg.norm(row))
    return np.stack(basis)


@pytest.mark.parametrize("num_directions, width", [(1, 1), (1, 5), (3, 5), (5, 5), (40, 40)])
def test_the_directions_are_those_of_the_gram_schmidt_process(num_directions, width):
    layer = LatentDirections(width, num_directions, seed=0)
    expected = gram_schmidt(kernel(layer))
    np.testing.assert_allclose(matrix(layer), expected, atol=1e-5)
    # Every row keeps its sense, and the first one its direction.
    assert (np.sum(matrix(layer) * kernel(layer), axis=1) > 0).all()


def test_steps_add_up():
    layer, w = LatentDirections(5, 3, seed=0), np.random.default_rng(0).normal(size=(4, 3))
    moved = ops.convert_to_numpy(layer(w))
    np.testing.assert_allclose(moved, w @ gram_schmidt(kernel(layer)), rtol=1e-5, atol=1e-6)
    # Orthonormal directions keep lengths.
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), np.linalg.norm(w, axis=1), rtol=1e-5)


def test_the_gradient_goes_through_the_process():
    layer, width = LatentDirections(4, 3, seed=2), 4
    slope = np.random.default_rng(1).normal(size=(3, width))
    before = kernel(layer)
    model = network((3,), layer)
    model.compile(keras.optimizers.SGD(1.0), lambda y, moved: ops.sum(y * moved, axis=-1))
    model.train_on_batch(np.eye(3, dtype="float32"), slope.astype("float32"))
    gradient = 3 * (before - kernel(layer))  # of the sum; Keras takes the mean over the batch
    expected = np.zeros((3, width))
    for place in np.ndindex(3, width):
        step = np.zeros((3, width))
        step[place] = 1e-6
        ends = [np.sum(slope * gram_schmidt(before + sign * step)) for sign in (1, -1)]
        expected[place] = (ends[0] - ends[1]) / 2e-6
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "block, start, stop",
    [
        (None, 0, 12),
        ("coarse", 0, 4),
        ("mid", 4, 8),
        ("fine", 8, 12),
        ((1, 12), 1, 12),
        ([3, np.int64(5)], 3, 5),
    ],
)
def test_a_block_leaves_the_other_dimensions_alone(block, start, stop):
    layer = LatentDirections(12, block=block, seed=0)
    assert layer.num_directions == stop - start
    found = matrix(layer)
    inside = found[:, start:stop]
    np.testing.assert_allclose(inside, gram_schmidt(kernel(layer)), atol=1e-5)
    np.testing.assert_allclose(inside @ inside.T, np.eye(stop - start), atol=1e-5)
    assert (np.delete(found, range(start, stop), axis=1) == 0).all()
    moved = ops.convert_to_numpy(layer(np.ones((2, stop - start))))
    assert (np.delete(moved, range(start, stop), axis=1) == 0).all()


def test_directions_that_begin_as_axes():
    layer = LatentDirections(6, 2, block=(1, 5), initializer="axes")
    assert (matrix(layer) == np.eye(6)[1:3]).all()


@pytest.mark.parametrize("dim, seeds", [(2, 100), (16, 20), (64, 4)])
def test_random_directions_are_evenly_distributed(dim, seeds):
    found = np.stack([matrix(LatentDirections(dim, seed=seed)) for seed in range(seeds)])
    np.testing.assert_allclose(found @ found.swapaxes(1, 2), [np.eye(dim)] * seeds, atol=1e-5)
    # |cosine| of a random direction with a fixed one.
    mean = np.exp(gammaln(dim / 2) - gammaln((dim + 1) / 2)) / np.sqrt(np.pi)
    error = np.sqrt((1 / dim - mean**2) / found.size)
    assert abs(np.abs(found).mean() - mean) < 4 * error
    assert abs(found.mean()) < 4 * np.sqrt(1 / dim / found.size)


def test_random_numbers_follow_their_seed():
    first, same, other = (matrix(LatentDirections(4, seed=seed)) for seed in (1, 1, 2))
    assert (first == same).all() and (first != other).any()
    assert (matrix(LatentDirections(4)) != matrix(LatentDirections(4))).any()


def test_half_precision_around_it_leaves_them_orthonormal():
    class Around(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.directions = LatentDirections(24, seed=0)

        def call(self, w):
            return self.directions.matrix(), self.directions(w)

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found, moved = Around()(np.eye(24, dtype="float32"))
        layer = LatentDirections(24, seed=0, dtype="float16")
    finally:
        keras.config.set_dtype_policy("float32")
    expected = gram_schmidt(kernel(layer))
    for rows in (found, moved, layer.matrix(), layer(np.eye(24))):
        assert keras.backend.standardize_dtype(rows.dtype) == "float32"
        np.testing.assert_allclose(ops.convert_to_numpy(rows), expected, atol=1e-5)


# Files


def saved(layer, path):
    network((layer.num_directions,), layer).save_weights(path)
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name.rpartition("/")[2]: item}))
        return {name: found[name][...] for name in ("kernel", "matrix")}


def drop_the_kernel(path):
    with h5py.File(path, "a") as file:
        names = []
        file.visit(names.append)
        (name,) = (name for name in names if name.endswith("/kernel"))
        del file[name]


def load(layer, path):
    network((layer.num_directions,), layer).load_weights(path)


@pytest.mark.parametrize("block", [None, "mid"])
def test_a_file_holds_the_kernel_and_the_directions(block, tmp_path):
    path, layer = tmp_path / "directions.weights.h5", LatentDirections(6, 2, block=block, seed=0)
    values = saved(layer, path)
    np.testing.assert_array_equal(values["kernel"], kernel(layer))
    np.testing.assert_array_equal(values["matrix"], matrix(layer))
    other = LatentDirections(6, 2, block=block, seed=1)
    load(other, path)
    np.testing.assert_array_equal(kernel(other), kernel(layer))

    drop_the_kernel(path)
    other = LatentDirections(6, 2, block=block, seed=1)
    load(other, path)
    np.testing.assert_allclose(matrix(other), matrix(layer), atol=1e-6)
    np.testing.assert_allclose(kernel(other) @ kernel(other).T, np.eye(2), atol=1e-6)


@pytest.mark.parametrize("with_kernel", [True, False])
@pytest.mark.parametrize(
    "saved_as, received",
    [
        ({"latent_dim": 6}, r"\(6, 6\) in the dimensions \[0, 1, 2, 3, 4, 5\]"),
        ({"latent_dim": 3, "num_directions": 2}, r"\(2, 3\) in the dimensions \[0, 1, 2\]"),
        ({"latent_dim": 6, "num_directions": 2, "block": "fine"}, r"\(2, 6\) .* \[4, 5\]"),
    ],
)
def test_directions_of_another_kind_are_refused(with_kernel, saved_as, received, tmp_path):
    path = tmp_path / "directions.weights.h5"
    saved(LatentDirections(**saved_as), path)
    if not with_kernel:
        drop_the_kernel(path)
    layer = LatentDirections(6, 2, block="mid", seed=0)
    before = kernel(layer)
    message = (
        rf"directions of the shape \(2, 6\) in the dimensions \[2, 4\). Received: .*{received}"
    )
    with pytest.raises(ValueError, match=message):
        load(layer, path)
    np.testing.assert_array_equal(kernel(layer), before)


@pytest.mark.parametrize("block", [None, "fine", (2, 5), [2, 5]])
def test_configuration(block):
    layer = LatentDirections(6, 2, block=block, initializer="axes", seed=3, name="rows")
    config = keras.saving.serialize_keras_object(layer)
    for given in (config, json.loads(json.dumps(config))):
        loaded = keras.saving.deserialize_keras_object(given)
        assert loaded.get_config() == layer.get_config()
        assert (matrix(loaded) == matrix(layer)).all()
    assert layer.block == (tuple(block) if isinstance(block, list) else block)


def test_the_example():
    directions = LatentDirections(120, 40, block="coarse")
    assert tuple(directions(ops.one_hot([3], 40)).shape) == (1, 120)
    assert directions.compute_output_shape((None, 40)) == (None, 120)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"latent_dim": 0}, "`latent_dim` must be an integer >= 1. Received: latent_dim=0"),
        ({"num_directions": 0}, "`num_directions` must be an integer >= 1"),
        ({"num_directions": 9}, "`num_directions` must be at most 8, .* num_directions=9"),
        ({"num_directions": 4, "block": (2, 5)}, "`num_directions` must be at most 3, .*=4"),
        ({"block": "mid"}, "since 8 dimensions cannot be divided by 3. Received: block='mid'"),
        ({"block": "low"}, r"`block` must be None, one of \('coarse', .* Received: block='low'"),
        ({"block": (3, 3)}, r"0 <= start < stop <= 8. Received: block=\(3, 3\)"),
        ({"block": (-1, 3)}, r"0 <= start < stop <= 8. Received: block=\(-1, 3\)"),
        ({"block": (2, 9)}, r"0 <= start < stop <= 8. Received: block=\(2, 9\)"),
        ({"block": (0.0, 3)}, r"0 <= start < stop <= 8. Received: block=\(0.0, 3\)"),
        ({"block": (0, 3, 6)}, r"0 <= start < stop <= 8. Received: block=\(0, 3, 6\)"),
        ({"block": 3}, "0 <= start < stop <= 8. Received: block=3"),
        ({"initializer": "eye"}, "`initializer` must be one of .* Received: initializer='eye'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LatentDirections(**{"latent_dim": 8, **arguments})
