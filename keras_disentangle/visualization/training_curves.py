import numpy as np

from keras_disentangle.visualization._figure import drawn, new_figure, plain_axes


def training_curves(
    curves, *, reference=None, x_label="training step", y_label="", size=(4.8, 3.2), path=None
):
    """Draws quantities against training steps, as Figure 1 of InfoGAN does its information bound.

    Args:
        curves: Dict of label to (steps, values), two arrays (n,). Labels may hold mathematics
            between dollar signs.
        reference: None, or a dict of label to number: horizontal dashed lines to compare with.
        x_label, y_label: What the axes show, with units.
        size: Width and height in inches; there are 120 pixels to an inch.
        path: None, or where to write the picture as PNG.

    Returns:
        uint8 array (H, W, 3).

    Raises:
        ValueError: If there is no curve, a curve is not two arrays of one length, a number is not
            finite, or `size` is not positive.

    Example:

    >>> picture = training_curves(
    ...     {"InfoGAN": (steps, information), "GAN": (steps, without_feedback)},
    ...     reference={"$H(c)$": np.log(10)},
    ...     y_label="$L_I$ [nats]",
    ... )

    Reference:
        Chen et al., InfoGAN, 2016, Figure 1.
    """
    if not isinstance(curves, dict) or not curves:
        raise ValueError(
            "`curves` must be a dict of one or more labels to (steps, values). "
            f"Received: curves={curves}"
        )
    curves = {label: _check(label, curve) for label, curve in curves.items()}
    reference = {} if reference is None else reference
    if not (isinstance(reference, dict) and np.isfinite(list(reference.values())).all()):
        raise ValueError(
            "`reference` must be None or a dict of labels to finite numbers. "
            f"Received: reference={reference}"
        )
    figure = new_figure(size)
    axes = figure.add_subplot()
    for label, (steps, values) in curves.items():
        # A curve of one point has no line.
        axes.plot(steps, values, label=label, marker="o" if len(steps) == 1 else None)
    for label, value in reference.items():
        axes.axhline(value, color="black", linestyle="--", linewidth=1, label=label)
    plain_axes(axes, x_label, y_label)
    return drawn(figure, path)


def _check(label, curve):
    try:
        steps, values = (np.asarray(numbers, "float64") for numbers in curve)
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
