import json
import pathlib

import keras
import numpy as np
import pytest

from keras_disentangle.metrics import feature_distance, perceptual_path_length

PUBLISHED = json.loads(
    pathlib.Path(__file__).with_name("published_generator_values.json").read_text()
)["lpips"]
RNG = np.random.default_rng(2025)
KERNELS = [RNG.normal(size=(3, 3, 3, 5)), RNG.normal(size=(3, 3, 5, 7))]
CHANNEL_WEIGHTS = [RNG.uniform(size=5), RNG.uniform(size=7)]
IMAGES = RNG.uniform(size=(2, 4, 9, 8, 3))


def network(shape=(None, None, 3)):
    convolution = {"activation": "relu", "use_bias": False}
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(5, 3, name="first", **convolution),
            keras.layers.Conv2D(7, 3, strides=2, name="second", **convolution),
        ]
    )
    model.set_weights(KERNELS)
    return model


@pytest.mark.parametrize("channel_weights", [None, CHANNEL_WEIGHTS])
@pytest.mark.parametrize("batch_size", [3, 16])
def test_published_values(channel_weights, batch_size):
    distance = feature_distance(
        network(), ["first", "second"], channel_weights=channel_weights, batch_size=batch_size
    )
    expected = PUBLISHED["plain" if channel_weights is None else "channel_weights"]
    np.testing.assert_allclose(distance(*IMAGES), expected, rtol=1e-5)


def test_layers_add_up():
    parts = [feature_distance(network(), [layer])(*IMAGES) for layer in ("first", "second")]
    whole = feature_distance(network(), ["first", "second"])(*IMAGES)
    np.testing.assert_allclose(whole, parts[0] + parts[1], rtol=1e-5)
    np.testing.assert_allclose(feature_distance(network())(*IMAGES), parts[1], rtol=1e-5)


def test_vectors_of_unit_length():
    # Of a layer without positions: |a - b|^2 = 2 - 2 cos.
    model = keras.Sequential([keras.Input((2, 1, 1)), keras.layers.Flatten()])
    a = np.array([[1.0, 0.0], [1.0, 0.0], [0.2, 0.2], [0.0, 0.0]]).reshape(4, 2, 1, 1)
    b = np.array([[0.0, 1.0], [0.5, 0.0], [0.0, 1.0], [0.0, 0.0]]).reshape(4, 2, 1, 1)
    expected = [2, 0, 2 - np.sqrt(2), 0]
    np.testing.assert_allclose(feature_distance(model)(a, b), expected, atol=1e-6)


def test_arguments_reach_the_network():
    grey = IMAGES[..., :1]
    preprocess = lambda x: 2 * x - 1  # noqa: E731
    colours = 2 * np.repeat(grey, 3, axis=-1) - 1
    expected = feature_distance(network(), preprocess=lambda x: 2 * x - 1)(*grey)
    direct = feature_distance(network(), preprocess=lambda x: x)(*((colours + 1) / 2))
    assert not np.allclose(expected, direct)
    resized = feature_distance(network(), preprocess=preprocess, image_size=(9, 8))(*grey)
    np.testing.assert_allclose(resized, expected, rtol=1e-6)
    larger = feature_distance(network(), preprocess=preprocess, image_size=17)(*grey)
    assert larger.shape == (4,) and not np.allclose(larger, expected, rtol=0.05)
    fixed = feature_distance(network((17, 17, 3)), preprocess=preprocess)(*grey)
    np.testing.assert_allclose(fixed, larger, rtol=1e-5)


def test_path_length_of_features():
    weights = np.random.default_rng(0).normal(size=(3, 9, 8, 3)).astype("float32")
    generator = lambda z: 0.5 + 0.03 * np.tensordot(z, weights, 1).clip(-9, 9)  # noqa: E731
    steps = {"num_samples": 20, "interpolation": "lerp", "percentiles": (0, 100)}
    distance = feature_distance(network(), ["first", "second"])
    # The square of a small change: the step cancels out.
    values = [
        perceptual_path_length(generator, 3, distance, epsilon=epsilon, **steps)
        for epsilon in (1e-2, 1e-3)
    ]
    assert values[0] == pytest.approx(values[1], rel=0.05)


def test_random_weights_are_told():
    with pytest.warns(UserWarning, match="weights of VGG16 are random"):
        feature_distance("VGG16", ["block1_conv2"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"channel_weights": CHANNEL_WEIGHTS}, r"`channel_weights` must be arrays of \[7\]"),
        ({"channel_weights": [np.ones(5)]}, r"Received: shapes \[\(5,\)\]"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1"),
        ({"network": "VGG17"}, "`network` must be"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        feature_distance(**{"network": network(), **arguments})


def test_images_of_other_shapes():
    with pytest.raises(ValueError, match=r"one shape.*\(4, 9, 8, 3\) and \(3, 9, 8, 3\)"):
        feature_distance(network())(IMAGES[0], IMAGES[1, :3])
