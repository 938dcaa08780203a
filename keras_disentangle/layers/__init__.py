"""Layers that a generative model is built from."""

from keras_disentangle.layers.fade_in import FadeIn
from keras_disentangle.layers.gaussian_sampling import GaussianSampling
from keras_disentangle.layers.q_head import QHead
from keras_disentangle.layers.up_conv2d import UpConv2D

__all__ = ["FadeIn", "GaussianSampling", "QHead", "UpConv2D"]
