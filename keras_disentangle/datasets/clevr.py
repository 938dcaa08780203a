"""The CLEVR variants of the Hessian Penalty, rendered."""

import numpy as np

from keras_disentangle._arguments import check_choice, check_int, check_number
from keras_disentangle._progress import progress
from keras_disentangle.datasets._ray_caster import MATERIALS, SHAPES, RayCaster
from keras_disentangle.datasets.factor_dataset import FactorDataset

# The factors of each solid.
_VARIANTS = {
    "simple": (("color", "shape", "x", "y"),),
    "1fov": (("x",),),
    "complex": (("color", "shape", "size", "x", "y"),) * 2,
}
_FIXED = {"color": 1, "shape": 0, "size": 1, "y": 0}  # values where it is not a factor
_RADII = np.array([0.35, 0.7], np.float32)  # CLEVR's sizes
_X, _Y = 1.9, 3.0  # how far solids go from the middle
_GAP = 0.75  # from the middle line, if there is a solid on either side
_LARGEST_IMAGE, _MOST_POSITIONS = 2**11, 2**20
_CHUNK = 2**19  # pixels drawn at once, so that the working memory stays small
_LARGEST_PERMUTATION = 2**27  # 1 GiB


class Clevr(FactorDataset):
    """The CLEVR variants of the Hessian Penalty, rendered on demand: solids on a grey floor.

    Rendered by a small ray caster with CLEVR's camera, lamps, colours, sizes and materials, soft
    shadows on the floor and 16 rays per pixel; an image depends on its index alone. The factors of
    each solid are:

    - `color`: 0 to 7, as in `Clevr.COLORS`: gray, red, blue, green, brown, purple, cyan, yellow. As
      in CLEVR, these numbers / 255 are the shares of (linear) light that a solid reflects;
    - `shape`: 0 cube, 1 sphere, 2 cylinder;
    - `size`: 0 small, 1 large, twice as wide and high; large if it is not a factor;
    - `x`: from left to right in equal steps;
    - `y`: along the floor from the front to the back, so up in the image, in equal steps.

    There are three data sets:

    - "simple": one solid, `color`, `shape`, `x`, `y`: 24,576 images;
    - "1fov": one red cube that moves from left to right, `x` alone: 10,000 images;
    - "complex": two solids, `color_1`, `shape_1`, `size_1`, `x_1`, `y_1`, `color_2`, …, `y_2`. The
      first is always in the left half, the second in the right, so that they neither touch nor
      occlude each other. 2.4e9 images, from which a sample is drawn for training.

    The paper's data sets hold about 10,000 images each, drawn at random, of 128×128 pixels.

    Args:
        variant: "simple", "1fov" or "complex".
        image_size: height and width in pixels, 8 to 2048.
        material: "metal", as in the paper's pictures, or "rubber", which is matte.
        positions: number of values of each `x` and `y`, 2 to 2**20; by default 32, and 10,000 for
            "1fov".
        zoom: magnification relative to CLEVR, from 1 to 2, for small images; positions are then
            restricted to the visible part of the floor.

    Raises:
        ValueError: if the variant or the material is none of these, or a number is not an integer
            or out of range.

    Example:

    >>> data = kd.datasets.Clevr("complex", image_size=128)
    >>> index = np.random.default_rng(0).integers(len(data), size=16)
    >>> images = data.images(index)  # (16, 128, 128, 3) uint8
    >>> batches = kd.datasets.image_batches(images, batch_size=8, seed=0)

    Reference: Peebles et al., The Hessian Penalty, ECCV 2020, section 4.1; Johnson et al., CLEVR: A
    Diagnostic Dataset for Compositional Language and Elementary Visual Reasoning, CVPR 2017.
    """

    COLORS = {
        "gray": (87, 87, 87),
        "red": (173, 35, 35),
        "blue": (42, 75, 215),
        "green": (29, 105, 20),
        "brown": (129, 74, 25),
        "purple": (129, 38, 192),
        "cyan": (41, 208, 208),
        "yellow": (255, 238, 51),
    }
    SHAPES = SHAPES

    def __init__(self, variant="simple", image_size=64, material="metal", positions=None, zoom=1.0):
        for name, value, known in (
            ("variant", variant, tuple(_VARIANTS)),
            ("material", material, MATERIALS),
        ):
            check_choice(name, value, known)
        size = check_int("image_size", image_size, minimum=8, maximum=_LARGEST_IMAGE)
        if positions is None:
            positions = 10_000 if variant == "1fov" else 32
        positions = check_int("positions", positions, minimum=2, maximum=_MOST_POSITIONS)
        zoom = check_number("zoom", zoom, 1, 2)
        solids = _VARIANTS[variant]
        sizes = {"color": len(self.COLORS), "shape": len(SHAPES), "size": len(_RADII)}
        super().__init__(
            [
                name if len(solids) == 1 else f"{name}_{i}"
                for i, names in enumerate(solids, start=1)
                for name in names
            ],
            [sizes.get(name, positions) for names in solids for name in names],
            (size, size, 3),
        )
        self._names = solids[0]
        x, y = _X / zoom, _Y / zoom
        ends = [(-x, x)] if len(solids) == 1 else [(-x, -_GAP), (_GAP, x)]
        self._x = np.linspace(*np.transpose(ends), positions, axis=1, dtype=np.float32)
        along = [0.0] if variant == "1fov" else np.linspace(-y, y, positions)
        self._y = np.array(along, np.float32)
        self._caster = RayCaster(size, material, zoom)

    def images(self, index):
        index = self._checked_index(index)
        out = np.empty((len(index), *self.image_shape), np.uint8)
        step = max(1, _CHUNK // self.image_shape[0] ** 2)
        for start in progress(range(0, len(index), step), "batches of images"):
            out[start : start + step] = self._draw(index[start : start + step])
        return out

    def batches(self, batch_size, seed, steps_per_epoch=None):
        if len(self) > _LARGEST_PERMUTATION:
            raise ValueError(
                f"`positions` must be smaller for batches of all images, or train on a sample of "
                f"them (see the example of `Clevr`). Received: positions={len(self._y)}, which "
                f"makes {len(self):,} images"
            )
        return super().batches(batch_size, seed, steps_per_epoch)

    def _draw(self, index):
        count, solids = len(index), len(self._x)
        factors = self.factors(index).reshape(count, solids, -1)
        value = {name: np.full((count, solids), fixed) for name, fixed in _FIXED.items()}
        value |= dict(zip(self._names, np.moveaxis(factors, -1, 0), strict=True))
        colors = np.array(list(self.COLORS.values()), np.float32) / 255
        position = [self._x[np.arange(solids), value["x"]], self._y[value["y"]]]
        return self._caster.draw(
            value["shape"],
            colors[value["color"]],
            _RADII[value["size"]],
            np.stack(position, axis=-1),
        )
