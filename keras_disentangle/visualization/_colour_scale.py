"""Numbers as colours on one scale, and the bar that shows the scale."""

import numpy as np
from PIL import Image, ImageDraw

from keras_disentangle._arguments import check_number
from keras_disentangle.visualization._labelled_grid import font
from keras_disentangle.visualization.picture import Picture

# From nearly white for 0 to dark blue, as in the paper's figures. Its lightness falls all the way,
# so that grey prints and colour-blind readers keep the order.
COLORMAP = "YlGnBu"


def check_limit(limit, values):
    """The number at the upper end of the scale: `limit`, or else the largest of `values`."""
    if limit is None:
        # A scale from 0 to 0 would have no colours.
        return float(values.max()) or 1.0
    return check_number("limit", limit, above=0)


def colorize(values, limit):
    """uint8 colours (..., 3) of numbers, clipped to the scale from 0 to `limit`."""
    import matplotlib

    colormap = matplotlib.colormaps[COLORMAP]
    return colormap(np.clip(values / limit, 0, 1), bytes=True)[..., :3]


def with_scale_bar(picture, limit, label):
    """`picture` (H, W, 3) with a scale from 0 (bottom) to `limit` (top) on its right, and beside it
    a `label` that says what the colours are."""
    height = len(picture)
    letters = font(min(max(height // 12, 12), 20))
    labels = {0.0: "0", 1.0: f"{limit:.2g}"}
    margin = max(letters.getbbox(text)[3] for text in labels.values()) // 2 + 1
    gap, width = 6, min(max(6, height // 20), 24)
    length = max(2, height - 2 * margin)
    bar = colorize(np.linspace(1, 0, length)[:, None].repeat(width, axis=1), 1)
    beside = Image.new("RGB", (int(letters.getlength(label)) + 1, 2 * margin), "white")
    ImageDraw.Draw(beside).text((0, margin), label, fill="black", font=letters, anchor="lm")
    beside = beside.transpose(Image.Transpose.ROTATE_90)
    text_width = int(max(letters.getlength(text) for text in labels.values())) + 2 * gap
    text_width = max(text_width, 2 * gap + beside.width)
    size = max(height, length + 2 * margin)
    canvas = Image.new("RGB", (gap + width + text_width, size), "white")
    # Where it would run into the numbers, the picture is too low for it.
    if beside.height < length - 2 * margin:
        canvas.paste(beside, (2 * gap + width, (size - beside.height) // 2))
    canvas.paste(Image.fromarray(bar), (gap, margin))
    draw = ImageDraw.Draw(canvas)
    for share, text in labels.items():
        y = margin + (1 - share) * (length - 1)
        draw.text((2 * gap + width, y), text, fill="black", font=letters, anchor="lm")
    canvas = np.asarray(canvas)
    below = np.full((len(canvas) - height, *picture.shape[1:]), 255, "uint8")
    return np.concatenate([np.concatenate([picture, below]), canvas], axis=1).view(Picture)
