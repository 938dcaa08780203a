"""Checks of the images given to models: their shape and range, before they are used."""

import inspect
import itertools
import random
import warnings
from collections import namedtuple

import keras
import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._image_format import TOLERANCE
from keras_disentangle._keras_graph import is_multi_process
from keras_disentangle._tensors import to_numpy
from keras_disentangle.trainers.array_batches import size_of_batches, split_at

# `data` to pass on to Keras, the known sizes of batches, the number of parts of a batch (images,
# with labels, with weights), how many images `validation_split` holds out, and a list of pairs:
# the labels that came with images that were looked at, and the number of these images.
ImageData = namedtuple("ImageData", "data sizes parts held_out labels")

_CHUNK = 2**23  # bytes that are checked together


def check_images(
    name,
    data,
    image_shape,
    bounded,
    batch_size=None,
    steps=None,
    split=None,
    labelled=False,
    may_be_constant=False,
):
    """Raises a ValueError unless `data` is images: all of an array, else the first batch.

    Args:
        name: the argument's name.
        data: the data given to `fit`. The first batch of a generator, which is checked, is not
            lost: the result's `data` starts with it again.
        image_shape: (h, w, c).
        bounded: the reason why images must lie in [0, 1], `None` if they need not, or `False` if
            not even large numbers are unlikely.
        batch_size: as given to `fit`.
        steps: as `steps_per_epoch` of `fit`.
        split: `validation_split` as given to `fit`; `sizes` are then those of the training batches.
        labelled: whether arrays may be given as (images, labels), as in `validation_data`.
        may_be_constant: whether all pixels of an array may be equal, which is refused in training.

    Returns:
        An `ImageData`.
    """
    if batch_size is not None:
        batch_size = check_int("batch_size", batch_size)
    x, parts = data, 1
    if isinstance(data, (tuple, list)) and data and (labelled or len(data) == 1):
        # (images, labels, weights), or a list of one input.
        x, parts = data[0], len(data)
        data = x if parts == 1 else tuple(data)
    if hasattr(x, "shape"):
        low, high = _checked(name, x, image_shape, bounded)
        if len(x) > 1 and low == high and not may_be_constant:
            raise ValueError(f"`{name}` must not be constant. Received: {low} in every pixel")
        n = split_at(len(x), split) if split else len(x)
        sizes = batch_sizes(n, batch_size, steps)
        check_devices(sizes)
        labels = [(data[1], len(x))] if parts > 1 else []
        return ImageData(data, sizes, parts, len(x) - n, labels)

    if split:
        raise ValueError(
            "`validation_split` must be left out for images in batches: give those to validate on "
            f"as `validation_data`. Received: validation_split={split!r}, and `{name}` of the type "
            f"{type(data).__name__}"
        )
    data, batches = _first_batches(name, data)
    sizes, labels = set(), []
    for i, batch in enumerate(batches):
        parts = len(batch) if isinstance(batch, (tuple, list)) else 1
        x = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
        if not hasattr(x, "shape"):
            advice = "; map its values (images, labels) to a tuple" * isinstance(x, dict)
            raise ValueError(
                f"`{name}` must hold arrays of images. Received: batches of {type(x).__name__}"
                f"{advice}"
            )
        if i == 0:
            _checked(name, x, image_shape, bounded)
        sizes.add(len(x))
        if parts > 1:
            labels.append((batch[1], len(x)))
    check_devices(sizes)
    return ImageData(data, sizes, parts, 0, labels)


def batch_sizes(n, batch_size=None, steps=None):
    """The sizes of the batches that `n` images are cut into: a set."""
    size = size_of_batches(n, batch_size, steps)
    return {min(size, n), n % size or size}


def check_image_batch(name, x, image_shape, bounded):
    """Raises a ValueError unless `x` is a batch of images; values are checked if they are known.

    While a function is traced, a tensor has no values yet.
    """
    shape = getattr(x, "shape", None)
    if shape is None or len(shape) != len(image_shape) + 1 or tuple(shape[1:]) != image_shape:
        received = type(x).__name__ if shape is None else f"{name}.shape={tuple(shape)}"
        raise ValueError(
            f"`{name}` must have the shape {('n', *image_shape)}{_of_pairs(x, image_shape)}. "
            f"Received: {received}"
        )
    if not shape[0]:
        if shape[0] == 0:
            raise ValueError(f"`{name}` must hold at least one image. Received: an empty array")
        return
    if isinstance(x, np.ndarray):
        low, high = np.min(to_numpy(name, x)), np.max(x)
    else:
        # Two numbers leave the device, not the images.
        values = keras.ops.cast(x, "float32")
        extremes = keras.ops.stack([keras.ops.min(values), keras.ops.max(values)])
        try:
            low, high = to_numpy(name, extremes)
        except ValueError:
            return
    _check_range(name, low, high, bounded)


