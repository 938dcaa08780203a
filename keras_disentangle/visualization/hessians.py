"""Pictures of the Hessian of a generator."""

import numpy as np

from keras_disentangle._arguments import check_flag, check_number
from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._colour_scale import check_limit, colorize, with_scale_bar
from keras_disentangle.visualization._labelled_grid import check_labels, labelled_grid
from keras_disentangle.visualization._pixels import as_uint8
from keras_disentangle.visualization.enlarge import enlarge
from keras_disentangle.visualization.grids import image_grid

# Yellow in black, which stand out on light, dark and coloured images, in grey prints too.
_MARK, _AROUND = (255, 221, 0), (0, 0, 0)


def hessian_grid(
    hessians,
    images=None,
    pixels=None,
    *,
    labels=None,
    limit=None,
    scale_bar=True,
    height=96,
    padding=1,
    title=None,
):
    """Draws the magnitudes of Hessian matrices' entries as colours, on one scale.

    In the paper's figures, a row belongs to a generator, and each Hessian is that of the pixel with
    the largest Hessian penalty in an image: a generator whose components are independent shows a
    diagonal.

    Args:
        hessians: array (n, d, d) or (rows, n, d, d).
        images: `None`, or the images (n, h, w, c) or (rows, n, h, w, c), with c one of 1, 3, of
            floats in [0, 1] or of uint8; each is shown left of its Hessian.
        pixels: `None`, or an integer array (n, 2 or more) or (rows, n, 2 or more): the row and the
            column of the pixel that is framed in yellow in each image; further entries, such as the
            channel in the result of `metrics.peak_hessians`, are ignored.
        labels: `None`, or a text for each row.
        limit: the magnitude at the upper end of the scale; by default the largest.
        scale_bar: whether the scale is shown on the right.
        height: height in pixels to which smaller Hessians and images are enlarged at least.
        padding: white pixels around each image.
        title: `None`, or a text above the picture.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: if an argument has another shape or range.

    Example:

    >>> z = np.random.default_rng(0).normal(size=(2, 4))
    >>> hessians, pixels = kd.metrics.peak_hessians(generator, z)
    >>> picture = hessian_grid(hessians, generator(z), pixels)

    Reference: Peebles et al., The Hessian Penalty, 2020, Figures 8 to 12.
    """
    hessians = np.abs(to_numpy("hessians", hessians).astype("float64"))
    images = None if images is None else to_numpy("images", images)
    pixels = None if pixels is None else to_numpy("pixels", pixels)
    if hessians.ndim == 3:
        hessians = hessians[None]
        images, pixels = (None if x is None else x[None] for x in (images, pixels))
    if hessians.ndim != 4 or not hessians.size or hessians.shape[2] != hessians.shape[3]:
        raise ValueError(
            "`hessians` must be of shape (n, d, d) or (rows, n, d, d). "
            f"Received: shape {hessians.shape}"
        )
    if not np.isfinite(hessians).all():
        raise ValueError("`hessians` must be finite. Received: NaN or infinite values")
    rows, number, dim = hessians.shape[:3]
    labels = check_labels("labels", labels, rows, "row")
    if pixels is not None and images is None:
        raise ValueError("`pixels` are drawn in images. Received: images=None")
    limit = check_limit(limit, hessians)
    tiles = enlarge(colorize(hessians.reshape(-1, dim, dim), limit), height)
    if images is not None:
        images = _as_colours(images, rows, number)
        shape = images.shape[1:3]
        factor = enlarge(images[:1], height).shape[1] // shape[0]
        images = enlarge(images, height).copy()
        if pixels is not None:
            pixels = _check_pixels(pixels, rows, number, shape)
            for image, pixel in zip(images, pixels, strict=True):
                _frame(image, factor * pixel, factor)
        tiles = _side_by_side(images, tiles, padding)
    tiles = tiles.reshape(rows, number, *tiles.shape[1:])
    picture = labelled_grid(tiles, [rows], labels, padding=padding, height=1, title=title)
    is_shown = check_flag("scale_bar", scale_bar)
    return with_scale_bar(picture, limit, "magnitude") if is_shown else picture


