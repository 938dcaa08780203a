"""dSprites with a nuisance that is not a factor."""

import math
import pathlib

import numpy as np

from keras_disentangle._arguments import check_choice, check_seed
from keras_disentangle._progress import progress
from keras_disentangle._tensors import to_numpy
from keras_disentangle.datasets import _pictures
from keras_disentangle.datasets._file_contents import read_file
from keras_disentangle.datasets._selection import as_path
from keras_disentangle.datasets.dsprites import DSprites
from keras_disentangle.datasets.factor_dataset import FactorDataset
from keras_disentangle.datasets.weighted_factors import WeightedFactors

_VARIANTS = ("color", "noisy", "scream")
_CHUNK = 2**20  # values drawn at once, so that the working memory stays small


class DSpritesVariant(FactorDataset):
    """dSprites with a nuisance: a random colour, noise, or a textured background.

    With `s` the sprites (0 to 1), the images (three channels) are

    - "color": `s · c`, the colour `c` uniform in [0.5, 1]³;
    - "noisy": `min(s + e, 1)`, the noise `e` uniform in [0, 1] for each pixel and channel;
    - "scream": `b` outside the sprite and `1 - b` inside. `b` is the mean of a random patch of a
      picture and a random colour, uniform in [0, 1]³.

    The nuisance is not a factor. It depends on `seed` and the image's index alone: an image is the
    same in every batch and epoch. (disentanglement_lib draws the nuisance anew each time.)

    Args:
        variant: "color", "noisy" or "scream".
        data: the sprites, a `FactorDataset` of one channel; by default `DSprites()`.
        background: for "scream", the picture: a path, or an array (height, width, 3) of uint8, at
            least as large as the images. By default a generated picture of similar style: swirling
            warm bands above cold ones. The published variant uses Munch's "The Scream", scaled to
            fit into 350×274 pixels for images of 64×64.
        seed: seed of the nuisance, an integer >= 0.

    Raises:
        ValueError: if the variant is none of these, the data do not have one channel, or the
            background is not such a picture.
        FileNotFoundError: if there is no file `background`.

    Example:

    >>> data = kd.datasets.DSpritesVariant("color", kd.datasets.DSprites(image_size=32))
    >>> images = data.images([0, 1, 2])  # (3, 32, 32, 3) uint8

    Reference: Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of
    Disentangled Representations, ICML 2019.
    """

    def __init__(self, variant, data=None, background=None, seed=0):
        check_choice("variant", variant, _VARIANTS)
        data = DSprites() if data is None else data
        if isinstance(data, WeightedFactors):
            raise ValueError("`data` must not be weighted: give the variant to WeightedFactors")
        if not isinstance(data, FactorDataset) or data.image_shape[-1] != 1:
            raise ValueError(
                "`data` must be a FactorDataset of images of one channel. Received: "
                f"{type(data).__name__}, image_shape={getattr(data, 'image_shape', None)}"
            )
        if background is not None and variant != "scream":
            raise ValueError(f'`background` is for the variant "scream". Received: {variant!r}')
        height, width, _ = data.image_shape
        super().__init__(data.factor_names, data.factor_sizes, (height, width, 3))
        seed = check_seed("seed", seed, optional=False)
        self._key = np.random.SeedSequence(seed).generate_state(1, np.uint64)
        self._data = data
        self._draw = {"color": self._color, "noisy": self._noisy, "scream": self._scream}[variant]
        if variant == "scream":
            if background is None:
                picture = _scream_like(round(height * 274 / 64), round(width * 350 / 64))
            else:
                picture = _picture(background, height, width)
            # (y, x, channel, height, width): the patch whose corner is at (y, x).
            self._patches = np.lib.stride_tricks.sliding_window_view(
                picture.astype(np.float32), (height, width), axis=(0, 1)
            )

    def images(self, index):
        index = self._checked_index(index)
        out = np.empty((len(index), *self.image_shape), np.uint8)
        step = max(1, _CHUNK // math.prod(self.image_shape))
        for start in progress(range(0, len(index), step), "batches of images"):
            part = index[start : start + step]
            out[start : start + step] = self._draw(self._data.images(part), part)
        return out

    def _color(self, sprites, index):
        color = 0.5 + 0.5 * _uniform(self._words(index, 3))
        return np.rint(sprites * color[:, None, None])

    def _noisy(self, sprites, index):
        size = math.prod(self.image_shape)
        # Each word is eight bytes, whatever their order on this machine.
        noise = self._words(index, -(-size // 8)).astype("<u8", copy=False).view(np.uint8)
        noise = noise[:, :size].reshape(-1, *self.image_shape)
        return noise + np.minimum(sprites, 255 - noise)

    def _scream(self, sprites, index):
        random = _uniform(self._words(index, 5))
        color, corner = random[:, :3], random[:, 3:] * self._patches.shape[:2]
        y, x = corner.astype(np.int64).T
        patch = np.moveaxis(self._patches[y, x], 1, -1)
        background = (patch + 255 * color[:, None, None]) / 2
        return np.rint(background + sprites / np.float32(255) * (255 - 2 * background))

    def _words(self, index, count):
        """Random words (n, count), uint64, that depend on the seed and each number alone."""
        start = _mixed(self._key + _steps(index.astype(np.uint64)))
        return _mixed(start[:, None] + _steps(np.arange(1, count + 1, dtype=np.uint64)))


def _steps(numbers):
    return numbers * np.uint64(0x9E3779B97F4A7C15)


def _mixed(words):
    """The output function of SplitMix64 (Steele et al., 2014); overwrites the words."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def _uniform(words):
    """float32 in [0, 1)."""
    return (words >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


def _picture(background, height, width):
    if isinstance(background, (str, pathlib.Path)):
        path = as_path("background", background)
        if not path.is_file():
            raise FileNotFoundError(f"`background` must be a picture. There is no {path}")
        try:
            picture, _ = _pictures.decode(read_file(path))
            background = np.asarray(picture.convert("RGB"))
        except Exception as error:  # Pillow raises many kinds for a damaged file.
            raise ValueError(f"`background`: {path} is not a readable image: {error}") from error
    picture = to_numpy("background", background)
    if (
        picture.dtype != np.uint8
        or picture.ndim != 3
        or picture.shape[2] != 3
        or picture.shape[0] < height
        or picture.shape[1] < width
    ):
        raise ValueError(
            f"`background` must be a path or a uint8 array of shape (height, width, 3), at least "
            f"{height}×{width}. Received: shape={picture.shape}, dtype={picture.dtype}"
        )
    return picture


def _scream_like(height, width):
    """A picture (height, width, 3) of swirling bands: warm above, cold below."""
    y, x = np.mgrid[0:height, 0:width] / height
    for i in range(1, 5):
        x = x + 0.11 / i * np.sin(2 * np.pi * (1.3 * i * y + 0.37 * i**2))
        y = y + 0.09 / i * np.cos(2 * np.pi * (0.9 * i * x + 0.23 * i**2))
    band = (0.5 + 0.5 * np.sin(2 * np.pi * 7 * y))[..., None]
    stroke = (0.5 + 0.5 * np.sin(2 * np.pi * (23 * y + 4 * x)))[..., None]
    cold = np.clip(3 * (y + 0.15 * np.sin(5 * x)) - 1.2, 0, 1)[..., None]
    warm_color = (1 - band) * (196, 72, 30) + band * (246, 184, 74)
    cold_color = (1 - band) * (28, 42, 84) + band * (110, 142, 138)
    color = (1 - cold) * warm_color + cold * cold_color
    return np.rint(color * (0.8 + 0.2 * stroke)).astype(np.uint8)
