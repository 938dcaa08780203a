"""The settings of the paper's experiments, and of ones that fit a CPU."""

from dataclasses import dataclass

import keras

from keras_disentangle.applications.progressive_gan.networks import (
    BASE_CHANNELS,
    LATENT_DIM,
    MAX_CHANNELS,
    RESOLUTION,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
)


@dataclass(frozen=True)
class Preset:
    """Networks and how they are trained.

    Args:
        resolution: pixels a side of the last stage, a power of two >= 4.
        latent_dim: width of the latent space (3 in the paper's CLEVR-U).
        base_channels, max_channels: as in `ProgressiveGenerator`.
        objective, gradient_penalty: as in `kd.models.GAN`.
        zoom: of `kd.datasets.Clevr`, so that small images show something.
        batch_size: images in a batch. The paper's preset has the release's for 128×128; for smaller
            stages the release's grow, up to 2048 at 4×4.
        learning_rate: of both players' Adam.

    Example:

    >>> from keras_disentangle.applications.progressive_gan.presets import PRESETS
    >>> preset = PRESETS["paper"]
    >>> model = kd.models.ProgressiveGAN(**preset.networks())
    >>> model.compile(**preset.optimizers())

    Reference: Peebles et al., 2020 (The Hessian Penalty), appendix A.1.
    """

    resolution: int = RESOLUTION
    latent_dim: int = LATENT_DIM
    base_channels: int = BASE_CHANNELS
    max_channels: int = MAX_CHANNELS
    objective: str = "wasserstein"
    gradient_penalty: str = "wgan_gp"
    zoom: float = 1.0
    batch_size: int = 96
    learning_rate: float = 1e-3

    def networks(self):
        """New networks: a dict of "generator" and "discriminator".

        Raises:
            ValueError: if a size is out of range.
        """
        sizes = {
            "resolution": self.resolution,
            "base_channels": self.base_channels,
            "max_channels": self.max_channels,
        }
        return {
            "generator": ProgressiveGenerator(self.latent_dim, **sizes),
            "discriminator": ProgressiveDiscriminator(**sizes),
        }

    def optimizers(self):
        """What `compile` takes: "generator_optimizer" and "discriminator_optimizer"."""
        return {
            f"{player}_optimizer": keras.optimizers.Adam(
                self.learning_rate, beta_1=0.0, beta_2=0.99, epsilon=1e-8
            )
            for player in ("generator", "discriminator")
        }


@dataclass(frozen=True)
class Experiment:
    """What the authors' scripts set otherwise from one data set to the next.

    Args:
        images: the name of the images, as in `_trained.load_images`.
        hessian_scale: the weight of the Hessian penalty, in multiples of that for CLEVR-1FOV.
        informative: number of components that the InfoGAN baseline reads off the images.
        latent_dim: width of the latent space; `None` for the preset's.
    """

    images: str
    hessian_scale: float
    informative: int
    latent_dim: int | None = None


EXPERIMENTS = {
    "clevr_1fov": Experiment("clevr_1fov", 1, 1),
    "clevr_simple": Experiment("clevr_simple", 4, 4),
    "clevr_complex": Experiment("clevr_complex", 4, 10),
    "clevr_u": Experiment("clevr_simple", 1, 3, latent_dim=3),
    "edges_and_shoes": Experiment("edges_and_shoes", 4, 12),
}

PRESETS = {
    "paper": Preset(),
    # On small images of little contrast the Wasserstein objective moves a hundred times as slowly.
    "small": Preset(
        resolution=32,
        base_channels=128,
        max_channels=32,
        objective="non_saturating",
        gradient_penalty="r1",
        zoom=2.0,
        batch_size=16,
    ),
}