def _as_colours(images, rows, number):
    """Images (rows, number, h, w, c) as uint8 (rows * number, h, w, 3)."""
    if images.ndim != 5 or images.shape[:2] != (rows, number) or images.shape[-1] == 4:
        raise ValueError(
            "`images` must hold one image (h, w, 3) or (h, w, 1) for each of `hessians`, "
            f"{rows} rows of {number}. Received: shape {images.shape}"
        )
    images = as_uint8(images.reshape(-1, *images.shape[2:]))
    return np.broadcast_to(images, (*images.shape[:3], 3))


def _check_pixels(pixels, rows, number, shape):
    """Rows and columns (rows * number, 2), in images of a shape (h, w)."""
    fits = pixels.ndim == 3 and pixels.shape[:2] == (rows, number) and pixels.shape[2] >= 2
    if not fits or pixels.dtype.kind not in "iu":
        raise ValueError(
            "`pixels` must hold a row and a column, integers, for each of `hessians`, "
            f"{rows} rows of {number}. Received: {pixels.dtype} of shape {pixels.shape}"
        )
    pixels = pixels[..., :2].reshape(-1, 2)
    if (pixels < 0).any() or (pixels >= shape).any():
        raise ValueError(
            f"`pixels` must lie in images of {shape[0]} × {shape[1]} pixels. "
            f"Received: pixels={pixels.tolist()}"
        )
    return pixels


def _frame(image, corner, size):
    """Draws a frame into `image`, two pixels outside the square of `size` at `corner`."""
    for distance, colour in ((3, _AROUND), (2, _MARK)):
        top, left = np.maximum(corner - distance, 0)
        ends = corner + size + distance - 1
        bottom, right = np.minimum(ends, np.subtract(image.shape[:2], 1))
        image[[top, bottom], left : right + 1] = colour
        image[top : bottom + 1, [left, right]] = colour


def _side_by_side(left, right, gap):
    """Pairs of tiles (n, h, w, 3) side by side, the less high ones padded with white."""
    height = max(left.shape[1], right.shape[1])
    left = np.pad(left, ((0, 0), (0, 0), (0, gap), (0, 0)), constant_values=255)
    columns = [
        np.pad(x, ((0, 0), (0, height - x.shape[1]), (0, 0), (0, 0)), constant_values=255)
        for x in (left, right)
    ]
    return np.concatenate(columns, axis=2)


def penalty_heatmap(
    penalty, images=None, *, opacity=0.7, columns=None, limit=None, scale_bar=True, **layout
):
    """Draws the Hessian penalty of each pixel as a colour, on one scale for all the images.

    Args:
        penalty: array (h, w) or (n, h, w), at least 0: the penalties, usually the maximum over
            channels of the result of `metrics.hessian_penalty_map`.
        images: `None`, or the images (n, h, w, c), with c one of 1, 3, of floats in [0, 1] or of
            uint8, over which the colours are drawn.
        opacity: opacity of the colours over the images, in [0, 1].
        columns: number of heatmaps in a row; by default all of them.
        limit: the penalty at the upper end of the scale; by default the largest. Pictures that are
            to be compared need the same limit.
        scale_bar: whether the scale is shown on the right.
        **layout: `padding`, `height` and `title`, as in `image_grid`.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: if an argument has another shape or range.

    Example:

    >>> z = np.random.default_rng(0).normal(size=(2, 4))
    >>> penalty = kd.metrics.hessian_penalty_map(generator, z).max(axis=-1)
    >>> picture = penalty_heatmap(penalty, generator(z))

    Reference: Peebles et al., The Hessian Penalty, 2020, Figure 13.
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
    picture = image_grid(colours, len(colours) if columns is None else columns, **layout)
    is_shown = check_flag("scale_bar", scale_bar)
    return with_scale_bar(picture, limit, "Hessian penalty") if is_shown else picture
