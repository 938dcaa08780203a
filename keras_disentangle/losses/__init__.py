"""Pure functions of tensors; every one returns a value per example."""

from keras_disentangle.losses.adversarial import (
    OBJECTIVES,
    discriminator_loss,
    generator_loss,
    r1_penalty,
    wgan_gp_penalty,
)
from keras_disentangle.losses.divergence import gaussian_kl
from keras_disentangle.losses.information import information_lower_bound, information_per_code
from keras_disentangle.losses.likelihood import bernoulli_nll, gaussian_nll

__all__ = [
    "OBJECTIVES",
    "bernoulli_nll",
    "discriminator_loss",
    "gaussian_kl",
    "gaussian_nll",
    "generator_loss",
    "information_lower_bound",
    "information_per_code",
    "r1_penalty",
    "wgan_gp_penalty",
]
