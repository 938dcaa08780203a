"""Grids of images with labels, values and gaps between groups of rows."""

import functools
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_disentangle._arguments import check_int
from keras_disentangle.visualization.enlarge import enlarge
from keras_disentangle.visualization.picture import Picture


def labelled_grid(
    images,
    groups,
    labels=None,
    column_labels=None,
    corner="",
    *,
    padding=1,
    height=96,
    title=None,
):
    """Lays rows of images out with a gap between groups of rows, labels beside and texts below.

    Args:
        images: uint8 array (rows, columns, h, w, c).
        groups: number of rows in each group; they add up to `rows`.
        labels: one text for each row, of one or more lines, or `None`.
        column_labels: one text for each column, or for each row a list of them, or `None`. They
            stand once below all consecutive rows that share them. A list may be shorter.
        corner: text left of the column labels, which says what they are.
        padding, height, title: as in `image_grid`.

    Returns:
        `Picture` (H, W, c).
    """
    padding = check_int("padding", padding, minimum=0)
    if not (title is None or isinstance(title, str)):
        raise ValueError(f"`title` must be a text or None. Received: title={title!r}")
    rows, columns = images.shape[:2]
    images = enlarge(images.reshape(-1, *images.shape[2:]), height)
    images = images.reshape(rows, columns, *images.shape[1:])
    height, width, channels = images.shape[2:]
    # Large enough to read where the picture fills the width of a page, two lines beside a row.
    size = max(min(height // 5, 20), columns * (width + padding) // 50)
    size = max(10, min(size, height // 3))
    below = _texts_below(column_labels, rows)
    fitting, stride = _fitting(below, width + padding, size)
    foot, gap = int(1.5 * fitting), max(4, height // 8)
    ends = set(np.cumsum(groups).tolist())
    pieces, texts, top = [], [], padding
    for row in range(rows):
        cells = np.full((height + padding, columns * (width + padding), channels), 255, "uint8")
        for column, image in enumerate(images[row]):
            left = column * (width + padding)
            cells[:height, left : left + width] = image
        pieces.append(cells)
        if labels is not None:
            texts.append((-6, top + height / 2, labels[row], "rm", size))
        top += height + padding
        if row in below:
            texts.append((-6, top + foot / 2, corner, "rm", fitting))
            for column in range(0, len(below[row]), stride):
                x = padding + column * (width + padding) + width / 2
                texts.append((x, top + foot / 2, below[row][column], "mm", fitting))
        # A group keeps the padding below it; texts and gaps are between.
        is_end = row + 1 in ends and row + 1 < rows
        space = foot * (row in below) + (gap + padding) * is_end
        pieces.append(np.full((space, *cells.shape[1:]), 255, "uint8"))
        top += space
    canvas = np.pad(
        np.concatenate(pieces), ((padding, 0), (padding, 0), (0, 0)), constant_values=255
    )
    return _written(canvas, texts, title, size).view(Picture)


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


def with_factors(labels, factors):
    """The labels of latents, each with a text of `factors` below it."""
    factors = check_labels("factors", factors, len(labels), "dimension") or [""] * len(labels)
    return ["\n".join(filter(None, pair)) for pair in zip(labels, factors, strict=True)]


def texts_of(values):
    """Texts of the values to which the columns of a picture belong: two digits after the point, or
    as many as tell them apart."""
    values = np.asarray(values, "float64")
    # A middle value that differs from 0 by rounding alone is shown as 0.
    values = np.where(np.abs(values) > 1e-6 * np.abs(values).max(), values, 0.0)
    for digits in range(2, 9):
        texts = [f"{value:z.{digits}f}".replace("-", "−") for value in values.tolist()]
        if len(set(texts)) == len(np.unique(values)):
            break
    return texts


def rows_of(parts):
    """Rows of images, arrays (n, h, w, c), as one array: the shorter ones end in white."""
    width = max(map(len, parts))
    canvas = np.full((len(parts), width, *parts[0].shape[1:]), 255, "uint8")
    for row, part in zip(canvas, parts, strict=True):
        row[: len(part)] = part
    return canvas


@functools.cache
def font(size):
    """The font of Matplotlib's charts, which has the signs and letters that Pillow's lacks."""
    import matplotlib

    path = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, size)


def _texts_below(column_labels, rows):
    """Dict from a row to the texts below it."""
    if column_labels is None:
        return {}
    if isinstance(column_labels[0], str):
        return {rows - 1: column_labels}
    found = dict(enumerate(column_labels))
    return {row: texts for row, texts in found.items() if texts != found.get(row + 1)}


def _fitting(below, width, size):
    """The largest size in which the texts fit side by side, and the stride: 1 to show each."""
    texts = [text for row in below.values() for text in row]
    while True:
        widest = max((font(size).getlength(text) for text in texts), default=0) + 4
        if widest <= width or size <= 10:
            return size, max(1, -(-int(widest) // max(width, 1)))
        size -= 1


def _written(canvas, texts, title, size):
    """The canvas on white with texts (x, y, text, anchor, size), as far beside it as they need."""
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))

    def extent(x, y, text, anchor, size):
        return draw.multiline_textbbox((x, y), text, font(size), anchor, align="right")

    texts = [entry for entry in texts if entry[2]]
    boxes = [extent(*entry) for entry in texts]
    left = max([0, *(3 - int(box[0]) for box in boxes)])
    right = max([0, *(int(box[2]) + 3 - canvas.shape[1] for box in boxes)])
    top = 0
    if title:
        heading = (0, -(size // 2), title, "ld", size)
        box = extent(*heading)
        top = 4 - int(box[1])
        right = max(right, int(box[2]) + 4 - canvas.shape[1])
        texts.append(heading)
    canvas = np.pad(canvas, ((top, 0), (left, right), (0, 0)), constant_values=255)
    if not texts:
        return canvas
    part = Image.new("L", canvas.shape[1::-1], 255)
    draw = ImageDraw.Draw(part)
    for x, y, text, anchor, size in texts:
        draw.multiline_text((left + x, top + y), text, 0, font(size), anchor, align="right")
    # Texts stand where the canvas is white.
    written = np.asarray(part)[..., None]
    colours = canvas[..., :3] if canvas.shape[-1] == 4 else canvas
    np.minimum(colours, written, out=colours)
    return canvas
