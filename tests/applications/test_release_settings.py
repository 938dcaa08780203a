"""What the discriminative VAE's recipes take from the authors' release."""

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications.discriminative_vae import measures, networks
from keras_disentangle.applications.discriminative_vae.recipes import RECIPES


def test_the_papers_recipes_have_the_releases_settings():
    for name in ("celeb_a", "svhn", "cifar10"):
        assert RECIPES[name].learning_rate == 2e-3
    assert {name: recipe.pooling for name, recipe in RECIPES.items()} == {
        "celeb_a": "max",
        "svhn": "average",
        "cifar10": "average",
        "fashion_mnist": "max",
        "cifar10_small": "max",
    }


def test_pooling_by_averages_replaces_that_by_maxima():
    image = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(2, 1, name="first")(image)
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    network = keras.Model(image, keras.layers.Conv2D(3, 1, name="second")(x))
    network.trainable = False
    features = kd.layers.FeatureNetwork(network, ["first", "second"], preprocessing="tf")
    averaged = networks.average_pooled(features)
    images = np.random.default_rng(0).random((2, 4, 4, 1)).astype("float32")
    first, second = (ops.convert_to_numpy(x) for x in averaged(images))
    np.testing.assert_allclose(first, ops.convert_to_numpy(features(images)[0]), rtol=1e-5)
    # With equal weights a convolution of 1x1 commutes with the mean, not with the maximum.
    mean = first.reshape(2, 2, 2, 2, 2, 2).mean(axis=(2, 4))
    kernel, bias = map(ops.convert_to_numpy, network.get_layer("second").weights)
    np.testing.assert_allclose(second, mean @ kernel[0, 0] + bias, rtol=1e-4, atol=1e-5)
    assert not np.allclose(second, ops.convert_to_numpy(features(images)[1]), atol=1e-3)
    assert averaged.preprocessing == "tf" and averaged.layer_names == ("first", "second")


def test_statistics_are_those_of_reconstructions():
    keras.utils.set_random_seed(0)
    flat = [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(4)]
    norm = keras.layers.BatchNormalization(momentum=0.5, scale=False)
    decoder = [keras.Input((2,)), keras.layers.Dense(4), norm, keras.layers.Reshape((2, 2, 1))]
    model = kd.models.VAE(
        keras.Sequential(flat), keras.Sequential(decoder), observation="gaussian", seed=0
    )
    images = np.random.default_rng(1).integers(0, 256, (40, 2, 2, 1)).astype("uint8")
    measures.use_statistics_of_reconstructions(model, images, num_batches=200, batch_size=30)
    assert norm.momentum == 0.5
    mean, log_var = map(ops.convert_to_numpy, model.encode(images / np.float32(255)))
    kernel, bias = map(ops.convert_to_numpy, model.decoder.layers[0].weights)
    second = np.diag(np.exp(log_var).mean(axis=0)) + np.cov(mean.T, bias=True)
    expected = mean.mean(axis=0) @ kernel + bias, np.diag(kernel.T @ second @ kernel)
    found = [ops.convert_to_numpy(x) for x in (norm.moving_mean, norm.moving_variance)]
    np.testing.assert_allclose(found[0], expected[0], atol=0.1)
    np.testing.assert_allclose(found[1], expected[1], rtol=0.15)
