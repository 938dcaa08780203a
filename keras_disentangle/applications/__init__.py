"""Ready-made systems: networks, training recipes, trained weights and a card for each."""

import typing

from keras_disentangle import _lazy

if typing.TYPE_CHECKING:
    from keras_disentangle.applications._shared.release import available_weights
    from keras_disentangle.applications.autoencoders.autoencoder import Autoencoder
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
    "Autoencoder",
    "BigGAN",
    "BigGANDeep",
    "DirectionDiscovery",
    "DiscriminativeVAE",
    "InfoGAN",
    "ProVLAE",
    "ProgressiveGAN",
    "available_weights",
]

# Each application is loaded when it is first used.
_MODULES = {
    "Autoencoder": "autoencoders.autoencoder",
    "BigGAN": "biggan.biggan",
    "BigGANDeep": "biggan.biggan",
    "DirectionDiscovery": "direction_discovery.direction_discovery",
    "DiscriminativeVAE": "discriminative_vae.discriminative_vae",
    "InfoGAN": "info_gan.info_gan",
    "ProVLAE": "provlae.provlae",
    "ProgressiveGAN": "progressive_gan.progressive_gan",
    "available_weights": "_shared.release",
}
__getattr__, __dir__ = _lazy.attributes(
    __name__,
    {
        **{name: f"{__name__}.{module}" for name, module in _MODULES.items()},
        **{module.partition(".")[0]: None for module in _MODULES.values() if module[0] != "_"},
    },
)
