"""Grids of images with labels and gaps between groups of rows."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_disentangle._arguments import check_int
from keras_disentangle.visualization.picture import Picture


def tile(images, columns, padding):
    """Lays uint8 images (n, h, w, c) out in rows of `columns`, left to right, on white."""
    number, height, width, channels = images.shape
    height, width = height + padding, width + padding
    rows = -(-number // columns)
    grid = np.full((rows * height + padding, columns * width + padding, channels), 255, "uint8")
    for index, image in enumerate(images):
        top = index // columns * height + padding
        left = index % columns * width + padding
        grid[top : top + image.shape[0], left : left + image.shape[1]] = image
    return grid


def labelled_grid(images, groups, labels=None, padding=1, column_labels=None, corner=""):
    """Lays rows of images out with a gap between groups of rows, and labels beside and above.

    Args:
        images: uint8 array (rows, columns, h, w, c).
        groups: number of rows in each group; they add up to `rows`.
        labels: one text for each row, or `None` for no margin.
        padding: white pixels around each image.
        column_labels: one text for each column, or `None` for no line above.
        corner: text in the margin left of the column labels, which says what they are.

    Returns:
        `Picture` (H, W, c).
    """
    padding = check_int("padding", padding, minimum=0)
    columns, height, width = images.shape[1:4]
    gap = max(4, height // 8)
    pieces, centres = [], []
    top = 0
    for group in np.split(images, np.cumsum(groups)[:-1]):
        grid = tile(group.reshape(-1, *images.shape[2:]), columns, padding)
        for row in range(len(group)):
            centres.append(top + padding + row * (height + padding) + height / 2)
        pieces += [grid, np.full((gap, *grid.shape[1:]), 255, "uint8")]
        top += len(grid) + gap
    canvas = np.concatenate(pieces[:-1])
    # Large enough to read beside small images, never higher than a row of the usual sizes.
    size = min(max(height // 4, 10), 24)
    margin = 0
    if labels is not None:
        font = ImageFont.load_default(size=size)
        margin = int(max(font.getlength(label) for label in [*labels, corner])) + 9
        texts = [(margin - 4, y, label, "rm") for y, label in zip(centres, labels, strict=True)]
        written = _written(margin, len(canvas), canvas.shape[-1], texts, font)
        canvas = np.concatenate([written, canvas], axis=1)
    if column_labels is not None:
        font, stride = _fitting(column_labels, width + padding, size)
        head = int(font.size * 1.5) + 2
        texts = [(margin - 4, head / 2, corner, "rm")] if margin else []
        for column in range(0, columns, stride):
            x = margin + padding + column * (width + padding) + width / 2
            texts.append((x, head / 2, column_labels[column], "mm"))
        written = _written(canvas.shape[1], head, canvas.shape[-1], texts, font)
        canvas = np.concatenate([written, canvas])
    return canvas.view(Picture)


def check_labels(name, labels, number, of):
    """`labels` as a list of `number` strings, or `None`."""
    if labels is None:
        return None
    texts = [labels] if isinstance(labels, str) or not np.iterable(labels) else list(labels)
    if len(texts) != number or not all(isinstance(text, str) for text in texts):
        raise ValueError(
            f"`{name}` must be {number} strings, one for each {of}. Received: {name}={labels!r}"
        )
    return texts


def texts_of(values):
    """Texts of the values to which the columns of a picture belong."""
    # A middle value that differs from 0 by rounding alone is shown as 0.
    smallest = 1e-6 * np.abs(values).max()
    return [f"{value:.3g}" if abs(value) > smallest else "0" for value in values.tolist()]


def _fitting(labels, width, size):
    """The largest font in which the labels fit side by side, and the stride: 1 to show each."""
    while True:
        font = ImageFont.load_default(size=size)
        widest = max(font.getlength(label) for label in labels) + 4
        if widest <= width or size <= 8:
            return font, max(1, -(-int(widest) // max(width, 1)))
        size -= 1


def _written(width, height, channels, texts, font):
    """White pixels (height, width, channels) with texts (x, y, text, anchor)."""
    part = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(part)
    for x, y, text, anchor in texts:
        draw.text((x, y), text, fill=0, font=font, anchor=anchor)
    part = np.repeat(np.asarray(part)[..., None], channels, axis=-1)
    if channels == 4:
        part[..., 3] = 255
    return part
