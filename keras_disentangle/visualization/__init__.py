"""Pictures of a model's latents, scores and training: NumPy arrays in, uint8 images out."""

import typing

from keras_disentangle import _lazy
from keras_disentangle.visualization.charts import activeness_bars, score_points, training_curves
from keras_disentangle.visualization.enlarge import enlarge
from keras_disentangle.visualization.event_writer import EventWriter
from keras_disentangle.visualization.files import save_gif, save_png
from keras_disentangle.visualization.frames import direction_frames, traversal_frames
from keras_disentangle.visualization.grids import image_grid, reconstruction_grid
from keras_disentangle.visualization.hessians import hessian_grid, penalty_heatmap
from keras_disentangle.visualization.information import information_flow, information_matrix
from keras_disentangle.visualization.latents import (
    components_by_activeness,
    latent_grid,
    rung_samples,
)
from keras_disentangle.visualization.picture import Picture
from keras_disentangle.visualization.traversals import (
    code_traversal,
    direction_traversal,
    latent_traversal,
)

if typing.TYPE_CHECKING:
    from keras_disentangle.explorer.report import report

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
    "report",
    "rung_samples",
    "save_gif",
    "save_png",
    "score_points",
    "training_curves",
    "traversal_frames",
]

# It asks the explorer and the scores, which build on this package: loaded when it is first used.
__getattr__, __dir__ = _lazy.attributes(__name__, {"report": "keras_disentangle.explorer.report"})
