"""Metrics: NumPy arrays and functions in, numbers out. Information is in nats."""

from keras_disentangle.metrics.activeness import activeness
from keras_disentangle.metrics.beta_vae import beta_vae
from keras_disentangle.metrics.clustering_accuracy import clustering_accuracy
from keras_disentangle.metrics.confidence_interval import confidence_interval
from keras_disentangle.metrics.dci import dci
from keras_disentangle.metrics.explicitness import explicitness
from keras_disentangle.metrics.factor_vae import factor_vae
from keras_disentangle.metrics.factorized_support import factorized_support
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
from keras_disentangle.metrics.info_mec import info_mec
from keras_disentangle.metrics.irs import irs
from keras_disentangle.metrics.jacobian_orthogonality import jacobian_orthogonality
from keras_disentangle.metrics.latent_information import latent_information
from keras_disentangle.metrics.mcc import mcc
from keras_disentangle.metrics.med import med
from keras_disentangle.metrics.metric import METRICS, Metric
from keras_disentangle.metrics.mig import mig, mig_sup, mutual_information
from keras_disentangle.metrics.model_centrality import model_centrality
from keras_disentangle.metrics.modularity import modularity
from keras_disentangle.metrics.perceptual_path_length import (
    perceptual_path_length,
    squared_pixel_distance,
)
from keras_disentangle.metrics.posterior_mig import posterior_mig
from keras_disentangle.metrics.sap import sap
from keras_disentangle.metrics.score import Score
from keras_disentangle.metrics.udr import udr
from keras_disentangle.metrics.unsupervised_scores import unsupervised_scores

__all__ = [
    "METRICS",
    "ImageFeatures",
    "Metric",
    "Score",
    "activeness",
    "beta_vae",
    "clustering_accuracy",
    "confidence_interval",
    "dci",
    "explicitness",
    "factor_vae",
    "factorized_support",
    "feature_distance",
    "frechet_distance",
    "hessian_diagonality",
    "hessian_matrix",
    "hessian_penalty_map",
    "importance_nll",
    "info_mec",
    "irs",
    "jacobian_orthogonality",
    "latent_information",
    "mcc",
    "med",
    "mig",
    "mig_sup",
    "model_centrality",
    "modularity",
    "mutual_information",
    "peak_hessians",
    "perceptual_path_length",
    "posterior_mig",
    "sap",
    "squared_pixel_distance",
    "udr",
    "unsupervised_scores",
]
