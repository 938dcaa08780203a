"""Metrics of disentanglement: NumPy arrays in, numbers out. Information is in nats."""

from keras_disentangle.metrics.clustering_accuracy import clustering_accuracy
from keras_disentangle.metrics.factor_vae import factor_vae
from keras_disentangle.metrics.latent_information import latent_information
from keras_disentangle.metrics.mig import mig, mig_sup, mutual_information
from keras_disentangle.metrics.posterior_mig import posterior_mig

__all__ = [
    "clustering_accuracy",
    "factor_vae",
    "latent_information",
    "mig",
    "mig_sup",
    "mutual_information",
    "posterior_mig",
]
