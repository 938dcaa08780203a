"""Distributions of images given a decoder's output: likelihood, mean and samples."""

from keras_disentangle.observations.bernoulli import Bernoulli
from keras_disentangle.observations.gaussian import Gaussian
from keras_disentangle.observations.observation import Observation

__all__ = ["Bernoulli", "Gaussian", "Observation"]
