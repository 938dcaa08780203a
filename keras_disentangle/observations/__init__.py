"""What a decoder's output says of images: likelihoods, the images to show, and draws."""

from keras_disentangle.observations.bernoulli import Bernoulli
from keras_disentangle.observations.gaussian import Gaussian
from keras_disentangle.observations.observation import Observation

__all__ = ["Bernoulli", "Gaussian", "Observation"]
