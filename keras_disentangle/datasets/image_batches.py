"""Batches of images in a reproducible order, for runs that resume."""

import random

import keras
import numpy as np

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle._progress import progress
from keras_disentangle._tensors import to_numpy
from keras_disentangle.datasets._image_arrays import as_uint8_images

_MOST_STEPS = 2**24  # Keras shuffles their indices
_ROWS = 1024  # images made at once for the device


class ImageBatches(keras.utils.PyDataset):
    """Shuffled batches of float32 images in [0, 1], each a tuple as `Model.fit` takes it.

    It is `(x,)`, or `(x, y)` with labels.

    A pass consists of all full batches of a seeded permutation of the images; batch `i` of an epoch
    is batch `epoch * len(self) + i` of the infinite sequence of passes. So it depends on
    `(seed, epoch, i)` alone, and a run that resumes gets the batches that it would have had.

    `epoch` advances automatically at the end of an epoch, if all its batches were drawn. Set it to
    resume (`batches.epoch = 7` before `fit(initial_epoch=7)`). Set the number of steps here, not in
    `fit`, whose epochs would then not coincide with these. `fit` requests the batches of an epoch
    in an order drawn from Python's global generator, unless `shuffle=False`; during an epoch that
    generator is seeded with (seed, epoch), and its state is restored afterwards.

    Args:
        images: function from an int64 array of indices (n,) to uint8 images (n, h, w, c).
        num_images: number of images.
        batch_size: images in a batch.
        seed: integer >= 0.
        steps_per_epoch: batches in an epoch; by default, all full batches of one pass.
        labels: `None`, or an array of the labels of all images, (num_images, ...).

    Raises:
        ValueError: if a number is not positive, a batch is larger than the data, or the labels are
            not as many as the images.
    """

    def __init__(self, images, num_images, batch_size, seed, steps_per_epoch=None, labels=None):
        super().__init__()
        self.batch_size = check_int("batch_size", batch_size)
        self.seed = check_seed("seed", seed, optional=False)
        if self.batch_size > num_images:
            raise ValueError(
                f"`batch_size` must be at most the number of images, {num_images}. "
                f"Received: batch_size={batch_size}"
            )
        if labels is not None:
            labels = to_numpy("labels", labels)
            if labels.shape[:1] != (num_images,):
                raise ValueError(
                    f"`labels` must hold a label for each of the {num_images} images. "
                    f"Received: labels.shape={labels.shape}"
                )
        self._images, self._labels = images, labels
        self._all = images, num_images  # Subclasses may draw from more images than a pass has.
        self._is_on_device, self.device_copy = False, None
        self._num_images = num_images
        self._batches_per_pass = num_images // self.batch_size
        self._steps = (
            self._batches_per_pass
            if steps_per_epoch is None
            else check_int("steps_per_epoch", steps_per_epoch, maximum=_MOST_STEPS)
        )
        self._permutation = (None, None)
        self._drawn = set()
        self._global_state = None
        self.epoch = 0

    def __len__(self):
        return self._steps

    def __getitem__(self, i):
        return self._batch(self._draw(i))

    def _draw(self, i):
        """The number of batch `i` of this epoch in the infinite sequence of passes."""
        if not 0 <= i < self._steps:
            raise IndexError(f"batch {i} of an epoch of {self._steps}")
        self._drawn.add(i)
        return self.epoch * self._steps + i

    @property
    def _is_in_epoch(self):
        return self._global_state is not None

    def _batch(self, k):
        """Batch `k` of the infinite sequence of passes."""
        index = self._index(k)
        images = _checked(self._images(index))
        return (np.divide(images, 255, dtype=np.float32), *self._labels_of(index))

    def _index(self, k):
        number, batch = divmod(k, self._batches_per_pass)
        start = batch * self.batch_size
        return self._pass_order(number)[start : start + self.batch_size]

    def _labels_of(self, index):
        return () if self._labels is None else (self._labels[index],)

    # On the device

    def on_device(self):
        """Has `fit` of this library's models hold all images on the device; returns the batches.

        They are put there once, as uint8, when training begins (images of a data set are rendered,
        or read, before), and stay as long as these batches exist. A training step then takes its
        rows, in the same order and with the same numbers as from the host, and only indices and
        labels are sent. They take `num_bytes` of the device's memory, on each of several devices.
        Other models, `evaluate` and `predict` get the batches from the host.
        """
        self._is_on_device = True
        return self

    @property
    def is_on_device(self):
        return self._is_on_device

    @property
    def num_bytes(self):
        """The size of all images as uint8, in bytes."""
        images, n = self._all
        return n * _checked(images(np.zeros(1, np.int64))).nbytes

    def all_images(self):
        """All images, uint8 (num_images, h, w, c), of which `rows` gives indices."""
        images, n = self._all
        array = getattr(images, "__self__", None)
        if isinstance(array, np.ndarray):
            return array  # Indexing it would copy it.
        found = None
        for start in progress(range(0, n, _ROWS), "batches of images"):
            part = _checked(images(np.arange(start, min(start + _ROWS, n))))
            found = np.empty((n, *part.shape[1:]), np.uint8) if found is None else found
            found[start : start + _ROWS] = part
        return found

    def rows(self, i):
        """Batch `i` as a tuple of the indices of its images, and the labels if there are any."""
        index = self._index(self._draw(i))
        return (index, *self._labels_of(index))

    def on_epoch_begin(self):
        self._global_state = random.getstate()
        random.seed(f"{self.seed} {self.epoch}")

    def on_epoch_end(self):
        # Keras also ends an epoch that never began, and one of a single batch to build a model.
        if not self._is_in_epoch:
            return
        random.setstate(self._global_state)
        self._global_state = None
        if len(self._drawn) == self._steps:
            self.epoch += 1
            self._drawn.clear()

    def _pass_order(self, number):
        # One tuple, assigned atomically, because worker threads may call this concurrently.
        cached, order = self._permutation
        if cached != number:
            order = pass_order(self.seed, number, self._num_images)
            self._permutation = (number, order)
        return order


