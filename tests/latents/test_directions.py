"""Directions in closed form (SeFa) and by principal components (GANSpace)."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_disentangle.latents import (
    LatentSpace,
    Uniform,
    closed_form_directions,
    principal_directions,
)
from keras_disentangle.layers import EqualizedDense, LatentDirections

pytestmark = pytest.mark.one_backend


def up_to_sense(rows):
    return np.sign(np.take_along_axis(rows, np.abs(rows).argmax(1)[:, None], 1)) * rows


# In closed form


def published_kernels():
    """Those on which the authors' function was called, in PyTorch's order of axes."""
    rng = np.random.default_rng(2021)
    convolution = rng.normal(size=(5, 4, 3, 3)).astype("float32")
    styles = [rng.normal(size=(n, 4)).astype("float32") for n in (6, 3)]
    return convolution, styles


# Their rows, sorted by their eigenvalues, which the authors' function leaves unsorted.
PUBLISHED = {
    "convolution": [
        [-0.071343, 0.089555, 0.057383, -0.991765],
        [0.575533, 0.591136, -0.564704, -0.020695],
        [0.777469, -0.185287, 0.599809, -0.037954],
        [-0.24334, 0.779876, 0.563955, 0.120557],
    ],
    "styles": [
        [-0.617656, 0.165995, -0.680023, -0.358491],
        [0.772686, 0.25498, -0.562775, -0.145691],
        [-0.119327, 0.118921, -0.348639, 0.921992],
        [-0.084963, 0.94514, 0.315125, -0.013742],
    ],
}


def test_directions_of_a_convolution_are_the_published_ones():
    kernel = published_kernels()[0].transpose(2, 3, 1, 0)[::-1, ::-1]
    layer = layers.Conv2D(5, 3, padding="same")
    layer.build((None, 1, 1, 4))
    layer.kernel.assign(kernel)
    found = closed_form_directions(layer)
    np.testing.assert_allclose(found, up_to_sense(np.array(PUBLISHED["convolution"])), atol=1e-5)
    transposed = layers.Conv2DTranspose(5, 3, padding="same")
    transposed.build((None, 1, 1, 4))
    transposed.kernel.assign(kernel.swapaxes(2, 3))
    np.testing.assert_allclose(closed_form_directions(transposed), found, atol=1e-6)


def test_directions_of_several_layers_are_the_published_ones():
    styles = [kernel.T for kernel in published_kernels()[1]]
    dense = EqualizedDense(6)
    dense.build((None, 4))
    dense.kernel.assign(styles[0])
    expected = up_to_sense(np.array(PUBLISHED["styles"]))
    for given in (styles, [dense, ops.convert_to_tensor(styles[1])]):
        np.testing.assert_allclose(closed_form_directions(given), expected, atol=1e-5)
    np.testing.assert_array_equal(
        closed_form_directions(styles, num=2), closed_form_directions(styles)[:2]
    )


def test_closed_form():
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    # Columns of length 1 along three directions, 4, 2 and once; and a unit that is dead.
    kernel = np.repeat(rotation.T, (4, 2, 1), axis=1) * np.arange(1, 8)
    kernel = np.concatenate([kernel, np.zeros((3, 1))], axis=1)
    found = closed_form_directions(kernel)
    np.testing.assert_allclose(found, up_to_sense(rotation), atol=1e-6)
    assert found.dtype == "float32" and (found[np.arange(3), np.abs(found).argmax(1)] > 0).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.eye(3), 4), "`num` must be an integer <= 3. Received: num=4"),
        ((np.eye(3), 0), "`num` must be an integer >= 1"),
        (([np.eye(3), np.eye(2)],), r"latents of one width. Received: 2 layers, widths \[2, 3\]"),
        (([],), "`layers` must be one or more"),
        ((np.zeros((3, 2)),), "`layers` must have kernels other than 0"),
        ((np.full((3, 2), np.nan),), "`layers` must have finite kernels"),
        ((np.zeros((2, 2, 3, 4)),), r"a kernel of the shape \(2, 2, 3, 4\)"),
        ((layers.Flatten(),), "`layers` must be built layers with a kernel"),
        ((layers.Dense(3),), "`layers` must be built layers with a kernel"),
        (("dense",), "`layers` must be an array of numbers"),
    ],
)
def test_what_closed_form_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        closed_form_directions(*arguments)


# By principal components


def linear(rotation, scales, columns):
    """Activations whose principal components are the coordinates along the rows of a rotation."""
    mixed = (rotation.T * scales) @ columns
    return lambda z: z @ mixed.astype("float32")


def test_principal_components_of_a_linear_map():
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    columns = np.linalg.qr(rng.normal(size=(40, 4)))[0].T
    fn = linear(rotation, [4, 3, 2, 1], columns)
    found = principal_directions(fn, space=4, num_samples=20_000, batch_size=3000)
    np.testing.assert_allclose(found, up_to_sense(rotation), atol=0.03)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    few = principal_directions(fn, space=4, num=2, num_samples=20_000, batch_size=5000)
    np.testing.assert_allclose(few, found[:2], atol=1e-4)
    again = principal_directions(fn, space=4, num=2, num_samples=20_000, batch_size=5000)
    np.testing.assert_array_equal(few, again)
    other = principal_directions(fn, space=4, num=2, num_samples=20_000, seed=1)
    assert np.abs(other - few).max() > 1e-4


def test_against_a_whole_principal_component_analysis():
    """Of a nonlinear map, with all activations at hand and NumPy's least squares."""
    weights = np.random.default_rng(1).normal(size=(3, 30))
    space = LatentSpace([Uniform(3)])

    def fn(z):
        return np.tanh(z @ weights).reshape(-1, 5, 6)

    found = principal_directions(fn, num=3, space=space, num_samples=2000, batch_size=77)
    z = ops.convert_to_numpy(space.sample(2000, seed=0)).astype("float64")
    activations = fn(z).reshape(len(z), -1)
    centred = activations - activations.mean(axis=0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    coordinates = centred @ components[:3].T
    coordinates /= coordinates.std(axis=0)
    solution = np.linalg.lstsq(coordinates, z - z.mean(axis=0))[0]
    solution /= np.linalg.norm(solution, axis=1, keepdims=True)
    np.testing.assert_allclose(found, up_to_sense(solution), atol=1e-4)


def test_a_layer_of_a_model_and_directions_of_models():
    rng = np.random.default_rng(0)
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(6, name="first"),
            layers.Dense(8, "tanh"),
            layers.Reshape((2, 2, 2)),
        ]
    )
    generator.get_layer("first").kernel.assign(rng.normal(size=(3, 6)))
    of_layer = principal_directions(generator, "first", num_samples=500)
    kernel = ops.convert_to_numpy(generator.get_layer("first").kernel)
    same = principal_directions(lambda z: z @ kernel, space=3, num_samples=500)
    np.testing.assert_allclose(of_layer, same, atol=1e-3)
    assert principal_directions(generator, num=2, num_samples=500).shape == (2, 3)
    directions = LatentDirections.from_matrix(of_layer)
    matrix = ops.convert_to_numpy(directions.matrix())
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(matrix[0], of_layer[0], atol=1e-5)
    assert np.sum(matrix[1] * of_layer[1]) > 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"space": None}, "`space` must be given where `generator` does not say"),
        ({"num": 4}, "`num` must be an integer <= 3"),
        ({"num_samples": 3}, "`num_samples` must be an integer >= 4"),
        ({"batch_size": 0}, "`batch_size` must be"),
        ({"seed": None}, "`seed` must be"),
        ({"layer": "first"}, r"`layer` must be None or the name.*Received: layer='first'"),
        ({"generator": 3}, "`generator` must be a function"),
        ({"generator": lambda z: z[:, 0]}, "`generator` must give finite activations"),
        ({"generator": lambda z: np.nan * z}, "`generator` must give finite activations"),
        ({"generator": lambda z: z[:, :2]}, "`num` must be at most 2, .*Received: num=3"),
        ({"generator": lambda z: 0 * z}, "`num` must be at most 0"),
    ],
)
def test_what_principal_components_refuse(arguments, message):
    known = {"generator": lambda z: z, "space": 3, "num_samples": 50}
    with pytest.raises(ValueError, match=message):
        principal_directions(**{**known, **arguments})


@pytest.mark.parametrize(
    "matrix, block, message",
    [
        (np.ones(3), None, r"`matrix` must be a finite array.*\(3,\)"),
        (np.ones((2, 3)), None, "`matrix` must have linearly independent rows.*rank 1"),
        (np.eye(3)[:2], (1, 3), r"0 outside of `block`.*block=\(1, 3\)"),
    ],
)
def test_directions_that_no_layer_can_have(matrix, block, message):
    with pytest.raises(ValueError, match=message):
        LatentDirections.from_matrix(matrix, block=block)


def test_directions_in_a_block():
    matrix = np.pad(closed_form_directions(np.random.default_rng(0).normal(size=(2, 5))), (0, 1))
    layer = LatentDirections.from_matrix(matrix[:2], block=(0, 2), name="directions")
    np.testing.assert_allclose(ops.convert_to_numpy(layer.matrix()), matrix[:2], atol=1e-6)
    assert layer.name == "directions" and LatentDirections.from_config(layer.get_config())
