"""Pure functions of tensors: a value per example, or one for the batch where it is a maximum."""

from keras_disentangle._likelihood import bernoulli_nll, gaussian_nll
from keras_disentangle.losses.adaptive_posteriors import adaptive_posteriors
from keras_disentangle.losses.adversarial import (
    OBJECTIVES,
    discriminator_loss,
    generator_loss,
    r1_penalty,
    wgan_gp_penalty,
)
from keras_disentangle.losses.contrastive import direction_contrast
from keras_disentangle.losses.convert_hessian_weight import convert_hessian_weight
from keras_disentangle.losses.decomposed_kl import decomposed_kl
from keras_disentangle.losses.density_ratio import (
    density_ratio_loss,
    log_density_ratio,
    permute_codes,
)
from keras_disentangle.losses.dip import dip
from keras_disentangle.losses.divergence import gaussian_kl, laplace_kl
from keras_disentangle.losses.factorized_support import factorized_support
from keras_disentangle.losses.feature_matching_loss import FeatureMatchingLoss
from keras_disentangle.losses.hessian_penalty import hessian_penalty
from keras_disentangle.losses.hessian_penalty_loss import HessianPenaltyLoss
from keras_disentangle.losses.information import information_lower_bound, information_per_code
from keras_disentangle.losses.kernel_multi_information import kernel_multi_information
from keras_disentangle.losses.orthogonal_jacobian import orthogonal_jacobian
from keras_disentangle.losses.quantization import commitment_loss, quantization_loss

__all__ = [
    "OBJECTIVES",
    "FeatureMatchingLoss",
    "HessianPenaltyLoss",
    "adaptive_posteriors",
    "bernoulli_nll",
    "commitment_loss",
    "convert_hessian_weight",
    "decomposed_kl",
    "density_ratio_loss",
    "dip",
    "direction_contrast",
    "discriminator_loss",
    "factorized_support",
    "gaussian_kl",
    "gaussian_nll",
    "generator_loss",
    "hessian_penalty",
    "information_lower_bound",
    "information_per_code",
    "laplace_kl",
    "quantization_loss",
    "log_density_ratio",
    "orthogonal_jacobian",
    "permute_codes",
    "r1_penalty",
    "wgan_gp_penalty",
    "kernel_multi_information",
]
