"""What looks at the channels of images refuses to have them first, once and by name."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_disentangle import models
from keras_disentangle.layers import (
    ConditionalBatchNormalization,
    EqualizedConv2D,
    FeatureNetwork,
    MinibatchStd,
    PixelNormalization,
    SelfAttention2D,
    SpectralConv2D,
    UpConv2D,
)
from keras_disentangle.metrics import ImageFeatures


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def network(data_format=None):
    conv = layers.Conv2D(2, 3, data_format=data_format, name="conv")
    model = keras.Sequential([keras.Input((6, 6, 6)), conv])
    model.trainable = False
    return model


def vae():
    encoder = keras.Sequential([keras.Input((3, 4, 4)), layers.Flatten(), layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(48), layers.Reshape((3, 4, 4))])
    return models.VAE(encoder, decoder, observation="gaussian", pixel_scale="channel")


REFUSED = {
    "`PixelNormalization`": PixelNormalization,
    "`MinibatchStd`": MinibatchStd,
    "`SelfAttention2D`": SelfAttention2D,
    "`ConditionalBatchNormalization`": ConditionalBatchNormalization,
    "`FeatureNetwork`": lambda: FeatureNetwork(network(), "conv"),
    "`ImageFeatures`": lambda: ImageFeatures(network()),
    '`pixel_scale="channel"`': vae,
}


@pytest.mark.parametrize("name", REFUSED)
def test_channels_first_is_refused(name, channels_first):
    with pytest.raises(ValueError, match=f"must .*channels_last.* for {name}"):
        REFUSED[name]()


@pytest.mark.parametrize("name", ["`FeatureNetwork`", "`ImageFeatures`"])
def test_a_network_with_channels_first_is_refused(name):
    make = ImageFeatures if "Image" in name else lambda x: FeatureNetwork(x, "conv")
    with pytest.raises(ValueError, match=f"for {name}.* the layer 'conv' with data_format="):
        make(network("channels_first"))


def of_images(last, data_format="channels_first"):
    """6 × 6 pixels of 6 channels to as many, by a convolution that takes these first or last."""
    conv = layers.Conv2D(6, 1, data_format=data_format, name="conv")
    return keras.Sequential([keras.Input((6, 6, 6)), conv, *last])


def scaled_vae(data_format):
    """Whose decoder does as `of_images`, and learns a scale of each channel."""
    end = of_images([], data_format)
    decoder = keras.Sequential(
        [keras.Input((2,)), layers.Dense(216), layers.Reshape((6, 6, 6)), *end.layers]
    )
    encoder = keras.Sequential([keras.Input((6, 6, 6)), layers.Flatten(), layers.Dense(4)])
    return models.VAE(encoder, decoder, observation="gaussian", pixel_scale="channel")


def ladder(data_format):
    """Of one rung."""
    vectors = [layers.Flatten(), layers.Dense(4)]
    maps = [keras.Input((2,)), layers.Dense(216), layers.Reshape((6, 6, 6))]
    return models.LadderVAE(
        [of_images([], data_format)],
        [keras.Sequential([keras.Input((6, 6, 6)), *vectors])],
        [keras.Sequential(maps)],
        [of_images([], data_format)],
    )


def gan(data_format):
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(216), layers.Reshape((6, 6, 6)), PixelNormalization()]
    )
    end = [MinibatchStd(), layers.Flatten(), layers.Dense(1)]
    return models.GAN(generator, of_images(end, data_format), image_range=None)


def shift_prediction(data_format):
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(108), layers.Reshape((6, 6, 3))])
    generator.trainable = False
    pair = of_images([layers.Flatten()], data_format)
    outputs = [layers.Dense(n)(pair.outputs[0]) for n in (2, 1)]
    return models.ShiftPrediction(generator, keras.Model(pair.inputs[0], outputs))


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="no such convolutions on TensorFlow's CPU"
)
@pytest.mark.parametrize(
    "make, what",
    [
        (scaled_vae, '`pixel_scale="channel"`'),
        (ladder, "`LadderVAE`"),
        (gan, "`MinibatchStd` in `discriminator`"),
        (shift_prediction, "`ShiftPrediction`"),
    ],
)
def test_a_model_with_a_layer_of_channels_first_is_refused(make, what):
    with pytest.raises(ValueError, match=f"for {what}.* the layer 'conv' with data_format="):
        make("channels_first")
    make("channels_last")


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="no such convolutions on TensorFlow's CPU"
)
@pytest.mark.parametrize("layer", [EqualizedConv2D, SpectralConv2D, UpConv2D])
def test_convolutions_take_either(layer):
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype("float32")
    last, first = layer(4, 3), layer(4, 3, data_format="channels_first")
    expected = keras.ops.convert_to_numpy(last(x))
    first.build((None, 3, 5, 5))
    first.set_weights(last.get_weights())
    found = keras.ops.convert_to_numpy(first(np.moveaxis(x, -1, 1)))
    np.testing.assert_allclose(np.moveaxis(found, 1, -1), expected, atol=1e-5)
