"""Pictures with axes, drawn by Matplotlib."""

import numpy as np

from keras_disentangle._arguments import check_number
from keras_disentangle.visualization.files import save_png
from keras_disentangle.visualization.picture import Picture

# Distinguish series without colours, for colour-blind readers and grey prints.
# Those of Okabe and Ito, without yellow, which is faint on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
LINE_STYLES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))  # dots are for references
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "///", "...", "xxx", "\\\\\\")


def new_figure(size, layout="constrained"):
    """A Matplotlib figure of `size` (width, height) in inches, independent of pyplot's state.

    `layout` is Matplotlib's; `None` leaves the axes where they are put.

    Raises:
        ValueError: if `size` is not two positive numbers.
    """
    from matplotlib.figure import Figure

    given = size
    try:
        size = tuple(check_number("size", side, above=0) for side in size)
    except (TypeError, ValueError):
        size = ()
    if len(size) != 2:
        raise ValueError(f"`size` must be two positive numbers. Received: size={given!r}")
    return Figure(figsize=size, dpi=120, layout=layout)


def add_axes(figure):
    """The axes of a chart, in colours that colour-blind readers tell apart."""
    axes = figure.add_subplot()
    axes.set_prop_cycle(color=COLOURS)
    return axes


def plain_axes(axes, x_label, y_label):
    """Labels axes in the style of all charts: no frame at the top and right, a plain legend."""
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def drawn(figure, path=None, title=None):
    """The figure as a `Picture` (H, W, 3), written to `path` as PNG unless that is None."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if title is not None:
        figure.suptitle(title, fontsize="large")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3].copy().view(Picture)
    if path is not None:
        save_png(path, picture)
    return picture
