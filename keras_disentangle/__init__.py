"""Generative models in Keras 3 whose latent codes mean something.

>>> import keras_disentangle as kd
>>> data = kd.datasets.DSprites(image_size=32)
>>> model = kd.applications.ProVLAE(image_shape=data.image_shape)
"""

from keras_disentangle import (
    applications,
    callbacks,
    datasets,
    latents,
    layers,
    losses,
    metrics,
    models,
    observations,
    schedules,
    trainers,
    visualization,
)
from keras_disentangle.evaluation import encode_images, evaluate

__version__ = "0.1.0"
__all__ = [
    "applications",
    "callbacks",
    "datasets",
    "encode_images",
    "evaluate",
    "latents",
    "layers",
    "losses",
    "metrics",
    "models",
    "observations",
    "schedules",
    "trainers",
    "visualization",
]
