"""Applications say that their images end in the channels; needs no backend of its own."""

import keras
import pytest

import keras_disentangle as kd
from keras_disentangle.applications.direction_discovery.networks import reconstructor
from keras_disentangle.applications.discriminative_vae.networks import classifier_network

BUILT = {
    "ProVLAE": kd.applications.ProVLAE,
    "shapes3d": lambda: kd.applications.ProVLAE("shapes3d"),
    "InfoGAN": kd.applications.InfoGAN,
    "ProgressiveGAN": lambda: kd.applications.ProgressiveGAN(preset="small"),
    "fashion_mnist": lambda: kd.applications.DiscriminativeVAE("fashion_mnist"),
    "classifier": lambda: classifier_network((28, 28, 1)),
    "DirectionDiscovery": kd.applications.DirectionDiscovery,
    "reconstructor": lambda: reconstructor((8, 8, 1), 2),
    "BigGAN": lambda: kd.applications.BigGAN(image_size=32, channels=4),
    "BigGANDeep": lambda: kd.applications.BigGANDeep(image_size=32, channels=4),
}


@pytest.mark.parametrize("name", BUILT)
def test_channels_first_are_refused(name):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="must be .channels_last. for .*'channels_first'"):
            BUILT[name]()
    finally:
        keras.config.set_image_data_format(before)
