import numpy as np

from keras_disentangle._arguments import check_flag, check_number
from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._colour_scale import check_limit, colorize, with_scale_bar
from keras_disentangle.visualization._pixels import as_uint8
from keras_disentangle.visualization.image_grid import image_grid


def penalty_heatmap(
    penalty, images=None, *, opacity=0.7, columns=None, limit=None, scale_bar=True, padding=1
):
    """Draws the Hessian penalty of each pixel as a colour, on one scale for all the images.

    Args:
        penalty: Array (h, w) or (n, h, w), at least 0: the penalties, as a rule the largest over
            the channels of what `metrics.hessian_penalty_map` gives.
        images: None, or the images (n, h, w, c), with c one of 1, 3, of floats in [0, 1] or of
            uint8, on which the colours are laid.
        opacity: How much of the colours' there is over the images, in [0, 1].
        columns: Number of heatmaps in a row; by default all of them.
        limit: The penalty at the upper end of the scale; by default the largest. Pictures that are
            to be compared need the same.
        scale_bar: Whether the scale stands at the right.
        padding: White pixels around each heatmap.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: If an argument has another shape or range.

    Example:

    >>> z = np.random.default_rng(0).normal(size=(2, 4))
    >>> penalty = kd.metrics.hessian_penalty_map(generator, z).max(axis=-1)
    >>> picture = penalty_heatmap(penalty, generator(z))

    Reference:
        Peebles et al., The Hessian Penalty, 2020, Figure 13.
    """
    penalty = to_numpy("penalty", penalty).astype("float64")
    if penalty.ndim == 2:
        penalty = penalty[None]
    if penalty.ndim != 3 or not penalty.size:
        raise ValueError(
            f"`penalty` must be of shape (h, w) or (n, h, w). Received: shape {penalty.shape}"
        )
    if not (penalty.min() >= 0 and penalty.max() < np.inf):
        raise ValueError(
            "`penalty` must hold finite numbers >= 0. "
            f"Received: numbers from {penalty.min()} to {penalty.max()}"
        )
    opacity = check_number("opacity", opacity, 0, 1)
    limit = check_limit(limit, penalty)
    colours = colorize(penalty, limit)
    if images is not None:
        images = as_uint8(images)
        if images.shape[:3] != penalty.shape or images.shape[-1] == 4:
            raise ValueError(
                f"`images` must be of shape {(*penalty.shape, 3)} or {(*penalty.shape, 1)}, as "
                f"`penalty`. Received: shape {images.shape}"
            )
        colours = np.rint(opacity * colours + (1 - opacity) * images).astype("uint8")
    picture = image_grid(colours, len(colours) if columns is None else columns, padding)
    return with_scale_bar(picture, limit) if check_flag("scale_bar", scale_bar) else picture
