"""Images that lie on the device, of which each training step takes some rows."""

import contextlib
import weakref
from typing import Any, NamedTuple

import keras

from keras_disentangle.trainers._backend import backend


class Rows(NamedTuple):
    """The `x` of a batch of images on the device: their indices, int32 (n,), or (n, 2) of pairs."""

    index: Any


class HeldImages:
    """Images on the device of a model that is being trained.

    Args:
        model: the model.
        images: uint8 array (num_images, h, w, c).
    """

    def __init__(self, model, images):
        self._images = backend.hold(model, images)

    def __getitem__(self, index):
        """The images with these indices, float32 in [0, 1]."""
        return backend.take_rows(self._images, index)


class RowBatches(keras.utils.PyDataset):
    """The batches of an `ImageBatches`, with `Rows` in place of images."""

    def __init__(self, batches):
        super().__init__()
        self._batches = batches

    def __len__(self):
        return len(self._batches)

    def __getitem__(self, i):
        index, *labels = self._batches.rows(i)
        return Rows(index.astype("int32")), *labels

    def on_epoch_begin(self):
        self._batches.on_epoch_begin()

    def on_epoch_end(self):
        self._batches.on_epoch_end()


@contextlib.contextmanager
def holding(model, arguments):
    """A context of `fit`: gives its arguments, in which batches of images on the device are rows.

    Raises:
        ValueError: if the images do not fit into the device's memory.
    """
    batches = arguments.get("x")
    if not getattr(batches, "is_on_device", False):
        yield arguments
        return
    where = keras.distribution.distribution(), getattr(model, "distribute_strategy", None)
    if batches.device_copy is None or batches.device_copy[0] != where:
        batches.device_copy = None
        _check_memory(batches.num_bytes, backend.free_memory(model))
        batches.device_copy = where, HeldImages(model, batches.all_images())
    held = batches.device_copy[1]
    if keras.backend.backend() == "tensorflow" and model.held_before() is not held:
        model.train_function = None  # A compiled step uses the images that it was compiled with.
    model.held, model.held_before = held, weakref.ref(held)
    try:
        yield {**arguments, "x": RowBatches(batches)}
    finally:
        model.held = None


def _check_memory(needed, free):
    if free is None:
        free = system_memory()
    if free is not None and needed > free:
        raise ValueError(
            "`x` must fit into the memory of the device, or come from the host, without "
            f"`on_device()`. Received: images of {needed / 1e9:.3g} GB, with {free / 1e9:.3g} GB "
            "free"
        )


def system_memory():
    """The bytes of the machine's memory that are free for new data; `None` if it is not known."""
    try:
        with open("/proc/meminfo") as file:
            numbers = dict(line.split(":") for line in file)
        return 1024 * int(numbers["MemAvailable"].split()[0])
    except (OSError, KeyError):
        return None
