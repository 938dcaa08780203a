"""Numbers as colours on one scale, and the bar that shows the scale."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_disentangle._arguments import check_number
from keras_disentangle.visualization.picture import Picture

# From nearly white for 0 to dark blue, as in the paper's figures.
_COLORMAP = "YlGnBu"


def check_limit(limit, values):
    """The number at the upper end of the scale: `limit`, or else the largest of `values`."""
    if limit is None:
        # A scale from 0 to 0 would have no colours.
        return float(values.max()) or 1.0
    return check_number("limit", limit, above=0)


def colorize(values, limit):
    """uint8 colours (..., 3) of numbers, clipped to the scale from 0 to `limit`."""
    import matplotlib

    colormap = matplotlib.colormaps[_COLORMAP]
    return colormap(np.clip(values / limit, 0, 1), bytes=True)[..., :3]


def with_scale_bar(picture, limit):
    """`picture` (H, W, 3) with a scale from 0 (bottom) to `limit` (top) on its right."""
    height = len(picture)
    font = ImageFont.load_default(size=min(max(height // 12, 10), 24))
    labels = {0.0: "0", 1.0: f"{limit:.2g}"}
    margin = max(font.getbbox(label)[3] for label in labels.values()) // 2 + 1
    gap, width = 6, max(6, height // 20)
    length = max(2, height - 2 * margin)
    bar = colorize(np.linspace(1, 0, length)[:, None].repeat(width, axis=1), 1)
    text_width = int(max(font.getlength(label) for label in labels.values())) + 2 * gap
    canvas = Image.new("RGB", (gap + width + text_width, max(height, length + 2 * margin)), "white")
    canvas.paste(Image.fromarray(bar), (gap, margin))
    draw = ImageDraw.Draw(canvas)
    for share, label in labels.items():
        y = margin + (1 - share) * (length - 1)
        draw.text((2 * gap + width, y), label, fill="black", font=font, anchor="lm")
    canvas = np.asarray(canvas)
    below = np.full((len(canvas) - height, *picture.shape[1:]), 255, "uint8")
    return np.concatenate([np.concatenate([picture, below]), canvas], axis=1).view(Picture)
