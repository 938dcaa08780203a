"""dSprites, rendered or from the original files."""

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._progress import progress
from keras_disentangle.datasets._original_dsprites import from_file, from_tfds
from keras_disentangle.datasets.factor_dataset import FactorDataset

# Outlines at scale 1, in pixels of the 64×64 original, from the sprite's centre; x points right and
# y down. All were fitted to frames of the original dSprites (Apache-2.0) by counting the pixels on
# the wrong side of the outline, and agree with those frames to an IoU above 0.99.
_SQUARE_SIDE = 19.2
_ELLIPSE_SEMI_AXES = (12.76, 7.22)
# The right half of the heart from its notch to its tip; the left half mirrors it.
_HEART_HALF = (
    (0.00, -5.16), (0.58, -6.67), (1.38, -7.82), (2.31, -8.61), (3.32, -9.13), (4.35, -9.33),
    (5.38, -9.32), (6.70, -8.89), (8.02, -8.02), (9.13, -6.39), (9.67, -4.51), (9.42, -2.52),
    (8.64, -0.76), (7.62, 0.67), (6.66, 1.79), (5.34, 3.08), (4.19, 4.19), (3.01, 5.21),
    (1.77, 6.61), (1.05, 7.46), (0.00, 9.37),
)  # fmt: skip
_RADIUS = _SQUARE_SIDE / 2**0.5  # no outline reaches further from its centre

_SCALES = np.linspace(0.5, 1, 6)
_ORIENTATIONS = np.linspace(0, 2 * np.pi, 40)
_POSITIONS = 16 + np.linspace(0, 32, 32)  # from the edge of the 64-pixel frame
_NAMES = ("shape", "scale", "orientation", "x_position", "y_position")
_SIZES = (3, len(_SCALES), len(_ORIENTATIONS), len(_POSITIONS), len(_POSITIONS))
_CHUNK = 512  # images drawn at once, so that the working memory stays small


