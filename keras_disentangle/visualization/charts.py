"""Charts of scores and training curves."""

import numpy as np

from keras_disentangle._arguments import check_choice, listed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._figure import (
    HATCHES,
    LINE_STYLES,
    MARKERS,
    add_axes,
    drawn,
    new_figure,
    plain_axes,
)


def activeness_bars(scores, *, size=(4.8, 3.2), title=None, path=None):
    """Draws the activeness of generators' components, sorted in descending order.

    A generator with inactive components shows a step, as in the paper's figure.

    Args:
        scores: dict of label to array (d,), the activeness of each generator's components; the
            generators may differ in d.
        size: width and height in inches; there are 120 pixels to an inch.
        title: `None`, or a text above the picture.
        path: `None`, or the PNG file to write the picture to.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: if `scores` is empty, an entry is not one or more finite numbers, or `size` is
            not positive.

    Example:

    >>> before = kd.metrics.activeness(generator, 4)
    >>> after = np.sort(before)
    >>> picture = activeness_bars({"ProGAN": before, "with Hessian penalty": after})

    Reference: Peebles et al., The Hessian Penalty, 2020, Figure 5.
    """
    if not isinstance(scores, dict) or not scores:
        raise ValueError(
            f"`scores` must be a dict of one or more labels to arrays. Received: scores={scores}"
        )
    arrays = {}
    for label, values in scores.items():
        array = arrays[label] = to_numpy(f"scores[{label!r}]", values)
        if array.ndim != 1 or not array.size or not np.isfinite(array).all():
            raise ValueError(
                f"`scores[{label!r}]` must be an array (d,) of finite numbers. Received: {values}"
            )
    figure = new_figure(size)
    axes = add_axes(figure)
    width = 0.8 / len(arrays)
    for index, (label, values) in enumerate(arrays.items()):
        ranks = np.arange(1, len(values) + 1) + (index - (len(arrays) - 1) / 2) * width
        # Hatches distinguish the generators without colours.
        bars = {"hatch": HATCHES[index % len(HATCHES)], "edgecolor": "white", "linewidth": 0}
        axes.bar(ranks, np.sort(values)[::-1], width=width, label=label, **bars)
    axes.set_xticks(range(1, max(len(values) for values in arrays.values()) + 1))
    plain_axes(axes, "component, the most active first", "activeness")
    return drawn(figure, path, title)


def score_points(points, *, x_label, y_label, size=(4.2, 3.6), title=None, path=None):
    """Draws two scores of several models against each other, a point for each setting.

    Args:
        points: dict of a model's label to a dict of a setting's label, such as beta's value, to (x,
            y). Points of a model share a colour and a marker, and are joined in order.
        x_label, y_label: labels of the axes, with units.
        size: width and height in inches; there are 120 pixels to an inch.
        title: `None`, or a text above the picture.
        path: `None`, or the PNG file to write the picture to.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: if there is no point, a point is not two finite numbers, or `size` is not
            positive.

    Example:

    >>> picture = score_points(
    ...     {"pro-VLAE": {"1": (0.5, 0.6)}, "beta-VAE": {"1": (0.2, 0.3), "4": (0.3, 0.3)}},
    ...     x_label="MIG",
    ...     y_label="MIG-sup",
    ... )

    Reference: Li et al., Progressive Learning and Disentanglement of Hierarchical Representations,
    2020, Figures 2 and 3.
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
    axes = add_axes(figure)
    for index, (label, array) in enumerate(arrays.items()):
        # Markers distinguish the models without colours.
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
    return drawn(figure, path, title)


def training_curves(
    curves,
    *,
    reference=None,
    x_label="training step",
    y_label="",
    y_scale="linear",
    size=(4.8, 3.2),
    title=None,
    path=None,
):
    """Draws quantities against training steps, like the information bound in Figure 1 of InfoGAN.

    Each curve has a colour and a line style of its own.

    Args:
        curves: dict of label to (steps, values), two arrays (n,). Labels may hold mathematics
            between dollar signs.
        reference: `None`, or a dict of label to number: horizontal dotted lines to compare with.
        x_label, y_label: labels of the axes, with units.
        y_scale: "linear", or "log" for quantities that span orders of magnitude, all above 0.
        size: width and height in inches; there are 120 pixels to an inch.
        title: `None`, or a text above the picture.
        path: `None`, or the PNG file to write the picture to.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: if there is no curve, a curve is not two arrays of one length, a number is not
            finite or, with "log", not above 0, or `size` is not positive.

    Example:

    >>> steps = np.arange(1, 101)
    >>> information, without_feedback = np.log(10) * (1 - np.exp(-steps / 20)), np.zeros(100)
    >>> picture = training_curves(
    ...     {"InfoGAN": (steps, information), "GAN": (steps, without_feedback)},
    ...     reference={"$H(c)$": np.log(10)},
    ...     y_label="$L_I$ [nats]",
    ... )

    Reference: Chen et al., InfoGAN, 2016, Figure 1.
    """
    if not isinstance(curves, dict) or not curves:
        raise ValueError(
            "`curves` must be a dict of one or more labels to (steps, values). "
            f"Received: curves={curves}"
        )
    curves = {label: _check(label, curve) for label, curve in curves.items()}
    reference = {} if reference is None else reference
    is_dict = isinstance(reference, dict)
    lines = to_numpy("reference", list(reference.values())) if is_dict else np.zeros(0)
    if not is_dict or lines.ndim != 1 or not np.isfinite(lines).all():
        raise ValueError(
            "`reference` must be None or a dict of labels to finite numbers. "
            f"Received: reference={reference}"
        )
    y_scale = check_choice("y_scale", y_scale, ("linear", "log"))
    lowest = min([*(values.min() for _, values in curves.values()), *lines.tolist()])
    if y_scale == "log" and not lowest > 0:
        raise ValueError(
            f'`y_scale` must be "linear" where numbers are not above 0. Received: y_scale="log", '
            f"numbers from {lowest}"
        )
    figure = new_figure(size)
    axes = add_axes(figure)
    axes.set_yscale(y_scale)
    axes.locator_params(axis="x", nbins=6)  # Numbers of many digits would touch.
    for index, (label, (steps, values)) in enumerate(curves.items()):
        style = LINE_STYLES[index % len(LINE_STYLES)]
        # A curve of one point has no line; where styles repeat, markers distinguish the curves.
        has_marker = len(steps) == 1 or index >= len(LINE_STYLES)
        axes.plot(
            steps,
            values,
            label=label,
            linestyle=style,
            marker=MARKERS[index % len(MARKERS)] if has_marker else None,
            markevery=max(1, len(steps) // 8),
        )
    for label, value in reference.items():
        axes.axhline(value, color="black", linestyle=":", linewidth=1, label=label)
    plain_axes(axes, x_label, y_label)
    return drawn(figure, path, title)


def _check(label, curve):
    try:
        steps, values = (to_numpy("curves", numbers).astype("float64") for numbers in listed(curve))
    except (TypeError, ValueError):
        steps = values = np.zeros(0)
    if steps.ndim != 1 or not steps.size or steps.shape != values.shape:
        raise ValueError(
            f"`curves[{label!r}]` must be two arrays (steps, values) of one length. "
            f"Received: {curve}"
        )
    if not (np.isfinite(steps).all() and np.isfinite(values).all()):
        raise ValueError(f"`curves[{label!r}]` must hold finite numbers. Received: {curve}")
    return steps, values
