import keras
import numpy as np
import pytest
from derivatives import value_and_gradients
from keras import ops

import keras_disentangle as kd
from keras_disentangle.layers import RandomAffine

STILL = np.array([[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]], "float32")  # angle, shear, scales, shifts


def images(n=1, h=7, w=7, c=2):
    return np.random.default_rng(0).random((n, h, w, c), dtype="float32")


def moved(x, **changes):
    names = ("angle", "shear", "width", "height", "across", "down")
    parameters = STILL.copy()
    for name, value in changes.items():
        parameters[0, names.index(name)] = value
    parameters = np.repeat(parameters, len(x), axis=0)
    return ops.convert_to_numpy(RandomAffine()(x, parameters=parameters))


def test_nothing_moves_unless_it_is_trained():
    x = images(3)
    layer = RandomAffine(seed=0)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), x)
    np.testing.assert_allclose(moved(x), x, atol=1e-6)
    changed = ops.convert_to_numpy(layer(x, training=True))
    assert changed.shape == x.shape and (np.abs(changed - x).max(axis=(1, 2, 3)) > 0.05).all()


def test_a_quarter_turn_is_exact():
    x = images()
    found = moved(x, angle=np.pi / 2)
    expected = (np.rot90(x, 1, (1, 2)), np.rot90(x, -1, (1, 2)))
    assert min(np.abs(found - each).max() for each in expected) < 1e-5


def test_whole_pixels_are_shifted_and_the_edge_goes_on():
    x = images(h=5, w=10)
    right = moved(x, across=0.2)  # of ten pixels
    np.testing.assert_allclose(right[:, :, 2:], x[:, :, :-2], atol=1e-5)
    np.testing.assert_allclose(right[:, :, :2], np.repeat(x[:, :, :1], 2, axis=2), atol=1e-5)
    down = moved(x, down=0.4)
    np.testing.assert_allclose(down[:, 2:], x[:, :-2], atol=1e-5)


def test_a_ramp_is_scaled_and_sheared():
    """Bilinear interpolation is exact for a linear function."""
    y, x = np.mgrid[-3:4, -3:4].astype("float32")
    ramp = np.stack([x, y], axis=-1)[None] / 10
    inner = (slice(None), slice(2, -2), slice(2, -2))
    doubled = moved(ramp, width=2.0)
    np.testing.assert_allclose(doubled[inner][..., 0], ramp[inner][..., 0] / 2, atol=1e-6)
    np.testing.assert_allclose(doubled[inner][..., 1], ramp[inner][..., 1], atol=1e-6)
    sheared = moved(ramp, shear=0.5)
    expected = ramp[inner][..., 0] - 0.5 * ramp[inner][..., 1]
    np.testing.assert_allclose(sheared[inner][..., 0], expected, atol=1e-6)


def test_it_is_what_keras_gives():
    """Apart from the edge, where Keras's transformation has another rule."""
    x, side = images(16, 15, 15), 15
    layer = RandomAffine(20.0, 0.3, 0.2, 0.1, seed=3)
    drawn = ops.convert_to_numpy(layer.draw(16))
    found = ops.convert_to_numpy(layer(x, parameters=drawn))
    transforms = []
    for angle, shear, width, height, across, down in drawn:
        scale, shearing = np.diag([1 / width, 1 / height, 1]), np.eye(3)
        shearing[0, 1] = -shear
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn = np.block([[turn, np.zeros((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]])
        shift, centre = np.eye(3), np.eye(3)
        shift[:2, 2] = -across * side, -down * side
        centre[:2, 2] = (side - 1) / 2
        whole = centre @ shift @ turn @ shearing @ scale @ np.linalg.inv(centre)
        transforms.append(whole.reshape(-1)[:8])
    expected, other = (
        ops.convert_to_numpy(
            ops.image.affine_transform(x, np.array(transforms, "float32"), fill_value=beyond)
        )
        for beyond in (0.0, 1.0)
    )
    whole = expected == other  # All four neighbours lie within the image.
    assert whole.mean() > 0.5
    np.testing.assert_allclose(found[whole], expected[whole], atol=2e-4)


def test_what_is_drawn():
    drawn = ops.convert_to_numpy(RandomAffine(90.0, 0.5, 0.25, 0.1, seed=0).draw(4000))
    low = [-np.pi / 2, -0.5, 0.75, 0.75, -0.1, -0.1]
    high = [np.pi / 2, 0.5, 1.25, 1.25, 0.1, 0.1]
    np.testing.assert_allclose(drawn.min(0), low, atol=0.01)
    np.testing.assert_allclose(drawn.max(0), high, atol=0.01)
    np.testing.assert_allclose(drawn.mean(0), [0, 0, 1, 1, 0, 0], atol=0.05)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(6)).max() < 0.1


def test_gradients_pass_to_the_images():
    """The transformation is linear: the gradient of <a, T x> is T* a, and <a, T x> = <T* a, x>."""
    x, a = images(4), np.random.default_rng(1).normal(size=(4, 7, 7, 2)).astype("float32")
    layer, variable = RandomAffine(seed=1), keras.Variable(x)
    drawn = layer.draw(4)
    total, [gradient] = value_and_gradients(
        lambda: ops.sum(ops.multiply(a, layer(variable.value, parameters=drawn))), [variable]
    )
    assert float(np.sum(gradient * x)) == pytest.approx(float(total), rel=1e-4)


def test_half_precision_keeps_its_type_and_places():
    x = images(2, 32, 32, 1)
    drawn = RandomAffine(seed=0).draw(2)
    exact = ops.convert_to_numpy(RandomAffine()(x, parameters=drawn))
    half = RandomAffine(dtype="mixed_bfloat16")(ops.cast(x, "bfloat16"), parameters=drawn)
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(half, "float32")), exact, atol=0.01)


def test_types():
    layer, whole = RandomAffine(seed=0), (images(2) * 255).astype("uint8")
    for x, dtype in (
        (whole, "float32"),
        (images(2), "float32"),
        (ops.cast(whole, "bfloat16"), "bfloat16"),
    ):
        symbolic = layer(keras.Input((7, 7, 2), dtype=keras.backend.standardize_dtype(x.dtype)))
        for found in (layer(x, training=True), layer(x), symbolic):
            assert keras.backend.standardize_dtype(found.dtype) == dtype
            assert tuple(found.shape[1:]) == (7, 7, 2)


def test_it_is_restored():
    layer = RandomAffine(10.0, 0.1, 0.2, 0.3, seed=4)
    again = RandomAffine.from_config(layer.get_config())
    x = images(3)
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(each(x, training=True)) for each in (layer, again))
    )


@pytest.mark.parametrize(
    "settings, name",
    [
        ({"rotation": -1}, "rotation"),
        ({"rotation": 181}, "rotation"),
        ({"shear": -0.1}, "shear"),
        ({"zoom": 1.0}, "zoom"),
        ({"translation": float("nan")}, "translation"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range(settings, name):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        kd.layers.RandomAffine(**settings)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda layer: layer(np.zeros((2, 7, 7))), "images"),
        (lambda layer: layer(keras.Input((7, 7))), "images"),
        (lambda layer: layer(keras.Input((None, 7, 1))), "images"),
        (lambda layer: layer(images(2), parameters=np.zeros((2, 5))), "parameters"),
        (lambda layer: layer(images(2), parameters=np.zeros((3, 6))), "parameters"),
        (lambda layer: layer.draw(-1), "n"),
    ],
)
def test_bad_inputs(call, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        call(RandomAffine())
