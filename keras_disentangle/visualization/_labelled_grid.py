import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_disentangle.visualization.image_grid import image_grid


def labelled_grid(images, groups, labels=None, padding=1):
    """Lays rows of images out with a gap between groups of rows and a label left of each row.

    Args:
        images: uint8 array (rows, columns, h, w, c).
        groups: Number of rows in each group; they add up to `rows`.
        labels: One text for each row, or None for no margin.
        padding: White pixels around each image.

    Returns:
        uint8 array (H, W, c).
    """
    columns, height = images.shape[1:3]
    gap = max(4, height // 8)
    pieces, centres = [], []
    top = 0
    for group in np.split(images, np.cumsum(groups)[:-1]):
        grid = image_grid(group.reshape(-1, *images.shape[2:]), columns, padding)
        for row in range(len(group)):
            centres.append(top + padding + row * (height + padding) + height / 2)
        pieces += [grid, np.full((gap, *grid.shape[1:]), 255, "uint8")]
        top += len(grid) + gap
    canvas = np.concatenate(pieces[:-1])
    if labels is None:
        return canvas
    # Large enough to read beside small images, never higher than a row of the usual sizes.
    font = ImageFont.load_default(size=min(max(height // 4, 10), 24))
    width = int(max(font.getlength(label) for label in labels)) + 9
    margin = Image.new("L", (width, len(canvas)), 255)
    draw = ImageDraw.Draw(margin)
    for label, centre in zip(labels, centres, strict=True):
        draw.text((width - 4, centre), label, fill=0, font=font, anchor="rm")
    margin = np.repeat(np.asarray(margin)[..., None], canvas.shape[-1], axis=-1)
    if canvas.shape[-1] == 4:
        margin[..., 3] = 255
    return np.concatenate([margin, canvas], axis=1)
