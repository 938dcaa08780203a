"""Callbacks that change a model while it trains, watch it, or back it up."""

from keras_disentangle.callbacks.direction_traversal import DirectionTraversal
from keras_disentangle.callbacks.exact_backup import ExactBackup
from keras_disentangle.callbacks.experiment_tracker import ExperimentTracker
from keras_disentangle.callbacks.factor_metrics import FactorMetrics
from keras_disentangle.callbacks.information_flow import InformationFlow
from keras_disentangle.callbacks.latent_traversal import LatentTraversal
from keras_disentangle.callbacks.progressive_fade_in import ProgressiveFadeIn
from keras_disentangle.callbacks.progressive_growth import ProgressiveGrowth
from keras_disentangle.callbacks.ramp_weight import RampWeight
from keras_disentangle.callbacks.tensorboard_scalars import TensorBoardScalars

__all__ = [
    "DirectionTraversal",
    "ExactBackup",
    "ExperimentTracker",
    "FactorMetrics",
    "InformationFlow",
    "LatentTraversal",
    "ProgressiveFadeIn",
    "ProgressiveGrowth",
    "RampWeight",
    "TensorBoardScalars",
]
