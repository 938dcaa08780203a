"""Distributions of data given a decoder's output: likelihood, mean and samples."""

from keras_disentangle.observations.bernoulli import Bernoulli
from keras_disentangle.observations.categorical import Categorical
from keras_disentangle.observations.discretized_logistic import DiscretizedLogistic
from keras_disentangle.observations.gaussian import Gaussian
from keras_disentangle.observations.laplace import Laplace
from keras_disentangle.observations.negative_binomial import NegativeBinomial
from keras_disentangle.observations.observation import Observation
from keras_disentangle.observations.poisson import Poisson

__all__ = [
    "Bernoulli",
    "Categorical",
    "DiscretizedLogistic",
    "Gaussian",
    "Laplace",
    "NegativeBinomial",
    "Observation",
    "Poisson",
]
