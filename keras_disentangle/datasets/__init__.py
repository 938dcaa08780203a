"""Images to train on: rendered here, or read from files."""

from keras_disentangle.datasets.array_factor_dataset import ArrayFactorDataset
from keras_disentangle.datasets.clevr import Clevr
from keras_disentangle.datasets.dsprites import DSprites
from keras_disentangle.datasets.edges_and_images import (
    edge_maps,
    edges_and_images,
    load_paired_images,
)
from keras_disentangle.datasets.factor_dataset import FactorDataset
from keras_disentangle.datasets.image_batches import image_batches
from keras_disentangle.datasets.load_images import load_images

__all__ = [
    "ArrayFactorDataset",
    "Clevr",
    "DSprites",
    "FactorDataset",
    "edge_maps",
    "edges_and_images",
    "image_batches",
    "load_images",
    "load_paired_images",
]