def check_devices(sizes):
    """Raises a ValueError if batches of these sizes cannot be divided evenly among devices."""
    distribution = keras.distribution.distribution()
    if not isinstance(distribution, keras.distribution.DataParallel):
        return
    devices = int(np.prod(distribution.device_mesh.shape))
    uneven = [size for size in sorted(sizes) if size % devices]
    if uneven and not is_multi_process(distribution):
        raise ValueError(
            f"Every batch must be divided evenly among the {devices} devices, also the last of "
            "an epoch: leave out the images that are left over, or choose another `batch_size`. "
            f"Received: a batch of {uneven[0]}"
        )


def warn_of_labels(model, data, y):
    """Warns, once for each model, if it does not use the labels given with the images."""
    if model.labels is not None:
        return
    if (y is None and data.parts < 2) or getattr(model, "_warned_of_labels", False):
        return
    model._warned_of_labels = True
    warnings.warn(
        f"{type(model).__name__} makes no use of labels: it trains on the images alone, and the "
        "labels given with them are ignored.",
        stacklevel=3,
    )


def _first_batches(name, data):
    """The data, and the batches of them that can be checked: the first, and the last if known."""
    if isinstance(data, keras.utils.PyDataset):
        length = data.num_batches
        if length == 0:
            raise ValueError(f"`{name}` must hold at least one batch. Received: an empty data set")
        # The check must not advance the random generators that the training batches will use.
        states = random.getstate(), np.random.get_state()
        try:
            return data, [data[i] for i in ({0, length - 1} if length else {0})]
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
    if isinstance(data, (str, bytes, dict)) or not hasattr(data, "__iter__"):
        raise ValueError(
            f"`{name}` must be an array of images, or a data set or generator of batches. "
            f"Received: {data if data is None else f'a {type(data).__name__}'}"
        )
    if isinstance(data, (tuple, list)):
        raise ValueError(
            f"`{name}` must be one array of images (`numpy.stack` makes one of a list; labels and "
            "weights have arguments of their own, `y` and `sample_weight`). Received: a "
            f"{type(data).__name__} of {len(data)}"
        )
    batches = iter(data)
    first = next(batches, None)
    if first is None:
        raise ValueError(f"`{name}` must hold at least one batch. Received: an empty data set")
    return (_again(first, batches) if inspect.isgenerator(data) else data), [first]


def _again(first, rest):
    """All batches of a generator as tuples, which Keras asks for."""
    for batch in itertools.chain([first], rest):
        yield tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)


def _checked(name, x, image_shape, bounded):
    """Minimum and maximum of images; raises a ValueError unless shape and range are right."""
    if tuple(x.shape[1:]) != tuple(image_shape) or not x.shape or x.shape[0] == 0:
        raise ValueError(
            f"`{name}` must hold images of the shape {('n', *image_shape)}, n > 0"
            f"{_of_pairs(x, image_shape)}. Received: {name}.shape={tuple(x.shape)}"
        )
    # Part by part: images in a file or on a device need not fit into memory as a whole.
    rows = max(1, _CHUNK // (8 * int(np.prod(image_shape))))
    low, high = np.inf, -np.inf
    for start in range(0, len(x), rows):
        part = to_numpy(name, x[start : start + rows])
        # The minimum is NaN if one of the numbers is.
        low, high = np.minimum(low, np.min(part)), np.maximum(high, np.max(part))
    _check_range(name, low, high, bounded)
    if bounded is None and high > 15:
        warnings.warn(
            f"`{name}` holds values up to {high:g}. Images should lie in [0, 1]: divide "
            "uint8 images by 255.",
            stacklevel=5,
        )
    return low, high


def _of_pairs(x, image_shape):
    """Advice where images were given in place of pairs, or pairs in place of images."""
    shape = tuple(getattr(x, "shape", ()))[1:]
    if len(image_shape) == 4 and shape == tuple(image_shape[1:]):
        return ": pairs of images, as `data.pairs(...)` gives them"
    if len(shape) == 4 and shape[1:] == tuple(image_shape):
        return ": single images (pairs of them are for `fit` of `AdaGVAE` and the like)"
    return ""


def _check_range(name, low, high, bounded):
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"`{name}` must hold finite numbers. Received: NaN or infinity")
    if bounded and (low < -TOLERANCE or high > 1 + TOLERANCE):
        raise ValueError(
            f"`{name}` must lie in [0, 1] {bounded} (divide uint8 images by 255). "
            f"Received: values in [{low:g}, {high:g}]"
        )
