"""Pictures of what a model has learned: NumPy arrays in, uint8 images out."""

from keras_disentangle.visualization.activeness_bars import activeness_bars
from keras_disentangle.visualization.code_traversal import code_traversal
from keras_disentangle.visualization.components_by_activeness import components_by_activeness
from keras_disentangle.visualization.direction_frames import direction_frames
from keras_disentangle.visualization.direction_traversal import direction_traversal
from keras_disentangle.visualization.enlarge import enlarge
from keras_disentangle.visualization.event_writer import EventWriter
from keras_disentangle.visualization.hessian_grid import hessian_grid
from keras_disentangle.visualization.image_grid import image_grid
from keras_disentangle.visualization.information_flow import information_flow
from keras_disentangle.visualization.information_matrix import information_matrix
from keras_disentangle.visualization.latent_grid import latent_grid
from keras_disentangle.visualization.latent_traversal import latent_traversal
from keras_disentangle.visualization.penalty_heatmap import penalty_heatmap
from keras_disentangle.visualization.picture import Picture
from keras_disentangle.visualization.reconstruction_grid import reconstruction_grid
from keras_disentangle.visualization.rung_samples import rung_samples
from keras_disentangle.visualization.save_gif import save_gif
from keras_disentangle.visualization.save_png import save_png
from keras_disentangle.visualization.score_points import score_points
from keras_disentangle.visualization.training_curves import training_curves
from keras_disentangle.visualization.traversal_frames import traversal_frames

__all__ = [
    "EventWriter",
    "Picture",
    "activeness_bars",
    "code_traversal",
    "components_by_activeness",
    "direction_frames",
    "direction_traversal",
    "enlarge",
    "hessian_grid",
    "image_grid",
    "information_flow",
    "information_matrix",
    "latent_grid",
    "latent_traversal",
    "penalty_heatmap",
    "reconstruction_grid",
    "rung_samples",
    "save_gif",
    "save_png",
    "score_points",
    "training_curves",
    "traversal_frames",
]