class DSprites(FactorDataset):
    """dSprites, rendered on demand: 737,280 white sprites on black, one channel.

    The factors and their order are the original's: shape (square, ellipse, heart), scale (6 values,
    linear in [0.5, 1]), orientation (40, `np.linspace(0, 2π)`, so the last repeats the first;
    counter-clockwise), x position (32, along the columns) and y position (32, down the rows). A
    pixel is white if its centre lies inside the sprite's outline. The outlines were measured from
    original images, which the rendered ones match with a mean IoU above 0.99, not bit for bit.
    `DSprites.from_file` and `DSprites.from_tfds` load the original images.

    Args:
        image_size: height and width in pixels, 16 to 128. From 64 up, images are binary (0 or 255);
            below, they are rendered at the smallest multiple of at least 64 and averaged by area.

    Raises:
        ValueError: if `image_size` is not an integer from 16 to 128.

    Example:

    >>> data = kd.datasets.DSprites()
    >>> images = data.images([0, 1, 2])  # (3, 64, 64, 1) uint8

    Reference: Matthey et al., dSprites: Disentanglement testing Sprites dataset, 2017.
    """

    def __init__(self, image_size=64):
        size = check_int("image_size", image_size, minimum=16)
        if size > 128:
            raise ValueError(f"`image_size` must be 16 to 128. Received: image_size={image_size}")
        super().__init__(_NAMES, _SIZES, (size, size, 1))
        self._block = -(-64 // size)
        self._drawn_size = size * self._block
        self._centres = _POSITIONS * (self._drawn_size / 64) - 0.5  # pixel centres are integers
        self._first_rows, self._crossings = self._scan_lines()
        # Row `start * (drawn size + 1) + end` counts, for every output pixel, how many of the drawn
        # columns start…end-1 it covers. Averaging over columns thus costs nothing while drawing.
        edge = np.arange(self._drawn_size + 1)[:, None] > np.arange(self._drawn_size)
        spans = (edge[None] & ~edge[:, None]).reshape(-1, size, self._block)
        self._span_coverage = spans.sum(axis=-1, dtype=np.uint8)
        self._grey = np.rint(255 * np.arange(self._block**2 + 1) / self._block**2).astype(np.uint8)

    @staticmethod
    def from_file(path):
        """The original dSprites, from the published file.

        Args:
            path: `dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz`, from which the arrays `imgs` and
                `latents_classes` are read; the pickled `metadata` is not loaded.

        Returns:
            An `ArrayFactorDataset` with the factors of `DSprites` and images 64×64×1 of 0 and 255,
            which take 3 GB of memory.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file is damaged, lacks an array, or does not hold 64×64 images of
                each combination of the factors.

        Example:

        >>> data = kd.datasets.DSprites.from_file(
        ...     "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
        ... )
        """
        return from_file(path, _SIZES, _NAMES)

    @staticmethod
    def from_tfds(data_dir=None):
        """The original dSprites, from TensorFlow Datasets, which downloads it on first use.

        Args:
            data_dir: folder in which TensorFlow Datasets stores its data.

        Returns:
            The same `ArrayFactorDataset` as `DSprites.from_file`.

        Raises:
            FileNotFoundError: if the data are not available.
            ImportError: if tensorflow_datasets is not installed
                (the extra `datasets`).
        """
        return from_tfds(data_dir, _SIZES, _NAMES)

    def images(self, index):
        index = self._checked_index(index)
        out = np.zeros((len(index), *self.image_shape), np.uint8)
        for start in progress(range(0, len(index), _CHUNK), "batches of images"):
            self._draw(index[start : start + _CHUNK], out[start : start + _CHUNK, :, :, 0])
        return out

    def _draw(self, index, out):
        places = len(_POSITIONS)
        sprite, x, y = index // places**2, index // places % places, index % places
        crossings = self._crossings[sprite, y]
        crossings += self._centres[x].astype(np.float32)[:, None, None]
        # A span holds the pixels from its first crossing up to, not including, its second.
        column = np.ceil(crossings, out=crossings).astype(np.intp)
        keys = column[..., 0::2] * (self._drawn_size + 1) + column[..., 1::2]
        rows = self._span_coverage.take(keys[..., 0], axis=0)
        # Only some rows of a heart are cut in two.
        for span in range(1, keys.shape[-1]):
            image, row = np.nonzero(column[..., 2 * span] < column[..., 2 * span + 1])
            rows[image, row] += self._span_coverage[keys[image, row, span]]
        count, height, width = rows.shape
        rows = rows.reshape(count, height // self._block, self._block, width).sum(
            axis=2, dtype=np.uint8
        )
        first = self._first_rows[y] // self._block
        out[np.arange(count)[:, None], first[:, None] + np.arange(rows.shape[1])] = self._grey[rows]

    def _scan_lines(self):
        """Where each scan line of each sprite enters and leaves it.

        Returns:
            The first row drawn at each y position (32,), and crossings (720, 32, rows, 2 * spans):
            columns relative to the sprite's centre, in pairs (enter, leave), ascending.
        """
        zoom = self._drawn_size / 64
        first = np.floor(self._centres - _RADIUS * zoom).astype(int)
        first -= first % self._block
        rows = int((np.floor(self._centres + _RADIUS * zoom) + 1 - first).max())
        rows += -rows % self._block
        first = np.minimum(first, self._drawn_size - rows)
        lines = (first[:, None] + np.arange(rows) - self._centres[:, None]).ravel()
        sprites = [
            _crossings(zoom * scale * outline @ _rotation(angle), lines)
            for outline in _outlines()
            for scale in _SCALES
            for angle in _ORIENTATIONS
        ]
        table = np.stack(sprites).reshape(len(sprites), len(_POSITIONS), rows, -1)
        return first, table


def _outlines():
    """The three outlines as polygons (vertices, 2)."""
    half = _SQUARE_SIDE / 2
    square = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
    angle = np.linspace(0, 2 * np.pi, 1024, endpoint=False)  # within 0.0001 pixels of it
    ellipse = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * _ELLIPSE_SEMI_AXES
    right = np.array(_HEART_HALF)
    heart = np.concatenate([right, right[-2:0:-1] * (-1, 1)])
    return square, ellipse, heart


def _rotation(angle):
    """Turns row vectors (x, y), y down, counter-clockwise as seen on the screen."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _crossings(polygon, lines):
    """The x at which a polygon's outline crosses horizontal lines: (lines, 4) float32, ascending.

    Missing crossings are zeros, in pairs: an empty span.
    """
    # Rounded so that a full turn equals no turn.
    closed = np.round(np.concatenate([polygon, polygon[:1]]), 9)
    x, y = closed.T
    found = np.full((len(lines), 8), np.inf)
    # Stretches over which y only grows or only falls cross a line at most once.
    turns = np.flatnonzero(np.diff(np.sign(np.diff(y)))) + 1
    for i, (a, b) in enumerate(zip([0, *turns], [*turns, len(y) - 1], strict=True)):
        run = slice(a, b + 1) if y[b] > y[a] else slice(b, a - 1 if a else None, -1)
        inside = (lines >= y[run][0]) & (lines < y[run][-1])
        found[inside, i] = np.interp(lines[inside], y[run], x[run])
    found.sort(axis=1)
    found = found[:, :4]  # no line enters an outline more than twice
    found[np.isinf(found)] = 0
    return found.astype(np.float32)
