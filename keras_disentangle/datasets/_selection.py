"""Checks of image indices, random draws of them, names and paths."""

import pathlib

import numpy as np

from keras_disentangle._arguments import check_int, check_seed, listed
from keras_disentangle._tensors import to_numpy

MOST_ROWS = 2**27  # drawn at once: 1 GiB of numbers


def check_index(index, count):
    """`index` as int64 (n,), indices of `count` images; negative indices are refused.

    Raises:
        ValueError: if they are not integers of this shape, or one is out of range.
    """
    index = to_numpy("index", index)
    if index.ndim != 1 or (index.dtype.kind not in "iu" and index.size):
        raise ValueError(
            "`index` must be integers of shape (n,). "
            f"Received: shape={index.shape}, dtype={index.dtype}"
        )
    if index.size and not (index.min() >= 0 and index.max() < count):
        raise ValueError(
            f"`index` must lie in 0…{count - 1}. "
            f"Received: values from {index.min()} to {index.max()}"
        )
    return index.astype(np.int64, copy=False)


def as_generator(rng):
    """`rng`, a `numpy.random.Generator`, a seed or `None`, as a generator.

    Raises:
        ValueError: if it is none of these.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.default_rng(check_seed("rng", rng))


def draw_index(n, count, rng):
    """min(n, count) distinct indices below `count`."""
    n = min(check_int("n", n, minimum=0, maximum=MOST_ROWS), count)
    return as_generator(rng).choice(count, n, replace=False)


def check_names(name, names):
    """Names as a tuple of different strings, or a ValueError."""
    try:
        found = () if isinstance(names, str) else tuple(map(_as_text, listed(names)))
    except TypeError:
        found = ()
    if not found or len(set(found)) < len(found):
        raise ValueError(f"`{name}` must be different strings. Received: {name}={names!r}")
    return found


def _as_text(name):
    if not isinstance(name, str):  # also np.str_, as in an array
        raise TypeError
    return str(name)


def as_path(name, path):
    """`path` as a `pathlib.Path` with "~" expanded.

    Raises:
        ValueError: if it is not a valid path.
    """
    try:
        found = pathlib.Path(path).expanduser()
        found.exists()
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise ValueError(f"`{name}` must be a path. Received: {name}={path!r} ({error})") from error
    return found