def _checked(images):
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            "`images` must return uint8 images (n, h, w, c), in 0…255. "
            f"Received: shape={images.shape}, dtype={images.dtype}"
        )
    return images


def pass_order(seed, number, num_images):
    """The indices of all images in the order of pass `number`, int64 (num_images,)."""
    return np.random.default_rng((seed, number)).permutation(num_images)


def image_batches(images, batch_size, seed, steps_per_epoch=None, labels=None):
    """Shuffled batches of float32 images in [0, 1], for `Model.fit`.

    Args:
        images: array (n, h, w, c) or (n, h, w): uint8, or floats in [0, 1], as `load_images` gives.
            Images of a memory map or an h5py data set are read when they are accessed.
        batch_size: images in a batch.
        seed: integer >= 0; with the epoch and the step it determines the images in a batch.
        steps_per_epoch: batches in an epoch; the next epoch continues the pass through the data. By
            default, all full batches of one pass.
        labels: `None`, or the labels of all images, (n,) or (n, k), for a conditional model.

    Returns:
        A `keras.utils.PyDataset` of tuples `(x,)`, `x` of shape (batch_size, h, w, c), or `(x, y)`
        with labels. Its `epoch` can be set to resume; `image_batches(...).on_device()` has `fit`
        hold the images on the device.

    Raises:
        ValueError: if `images` are not images, a number does not fit them, or the labels are not
            as many.

    Example:

    >>> images, _ = kd.datasets.load_images("mnist", data_dir="data")
    >>> model.fit(kd.datasets.image_batches(images, batch_size=32, seed=0), epochs=10)
    """
    if hasattr(images, "stream"):
        return images.stream(batch_size, seed, steps_per_epoch)
    images = as_uint8_images(images, "images", stay_in_file=True)
    return ImageBatches(images.__getitem__, len(images), batch_size, seed, steps_per_epoch, labels)
