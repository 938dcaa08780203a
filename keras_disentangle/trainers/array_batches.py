"""Arrays whose batches are cut when they are needed, so that none is copied or read whole."""

import math

import keras
import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import read_rows, to_numpy

# Size in bytes from which arrays in memory are cut here; Keras cuts smaller ones. On TensorFlow it
# copies an array twice, but needs 0.3 ms less CPU time for a batch, a fifth of a step of the
# smallest models.
LARGE = 2**26

# Arrays of these are left to Keras: tensors may lie on a device, tables have no rows to slice.
_KEPT_FOR_KERAS = {"jax", "jaxlib", "keras", "pandas", "scipy", "tensorflow", "torch"}


class ArrayBatches(keras.utils.PyDataset):
    """Batches of arrays, in memory or in a file, equal to those that `keras.Model.fit` makes.

    Every pass draws a new order from NumPy's global generator when an epoch begins. Keras must not
    shuffle the batches again.

    Attributes:
        arrays: (x,), (x, y) or (x, y, sample_weight).
        batch_size: rows of a batch; the last may be smaller.
        shuffle: as in `keras.Model.fit`.

    Args:
        arrays, batch_size, shuffle: as above.
        rows: the `range` of the rows to take, by default all.
        walks_on: whether an epoch may end before the pass over the rows; the next epoch then
            continues the pass.
    """

    def __init__(self, arrays, batch_size, shuffle=False, rows=None, walks_on=False):
        super().__init__()
        self.arrays = arrays
        self.batch_size = check_int("batch_size", batch_size)
        self.shuffle = shuffle
        self._rows = range(len(arrays[0])) if rows is None else rows
        self._walks_on = walks_on
        self._order = None
        self._is_at_end = True

    def __len__(self):
        return math.ceil(len(self._rows) / self.batch_size)

    def __getitem__(self, i):
        if not 0 <= i < len(self):
            raise IndexError(f"batch {i} of {len(self)}")
        self._is_at_end = i + 1 == len(self)
        index = self._rows[i * self.batch_size : (i + 1) * self.batch_size]
        if self._order is None:
            index = slice(index.start, index.stop)
        else:
            index = self._order[index.start : index.stop]
        return tuple(_batch(array, index) for array in self.arrays)

    def on_epoch_begin(self):
        is_amid = self._walks_on and self._order is not None and not self._is_at_end
        if not self.shuffle or is_amid:
            return
        order = np.arange(self._rows.stop)
        size = self.batch_size if self.shuffle == "batch" else len(order)
        for start in range(0, len(order), size):
            np.random.shuffle(order[start : start + size])
        self._order = order


def cut(x, y=None, sample_weight=None, batch_size=None, steps=None):
    """The arguments (x, y, sample_weight) of `keras.Model.evaluate`: (`ArrayBatches`, None, None)
    if the batches of `x` are to be cut here, otherwise unchanged."""
    y = _labels(x, y, sample_weight)
    arrays = _arrays(x, y, sample_weight)
    if arrays is None:
        return x, y, sample_weight
    size = size_of_batches(len(arrays[0]), batch_size, steps)
    return ArrayBatches(arrays, size), None, None


def cut_for_fit(arguments):
    """The arguments of `keras.Model.fit`, a dict, with `ArrayBatches` where `cut` makes them.

    If a callback must find its place in the data (`set_data`), arrays of any size are cut here.
    """
    found = dict(arguments)
    callbacks = keras.tree.flatten(found.get("callbacks"))
    is_followed = any(hasattr(callback, "set_data") for callback in callbacks)
    size, steps = found.get("batch_size"), found.get("steps_per_epoch")
    validation = {
        "batch_size": found.get("validation_batch_size") or size,
        "steps": found.get("validation_steps"),
    }
    split = found.get("validation_split")
    if found.get("validation_data") is not None:
        split = None
        parts = keras.utils.unpack_x_y_sample_weight(found["validation_data"])
        data, *rest = cut(*parts, **validation)
        if isinstance(data, ArrayBatches):
            found["validation_data"] = data
        elif len(parts) == 3 and parts[2] is not None:
            found["validation_data"] = (data, *rest)
    parts = [found.get(name) for name in ("x", "y", "sample_weight")]
    parts[1] = _labels(*parts)
    if parts[1] is not None:
        found["y"] = parts[1]
    arrays = _arrays(*parts, at_least=0 if is_followed else LARGE)
    if arrays is None:
        return found
    n = end = len(arrays[0])
    if split:
        end = split_at(n, split)
        held_out = size_of_batches(n - end, **validation)
        found["validation_data"] = ArrayBatches(arrays, held_out, rows=range(end, n))
    found["x"] = ArrayBatches(
        arrays,
        size_of_batches(end, size, steps),
        shuffle=found.get("shuffle", True),
        rows=range(end),
        walks_on=steps is not None,
    )
    for name in ("y", "sample_weight", "validation_split"):
        found.pop(name, None)
    return {**found, "shuffle": False}


def size_of_batches(n, batch_size=None, steps=None):
    """The size of the batches into which Keras cuts `n` rows."""
    return batch_size or (math.ceil(n / steps) if steps else 32)


def split_at(n, validation_split):
    """How many of `n` rows are left to train on; the last ones are held out.

    Raises:
        ValueError: if none are left, or none held out.
    """
    end = math.floor(n * (1.0 - validation_split))
    if not 0 < end < n:
        raise ValueError(
            "`validation_split` must be a fraction of the images that leaves some on both sides. "
            f"Received: validation_split={validation_split!r}, for {n} images"
        )
    return end


def _labels(x, y, sample_weight):
    """Labels; where there are none beside weights, zeros: without any, Keras drops the weights."""
    if y is not None or sample_weight is None:
        return y
    first = next(iter(keras.tree.flatten(x)), None)
    return np.zeros(len(first), "float32") if len(getattr(first, "shape", ())) else None


def _arrays(x, y, sample_weight, at_least=LARGE):
    """(x,), (x, y) or (x, y, sample_weight) if they are to be cut here, else `None`."""
    if not _is_sliceable(x):
        return None
    is_in_memory = isinstance(x, np.ndarray) and not isinstance(x, np.memmap)
    if is_in_memory and x.nbytes < at_least:
        return None
    rest = {"y": y, "sample_weight": sample_weight}
    rest = {name: part for name, part in rest.items() if part is not None}
    # Keras reports what is wrong with labels that are not arrays, or not as many as images.
    if any(tuple(getattr(part, "shape", ()))[:1] != (len(x),) for part in rest.values()):
        return None
    rest = {k: part if _is_sliceable(part) else to_numpy(k, part) for k, part in rest.items()}
    return (x, *rest.values())


def _is_sliceable(x):
    """Whether `x` is an array of numbers in memory, or something like one in a file."""
    is_array = isinstance(x, np.ndarray) or (
        hasattr(x, "__getitem__") and type(x).__module__.split(".")[0] not in _KEPT_FOR_KERAS
    )
    is_numeric = getattr(getattr(x, "dtype", None), "kind", "O") in "biuf"
    return is_array and is_numeric and len(getattr(x, "shape", ())) > 0


def _batch(array, index):
    """The rows `index` of an array, a `slice` or an array of indices, in the dtype of Keras."""
    # Always a copy: TensorFlow may overwrite the arrays that a data set gives it with its results.
    rows = np.array(array[index]) if isinstance(index, slice) else read_rows(array, index)
    return rows.astype(keras.config.floatx(), copy=False) if rows.dtype.kind == "f" else rows
