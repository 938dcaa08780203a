"""Pictures of what a model has learned: NumPy arrays in, uint8 images out."""

from keras_disentangle.visualization.code_traversal import code_traversal
from keras_disentangle.visualization.enlarge import enlarge
from keras_disentangle.visualization.event_writer import EventWriter
from keras_disentangle.visualization.image_grid import image_grid
from keras_disentangle.visualization.information_flow import information_flow
from keras_disentangle.visualization.latent_traversal import latent_traversal
from keras_disentangle.visualization.reconstruction_grid import reconstruction_grid
from keras_disentangle.visualization.rung_samples import rung_samples
from keras_disentangle.visualization.save_gif import save_gif
from keras_disentangle.visualization.save_png import save_png
from keras_disentangle.visualization.training_curves import training_curves
from keras_disentangle.visualization.traversal_frames import traversal_frames

__all__ = [
    "EventWriter",
    "code_traversal",
    "enlarge",
    "image_grid",
    "information_flow",
    "latent_traversal",
    "reconstruction_grid",
    "rung_samples",
    "save_gif",
    "save_png",
    "training_curves",
    "traversal_frames",
]
