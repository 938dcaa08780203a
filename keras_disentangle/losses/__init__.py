"""Pure functions of tensors; every one returns a value per example."""

from keras_disentangle.losses.divergence import gaussian_kl
from keras_disentangle.losses.likelihood import bernoulli_nll, gaussian_nll

__all__ = ["bernoulli_nll", "gaussian_kl", "gaussian_nll"]
