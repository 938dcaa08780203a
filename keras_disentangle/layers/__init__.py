"""Layers that a generative model is built from."""

from keras_disentangle.layers.conditional_batch_normalization import ConditionalBatchNormalization
from keras_disentangle.layers.equalized_conv2d import EqualizedConv2D
from keras_disentangle.layers.equalized_dense import EqualizedDense
from keras_disentangle.layers.fade_in import FadeIn
from keras_disentangle.layers.feature_network import FeatureNetwork
from keras_disentangle.layers.finite_scalar_quantization import FiniteScalarQuantization
from keras_disentangle.layers.gaussian_sampling import GaussianSampling
from keras_disentangle.layers.latent_directions import LatentDirections
from keras_disentangle.layers.latent_quantization import LatentQuantization
from keras_disentangle.layers.minibatch_std import MinibatchStd
from keras_disentangle.layers.pixel_normalization import PixelNormalization
from keras_disentangle.layers.projection_head import ProjectionHead
from keras_disentangle.layers.q_head import QHead
from keras_disentangle.layers.random_affine import RandomAffine
from keras_disentangle.layers.self_attention2d import SelfAttention2D
from keras_disentangle.layers.spectral_conv2d import SpectralConv2D
from keras_disentangle.layers.spectral_dense import SpectralDense
from keras_disentangle.layers.truncation import Truncation
from keras_disentangle.layers.up_conv2d import UpConv2D

__all__ = [
    "ConditionalBatchNormalization",
    "EqualizedConv2D",
    "EqualizedDense",
    "FadeIn",
    "FeatureNetwork",
    "FiniteScalarQuantization",
    "GaussianSampling",
    "LatentDirections",
    "LatentQuantization",
    "MinibatchStd",
    "PixelNormalization",
    "ProjectionHead",
    "QHead",
    "RandomAffine",
    "SelfAttention2D",
    "SpectralConv2D",
    "SpectralDense",
    "Truncation",
    "UpConv2D",
]
