"""Ready-made systems: networks, training recipes, trained weights and a card for each."""

from keras_disentangle.applications._weights import available_weights
from keras_disentangle.applications.biggan.biggan import BigGAN, BigGANDeep
from keras_disentangle.applications.direction_discovery.direction_discovery import (
    DirectionDiscovery,
)
from keras_disentangle.applications.discriminative_vae.discriminative_vae import (
    DiscriminativeVAE,
)
from keras_disentangle.applications.info_gan.info_gan import InfoGAN
from keras_disentangle.applications.progressive_gan.progressive_gan import ProgressiveGAN
from keras_disentangle.applications.provlae.provlae import ProVLAE

__all__ = [
    "BigGAN",
    "BigGANDeep",
    "DirectionDiscovery",
    "DiscriminativeVAE",
    "InfoGAN",
    "ProVLAE",
    "ProgressiveGAN",
    "available_weights",
]
