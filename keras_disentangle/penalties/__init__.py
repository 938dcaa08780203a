"""Penalties: terms that a model adds to its objective by `penalties=[...]`, one file each."""

from keras_disentangle.penalties.capacity import Capacity
from keras_disentangle.penalties.dip import DIP
from keras_disentangle.penalties.factorized_support import FactorizedSupport
from keras_disentangle.penalties.feature_matching import FeatureMatching
from keras_disentangle.penalties.generator_penalty import GeneratorPenalty
from keras_disentangle.penalties.hessian_penalty import HessianPenalty
from keras_disentangle.penalties.kernel_multi_information import KernelMultiInformation
from keras_disentangle.penalties.orthogonal_jacobian import OrthogonalJacobian
from keras_disentangle.penalties.penalty import Penalty
from keras_disentangle.penalties.posterior_penalty import PosteriorPenalty
from keras_disentangle.penalties.reconstruction_penalty import ReconstructionPenalty
from keras_disentangle.penalties.total_correlation import TotalCorrelation

__all__ = [
    "Capacity",
    "DIP",
    "FactorizedSupport",
    "FeatureMatching",
    "GeneratorPenalty",
    "HessianPenalty",
    "OrthogonalJacobian",
    "Penalty",
    "PosteriorPenalty",
    "TotalCorrelation",
    "ReconstructionPenalty",
    "KernelMultiInformation",
]
