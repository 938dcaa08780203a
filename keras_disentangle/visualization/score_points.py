import numpy as np

from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._figure import MARKERS, drawn, new_figure, plain_axes


def score_points(points, *, x_label, y_label, size=(4.2, 3.6), path=None):
    """Draws two scores of several models against each other, a point for each setting.

    Args:
        points: Dict of a model's label to a dict of a setting's label, such as beta's value, to
            (x, y). Points of one model have one colour and one marker and are joined in their
            order.
        x_label, y_label: What the axes show, with units.
        size: Width and height in inches; there are 120 pixels to an inch.
        path: None, or where to write the picture as PNG.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: If there is no point, a point is not two finite numbers, or `size` is not
            positive.

    Example:

    >>> picture = score_points(
    ...     {"pro-VLAE": {"1": (0.5, 0.6)}, "beta-VAE": {"1": (0.2, 0.3), "4": (0.3, 0.3)}},
    ...     x_label="MIG",
    ...     y_label="MIG-sup",
    ... )

    Reference:
        Li et al., Progressive Learning and Disentanglement of Hierarchical Representations, 2020,
        Figures 2 and 3.
    """
    arrays = {}
    for label, settings in points.items() if isinstance(points, dict) else ():
        name = f"points[{label!r}]"
        numbers = list(settings.values()) if isinstance(settings, dict) else None
        array = arrays[label] = to_numpy(name, numbers).astype("float64")
        if not array.size or array.shape != (len(settings), 2) or not np.isfinite(array).all():
            raise ValueError(
                f"`{name}` must hold (x, y), two finite numbers each. Received: {settings}"
            )
    if not arrays:
        raise ValueError(f"`points` must be a dict of one or more models. Received: {points}")
    figure = new_figure(size)
    axes = figure.add_subplot()
    for index, (label, array) in enumerate(arrays.items()):
        # Markers set the models apart without colours.
        marker = MARKERS[index % len(MARKERS)]
        (line,) = axes.plot(*array.T, marker=marker, linewidth=0.7, label=label)
        for setting, point in zip(points[label], array, strict=True):
            axes.annotate(
                str(setting),
                point,
                xytext=(4, 4),
                textcoords="offset points",
                color=line.get_color(),
                fontsize=8,
            )
    plain_axes(axes, x_label, y_label)
    return drawn(figure, path)
