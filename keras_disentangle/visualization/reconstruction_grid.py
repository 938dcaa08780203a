import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.visualization._labelled_grid import labelled_grid
from keras_disentangle.visualization._pixels import as_uint8


def reconstruction_grid(images, reconstructions, columns=8, padding=1):
    """Draws images with their reconstructions below them, `columns` pairs side by side.

    Args:
        images: Array or tensor (n, h, w, c) of floats in [0, 1], beyond which they are clipped with
            a warning, or of uint8.
        reconstructions: Likewise, of the same shape.
        columns: Number of pairs in a row.
        padding: White pixels around each image.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: If the shapes differ, or an argument has another shape or range.

    Example:

    >>> picture = reconstruction_grid(images, model.reconstruct(images))
    """
    originals = as_uint8(images, "images")
    reconstructions = as_uint8(reconstructions, "reconstructions")
    if originals.shape != reconstructions.shape:
        raise ValueError(
            "`images` and `reconstructions` must have one shape. "
            f"Received: {originals.shape} and {reconstructions.shape}"
        )
    columns = min(check_int("columns", columns), len(originals))
    blocks = -(-len(originals) // columns)
    pairs = np.full((blocks, 2, columns, *originals.shape[1:]), 255, "uint8")
    for index, pair in enumerate(zip(originals, reconstructions, strict=True)):
        pairs[index // columns, :, index % columns] = pair
    return labelled_grid(
        pairs.reshape(-1, *pairs.shape[2:]), [2] * blocks, labels=None, padding=padding
    )
