"""Alternating training: several optimizers in one model, with one train step per backend."""

from keras_disentangle.trainers.optimizer_group import OptimizerGroup
from keras_disentangle.trainers.phase import Phase
from keras_disentangle.trainers.phased_model import PhasedModel

__all__ = ["OptimizerGroup", "Phase", "PhasedModel"]
