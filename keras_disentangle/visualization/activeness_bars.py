import numpy as np

from keras_disentangle.visualization.save_png import save_png


def activeness_bars(scores, *, size=(4.8, 3.2), path=None):
    """Draws the activeness of the components of generators, each sorted from the most active down.

    A generator that has turned components off shows a step, as in the paper's figure.

    Args:
        scores: Dict of label to array (d,), the activeness of each generator's components; the
            generators may differ in d.
        size: Width and height in inches; there are 120 pixels to an inch.
        path: None, or where to write the picture as PNG.

    Returns:
        uint8 array (H, W, 3).

    Raises:
        ValueError: If there is no generator, a score is not one or more finite numbers, or `size`
            is not positive.

    Example:

    >>> picture = activeness_bars({"ProGAN": before, "with Hessian penalty": after})

    Reference:
        Peebles et al., The Hessian Penalty, 2020, Figure 5.
    """
    # A Figure of one's own leaves pyplot's state alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not isinstance(scores, dict) or not scores:
        raise ValueError(
            f"`scores` must be a dict of one or more labels to arrays. Received: scores={scores}"
        )
    for label, values in scores.items():
        if np.ndim(values) != 1 or not np.size(values) or not np.isfinite(values).all():
            raise ValueError(
                f"`scores[{label!r}]` must be an array (d,) of finite numbers. Received: {values}"
            )
    if len(size) != 2 or not min(size) > 0:
        raise ValueError(f"`size` must be two positive numbers. Received: size={size}")

    figure = Figure(figsize=size, dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    width = 0.8 / len(scores)
    for index, (label, values) in enumerate(scores.items()):
        ranks = np.arange(1, len(values) + 1) + (index - (len(scores) - 1) / 2) * width
        axes.bar(ranks, np.sort(values)[::-1], width=width, label=label)
    axes.set(xlabel="component, the most active first", ylabel="activeness")
    axes.set_xticks(range(1, max(len(values) for values in scores.values()) + 1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    if path is not None:
        save_png(path, picture)
    return picture
