import warnings

import keras
import numpy as np
import pytest

from keras_disentangle.metrics import ImageFeatures, frechet_distance

IMAGES = np.random.default_rng(0).uniform(size=(5, 6, 4, 3)).astype("float32")


def network(shape=(None, None, 3)):
    """Two layers of pixels, scaled and added up."""
    inputs = keras.Input(shape)
    double = keras.layers.Rescaling(2.0, name="double")(inputs)
    kernel = np.eye(3)[None, None, :, :2]
    outputs = keras.layers.Conv2D(2, 1, use_bias=False, name="two")(double)
    model = keras.Model(inputs, outputs)
    model.get_layer("two").set_weights([kernel])
    return model


@pytest.mark.parametrize("batch_size", [2, 64])
def test_layers_are_averaged_over_positions(batch_size):
    features = ImageFeatures(network(), ["double", "two"], batch_size=batch_size)(IMAGES)
    means = 2 * IMAGES.mean(axis=(1, 2))
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, np.concatenate([means, means[:, :2]], 1), rtol=1e-5)


def test_layers_may_be_objects_or_the_output():
    model = network()
    of_output = ImageFeatures(model)(IMAGES)
    np.testing.assert_array_equal(ImageFeatures(model, [model.layers[-1]])(IMAGES), of_output)
    assert of_output.shape == (5, 2)
    flat = keras.Sequential([keras.Input((6, 4, 3)), keras.layers.Flatten()])
    np.testing.assert_allclose(ImageFeatures(flat)(IMAGES), IMAGES.reshape(5, -1), rtol=1e-6)


def test_features_go_into_a_frechet_distance():
    images = np.random.default_rng(1).uniform(0, 0.5, size=(40, 4, 4, 3))
    features = ImageFeatures(network())
    distance = frechet_distance(features(images), features(images + 0.5))
    assert distance == pytest.approx(2 * (2 * 0.5) ** 2, rel=1e-4)


@pytest.mark.parametrize("shape, size", [((8, 10, 3), None), ((None, None, 3), (8, 10))])
def test_images_are_resized(shape, size):
    features = ImageFeatures(network(shape), image_size=size)
    ramp = np.broadcast_to(np.linspace(0, 1, 20)[:, None, None], (1, 20, 20, 3))
    prepared = features.prepare(ramp)
    assert prepared.shape == (1, 8, 10, 3) and prepared.dtype == np.float32
    # Each new pixel is a mean over the old ones around it, and so lies on the ramp.
    expected = (np.arange(8) + 0.5) * 20 / 8 - 0.5
    np.testing.assert_allclose(prepared[0, 1:-1, 0, 0], expected[1:-1] / 19, atol=1e-3)
    stripes = np.tile([[0.0], [1.0]], (10, 20))[None, :, :, None]
    np.testing.assert_allclose(features.prepare(stripes), 0.5, atol=0.2)
    assert ImageFeatures(network((8, 8, 3)), image_size=8).prepare(ramp).shape == (1, 8, 8, 3)


def test_images_are_prepared():
    features = ImageFeatures(network(), preprocess=lambda x: 255 * x)
    grey = np.array([0, 51, 255], "uint8").reshape(1, 1, 3, 1)
    prepared = features.prepare(grey)
    np.testing.assert_allclose(prepared[0, 0], np.repeat([[0], [51], [255]], 3, 1), rtol=1e-6)
    np.testing.assert_allclose(features.prepare(grey / 255), prepared, rtol=1e-6)


def test_named_architecture():
    with pytest.warns(UserWarning, match="weights of VGG16 are random"):
        features = ImageFeatures("VGG16", ["block1_conv2"], image_size=32)
    assert features(IMAGES).shape == (5, 64)
    # Its own preprocessing: blue first, the mean of ImageNet's pixels left off.
    prepared = features.prepare(np.full((1, 32, 32, 3), [1.0, 0.5, 0.0]))
    means = np.array([103.939, 116.779, 123.68])
    np.testing.assert_allclose(prepared[0, 0, 0], [0, 127.5, 255] - means, atol=1e-3)
    bare = ImageFeatures(features.network)
    np.testing.assert_array_equal(bare.prepare(IMAGES), IMAGES)


def test_weights_from_a_file(tmp_path):
    path = str(tmp_path / "trained.weights.h5")
    trained = network()
    trained.get_layer("two").set_weights([np.full((1, 1, 3, 2), 7.0)])
    trained.save_weights(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = ImageFeatures(network(), weights=path)
    np.testing.assert_array_equal(features(IMAGES), ImageFeatures(trained)(IMAGES))


def test_bad_images_are_named():
    features = ImageFeatures(network())
    for images, message in (
        (IMAGES[0], r"`images` must be a non-empty array .*\(6, 4, 3\)"),
        (IMAGES[:, :0], "`images` must be a non-empty array"),
        (255 * IMAGES, r"`images` must be uint8 or hold numbers in \[0, 1\]"),
        (IMAGES * np.nan, "`images` must be uint8"),
        (IMAGES[..., :2], r"`images` must have 3 channels.*\(5, 6, 4, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            features.prepare(images)


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"network": "VGG17"}, "`network` must be .* an architecture in .* network='VGG17'"),
        ({"network": "vgg16"}, "`network` must be"),
        ({"network": None}, "`network` must be a functional or sequential"),
        ({"network": Subclassed()}, "`network` must be a functional or sequential"),
        ({"layers": ["three"]}, "No such layer: three"),
        (
            {"weights": "nowhere.h5"},
            "`weights` must be None.* weights='nowhere.h5', and there is no such file",
        ),
        ({"weights": "imagenet"}, "`weights` must be None"),
        ({"image_size": (8, 8, 3)}, "`image_size` must be one or two sides"),
        ({"image_size": 0}, "`image_size` must be an integer >= 1"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageFeatures(**{"network": network(), **arguments})
