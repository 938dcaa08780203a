"""InfoGAN on a progressive GAN."""

import keras

from keras_disentangle.models.info_gan import InfoGAN
from keras_disentangle.models.progressive_gan import ProgressiveGAN


@keras.saving.register_keras_serializable("keras_disentangle")
class ProgressiveInfoGAN(InfoGAN, ProgressiveGAN):
    r"""`InfoGAN` whose players grow as in `ProgressiveGAN`: the Hessian penalty's baseline.

    Its head predicts the first c components of z from the images with a squared error. This is the
    bound for a normal code whose posterior has a fixed standard deviation of 1,
    $-\tfrac12 \sum_{i \le c} (z_i - \mu_i)^2$ up to a constant. The authors average over the c
    components, so their weight of 1 corresponds to an `information_weight` of 2 / c here.

    Args:
        generator, discriminator: as in `ProgressiveGAN`; the latter gives [logits, features].
        q_head, space, information_weight, q_trained_with, feedback: as in `InfoGAN`.
        **kwargs: as for `ProgressiveGAN`.

    Raises:
        ValueError: as `InfoGAN` and `ProgressiveGAN`.

    Example:

    >>> from keras_disentangle.applications.progressive_gan.networks import (
    ...     ProgressiveDiscriminator,
    ...     ProgressiveGenerator,
    ...     q_network,
    ... )
    >>> sizes = {"resolution": 16, "max_channels": 32}
    >>> generator = ProgressiveGenerator(12, **sizes)
    >>> discriminator = ProgressiveDiscriminator(**sizes)
    >>> codes = kd.latents.Normal(4, informative=True, posterior_std=1.0)
    >>> space = kd.latents.LatentSpace([codes, kd.latents.Normal(8)])
    >>> q_head = q_network(discriminator, space.num_params)
    >>> model = ProgressiveInfoGAN(generator, discriminator, q_head, space,
    ...                            information_weight=2 / 4)

    Reference: Peebles et al., 2020 (Hessian penalty), appendix A.1.
    """
