"""Images to train on: rendered here, or read from files."""

from keras_disentangle.datasets.array_factor_dataset import ArrayFactorDataset
from keras_disentangle.datasets.cars3d import Cars3D
from keras_disentangle.datasets.clevr import Clevr
from keras_disentangle.datasets.correlated_factors import correlated_factors
from keras_disentangle.datasets.dsprites import DSprites
from keras_disentangle.datasets.dsprites_variant import DSpritesVariant
from keras_disentangle.datasets.edges_and_images import (
    edge_maps,
    edges_and_images,
    load_paired_images,
)
from keras_disentangle.datasets.factor_dataset import FactorDataset
from keras_disentangle.datasets.image_batches import image_batches
from keras_disentangle.datasets.labelled_images import LabelledImages, load_labelled_images
from keras_disentangle.datasets.load_images import load_images
from keras_disentangle.datasets.mpi3d import MPI3D
from keras_disentangle.datasets.shapes3d import Shapes3D
from keras_disentangle.datasets.small_norb import SmallNORB
from keras_disentangle.datasets.stream_images import stream_images
from keras_disentangle.datasets.weighted_factors import WeightedFactors

__all__ = [
    "MPI3D",
    "ArrayFactorDataset",
    "Cars3D",
    "Clevr",
    "DSprites",
    "DSpritesVariant",
    "FactorDataset",
    "LabelledImages",
    "Shapes3D",
    "SmallNORB",
    "WeightedFactors",
    "correlated_factors",
    "edge_maps",
    "edges_and_images",
    "image_batches",
    "load_images",
    "load_labelled_images",
    "load_paired_images",
    "stream_images",
]
