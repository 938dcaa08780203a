import numpy as np

from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._figure import HATCHES, drawn, new_figure, plain_axes


def activeness_bars(scores, *, size=(4.8, 3.2), path=None):
    """Draws the activeness of the components of generators, each sorted from the most active down.

    A generator that has turned components off shows a step, as in the paper's figure.

    Args:
        scores: Dict of label to array (d,), the activeness of each generator's components; the
            generators may differ in d.
        size: Width and height in inches; there are 120 pixels to an inch.
        path: None, or where to write the picture as PNG.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: If there is no generator, a score is not one or more finite numbers, or `size`
            is not positive.

    Example:

    >>> before = kd.metrics.activeness(generator, 4)
    >>> after = np.sort(before)
    >>> picture = activeness_bars({"ProGAN": before, "with Hessian penalty": after})

    Reference:
        Peebles et al., The Hessian Penalty, 2020, Figure 5.
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
    axes = figure.add_subplot()
    width = 0.8 / len(arrays)
    for index, (label, values) in enumerate(arrays.items()):
        ranks = np.arange(1, len(values) + 1) + (index - (len(arrays) - 1) / 2) * width
        # Hatches set the generators apart without colours.
        bars = {"hatch": HATCHES[index % len(HATCHES)], "edgecolor": "white", "linewidth": 0}
        axes.bar(ranks, np.sort(values)[::-1], width=width, label=label, **bars)
    axes.set_xticks(range(1, max(len(values) for values in arrays.values()) + 1))
    plain_axes(axes, "component, the most active first", "activeness")
    return drawn(figure, path)
