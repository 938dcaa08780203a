"""Metrics: NumPy arrays and functions in, numbers out. Information is in nats."""

from keras_disentangle.metrics.activeness import activeness
from keras_disentangle.metrics.clustering_accuracy import clustering_accuracy
from keras_disentangle.metrics.factor_vae import factor_vae
from keras_disentangle.metrics.feature_distance import feature_distance
from keras_disentangle.metrics.frechet_distance import frechet_distance
from keras_disentangle.metrics.hessian import (
    hessian_diagonality,
    hessian_matrix,
    hessian_penalty_map,
    peak_hessians,
)
from keras_disentangle.metrics.image_features import ImageFeatures
from keras_disentangle.metrics.importance_nll import importance_nll
from keras_disentangle.metrics.latent_information import latent_information
from keras_disentangle.metrics.mig import mig, mig_sup, mutual_information
from keras_disentangle.metrics.perceptual_path_length import (
    perceptual_path_length,
    squared_pixel_distance,
)
from keras_disentangle.metrics.posterior_mig import posterior_mig

__all__ = [
    "ImageFeatures",
    "activeness",
    "clustering_accuracy",
    "factor_vae",
    "feature_distance",
    "frechet_distance",
    "hessian_diagonality",
    "hessian_matrix",
    "hessian_penalty_map",
    "importance_nll",
    "latent_information",
    "mig",
    "mig_sup",
    "mutual_information",
    "peak_hessians",
    "perceptual_path_length",
    "posterior_mig",
    "squared_pixel_distance",
]
