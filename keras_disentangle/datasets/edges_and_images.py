"""Data sets that mix images and their edge maps, such as Edges+Shoes."""

import numpy as np
from scipy import ndimage

from keras_disentangle._arguments import check_flag, check_number, check_weight
from keras_disentangle.datasets import _pictures
from keras_disentangle.datasets._file_contents import read_file
from keras_disentangle.datasets._image_arrays import (
    as_uint8_images,
    check_image_shape,
    fit_picture,
)
from keras_disentangle.datasets._image_files import (
    check_kinds,
    read_pictures,
)
from keras_disentangle.datasets._selection import as_path

_CHUNK = 2**20  # pixels filtered at once, so that the working memory stays small
# Lines may continue diagonally, but not from one image into the next.
_NEIGHBOURS = np.zeros((3, 3, 3), bool)
_NEIGHBOURS[1] = True


def edge_maps(images, sigma=1.0, low=0.1, high=0.3):
    """Draws the edges in images as dark lines, one pixel wide, on white.

    This is Canny's detector: the gradient of the blurred image, in the channel where it is largest,
    is kept where it is a maximum across the edge and at least `low`, for lines that reach `high`.

    Args:
        images: array (n, h, w, c) or (n, h, w): uint8, or floats in [0, 1], as `load_images` gives.
        sigma: standard deviation of the blur in pixels.
        low, high: thresholds, as the contrast of a straight edge: 1 from black to white.

    Returns:
        uint8 (n, h, w, c), 0 on edges and 255 elsewhere, the same in every channel.

    Raises:
        ValueError: if `images` are not images, `sigma` is not from 0.1 to the images' longer side,
            or the thresholds are not 0 < low <= high <= 1.

    Example:

    >>> images, _ = kd.datasets.load_images("mnist", data_dir="data", image_shape=(64, 64, 1))
    >>> edges = kd.datasets.edge_maps(images[:100])

    Reference: Canny, A Computational Approach to Edge Detection, PAMI 1986.
    """
    images = as_uint8_images(images, "images")
    # Above, the blur removes the whole image; below, it does not reach the neighbouring pixels.
    sigma = check_number("sigma", sigma, 0.1, max(images.shape[1:3]))
    low, high = check_weight("low", low), check_weight("high", high)
    if not 0 < low <= high <= 1:
        raise ValueError(
            f"`low` and `high` must be 0 < low <= high <= 1. Received: low={low}, high={high}"
        )
    out = np.empty_like(images)
    step = max(1, _CHUNK // images[0].size)
    for start in range(0, len(images), step):
        part = slice(start, start + step)
        edges = _edges(images[part].astype(np.float32), sigma, 255 * low, 255 * high)
        out[part] = np.where(edges, 0, 255)[..., None]
    return out


def edges_and_images(images, edges=None, **options):
    """Mixes images with their edge maps into one data set.

    The paper mixes photographs of shoes with their edges, and finds a latent component that turns
    one into the other.

    Args:
        images: array (n, h, w, c) or (n, h, w): uint8, or floats in [0, 1], as `load_images` gives.
        edges: their edge maps, of the same shape; by default, those that `edge_maps` draws.
        **options: passed on to `edge_maps`.

    Returns:
        `(images, labels)`: uint8 (2n, h, w, c), all edge maps and then all images, in the same
        order; and int64 (2n,), 0 for an edge map and 1 for an image.

    Raises:
        ValueError: if `images` or `edges` are not images or differ in shape, or an option is out
            of range.

    Example:

    >>> images, labels = kd.datasets.load_images("fashion_mnist", data_dir="data")
    >>> footwear = images[np.isin(labels, (5, 7, 9))]  # sandals, sneakers, ankle boots
    >>> mixed, is_image = kd.datasets.edges_and_images(footwear)
    >>> batches = kd.datasets.image_batches(mixed, batch_size=8, seed=0)
    >>> edges, shoes = kd.datasets.load_paired_images("edges2shoes/train", (128, 128, 3))
    >>> mixed, is_image = kd.datasets.edges_and_images(shoes, edges)

    Reference: Peebles et al., The Hessian Penalty, ECCV 2020, section 4.1.
    """
    images = as_uint8_images(images, "images")
    if edges is None:
        edges = edge_maps(images, **options)
    elif options:
        raise ValueError(f"`edges` must be None to draw them with {options}. Received: an array")
    edges = as_uint8_images(edges, "edges")
    if edges.shape != images.shape:
        raise ValueError(
            f"`edges` must have the shape of `images`, {images.shape}. "
            f"Received: shape={edges.shape}"
        )
    return np.concatenate([edges, images]), np.repeat(np.arange(2), len(images))


def load_paired_images(folder, image_shape=None, skip_damaged=False):
    """Loads a folder of pictures that each hold two images side by side, as edges2shoes does.

    Args:
        folder: path of a folder with the pictures, of any usual image format and an even width;
            read in the order of their names, without those in subfolders.
        image_shape: (height, width, channels) of each half, channels 1 or 3. Each half is cropped
            around its own centre and resized, as in `load_images`. By default they are unchanged.
        skip_damaged: whether pictures that cannot be read are left out, as in `load_images`.

    Returns:
        `(left, right)`: two arrays, uint8 (n, h, w, c); in edges2shoes, edge maps and photographs.
        Orientation, transparency, deep colours and animations are treated as in `load_images`.

    Raises:
        ValueError: if there are no pictures, one is damaged or has an odd width (the error names
            it), or they differ in size and `image_shape` is not given.
        FileNotFoundError: if there is no such folder.

    Example:

    >>> edges, shoes = kd.datasets.load_paired_images("edges2shoes/train", (128, 128, 3))
    """
    if image_shape is not None:
        image_shape = check_image_shape(image_shape)
    check_flag("skip_damaged", skip_damaged)
    folder = as_path("folder", folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"`folder`: there is no folder {folder}")
    given = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files = [path for path in given if path.suffix.lower() in _pictures.SUFFIXES]
    others = [path.name for path in given if path.suffix.lower() not in _pictures.SUFFIXES]
    check_kinds(folder, len(files), others, stacklevel=3)

    def pair(path):
        picture, is_animated = _pictures.decode(read_file(path))
        return _halves(picture, image_shape), is_animated

    members = {path.name: path for path in files}
    options = {"stacklevel": 3, "kind": "pair of images"}
    found, _ = read_pictures(folder, members, pair, skip_damaged, **options)
    return tuple(
        as_uint8_images(found[:, side], f"{folder}: {name}")
        for side, name in enumerate(("left", "right"))
    )


def _halves(picture, image_shape):
    """The two halves of a picture, uint8 (2, h, w, c)."""
    if picture.width % 2:
        raise ValueError(f"its width, {picture.width}, is odd")
    height, width, channels = _pictures.shape_of(picture)
    boxes = [(left, 0, left + width // 2, height) for left in (0, width // 2)]
    shape = image_shape or (height, width // 2, channels)
    return np.stack([fit_picture(picture.crop(box), shape) for box in boxes])


def _edges(images, sigma, low, high):
    """Where images (n, h, w, c), float32 in 0…255, have edges: bool (n, h, w)."""
    down, right = (
        ndimage.gaussian_filter(images, (0, sigma, sigma, 0), order, mode="nearest")
        for order in ((0, 1, 0, 0), (0, 0, 1, 0))
    )
    size = np.hypot(down, right)
    strongest = size.argmax(axis=-1, keepdims=True)
    down, right, size = (
        np.take_along_axis(array, strongest, axis=-1)[..., 0] for array in (down, right, size)
    )
    size /= _step_response(sigma)
    ridge = (size >= low) & _is_ridge(size, down, right)
    lines, _ = ndimage.label(ridge, _NEIGHBOURS)
    strong = np.zeros(lines.max() + 1, bool)
    strong[lines[ridge & (size >= high)]] = True
    return strong[lines]


def _step_response(sigma):
    """The largest gradient of a straight step from 0 to 1 after the same blur."""
    step = np.repeat([0.0, 1.0], int(4 * sigma) + 2)  # SciPy cuts its Gaussian at 4 sigma
    return ndimage.gaussian_filter1d(step, sigma, order=1, mode="nearest").max()


def _is_ridge(size, down, right):
    """Where the gradient is larger than before, and not smaller than after, across the edge."""
    steep, flat = (np.abs(a) * np.tan(np.pi / 8) for a in (right, down))
    padded = np.pad(size, ((0, 0), (1, 1), (1, 1)))
    height, width = size.shape[1:]

    def at(row, column):
        return padded[:, 1 + row : 1 + row + height, 1 + column : 1 + column + width]

    falling = (down > 0) == (right > 0)
    directions = (
        (np.abs(down) <= steep, (0, 1)),
        (np.abs(right) <= flat, (1, 0)),
        (falling, (1, 1)),
        (~falling, (1, -1)),
    )
    before = np.select([mask for mask, _ in directions], [at(-r, -c) for _, (r, c) in directions])
    after = np.select([mask for mask, _ in directions], [at(r, c) for _, (r, c) in directions])
    return (size > before) & (size >= after)
