"""Latent spaces that know their codes: how to sample, split, score and traverse them."""

from keras_disentangle.latents.as_space import as_space
from keras_disentangle.latents.categorical import Categorical
from keras_disentangle.latents.closed_form_directions import closed_form_directions
from keras_disentangle.latents.labels import Labels
from keras_disentangle.latents.latent_space import LatentSpace
from keras_disentangle.latents.normal import Normal
from keras_disentangle.latents.orthogonalize import orthogonalize
from keras_disentangle.latents.principal_directions import principal_directions
from keras_disentangle.latents.quantized import Quantized
from keras_disentangle.latents.uniform import Uniform

__all__ = [
    "Categorical",
    "Labels",
    "LatentSpace",
    "Normal",
    "Quantized",
    "Uniform",
    "as_space",
    "closed_form_directions",
    "orthogonalize",
    "principal_directions",
]
