"""Batches of more images than memory holds, read while training."""

import threading
import warnings

import numpy as np

from keras_disentangle._arguments import check_flag, check_int, check_seed
from keras_disentangle._extras import install
from keras_disentangle.datasets._image_arrays import check_image_shape
from keras_disentangle.datasets._image_sources import open_images
from keras_disentangle.datasets._reading_ahead import BatchReader, ReadingAhead
from keras_disentangle.datasets.image_batches import ImageBatches
from keras_disentangle.datasets.load_images import check_split_name

_MOST_WORKERS = 256


class ImageStream(ImageBatches):
    """Shuffled batches of float32 images in [0, 1] that are read from files; see `stream_images`.

    The batches are those of `ImageBatches`: batch `i` of an epoch depends on `(seed, epoch, i)`
    alone. Batches that are drawn in their order within an epoch are read ahead, all others when
    they are drawn; the models of this library draw them in order.

    Attributes:
        is_read_in_order: True: `fit` of our models does not shuffle the batches, and closes the
            stream when it ends.
    """

    is_read_in_order = True

    def __init__(self, reader, image_shape, batch_size, seed, steps_per_epoch, shard, num_workers):
        super().__init__(None, len(reader.source), batch_size, seed, steps_per_epoch)
        self.image_shape = image_shape
        self.shard = shard
        self._reader, self._num_workers = reader, num_workers
        self._ahead, self._last = None, None
        self._unread, self._unread_next, self._sample = 0, 0, None
        self._warned, self._lock = set(), threading.RLock()

    @property
    def whole(self):
        """The stream of whole batches, of which this one may be the part of a process."""
        return self.part((0, 1))

    def part(self, shard):
        """The stream of a process's rows of every batch; `shard` as in `stream_images`."""
        index, count = shard = _checked_shard(shard, self.batch_size)
        rows = self.batch_size // count
        reader = self._reader.of_rows(slice(rows * index, rows * (index + 1)))
        size, workers = self.batch_size, self._num_workers
        return ImageStream(reader, self.image_shape, size, self.seed, self._steps, shard, workers)

    def on_device(self):
        """Raises a ValueError: a stream is for more images than a memory holds."""
        raise ValueError(
            "`images` must be an array, or a data set of this library, to be held on the device: "
            "`image_batches(load_images(...)[0], ...)` holds those of a folder. Received: a stream"
        )

    def skip_to(self, batch):
        """Lets the next epoch begin at a batch: those drawn before it are not read from files.

        In their place a batch is repeated, so that whoever resumes training can leave them out.

        Args:
            batch: the number of batches that are not read, an integer >= 0.

        Raises:
            ValueError: if it is not, or is as large as the epoch.
        """
        self._unread_next = check_int("batch", batch, 0, len(self) - 1)

    def close(self):
        """Ends reading ahead and closes files; drawing another batch opens them again."""
        if self._ahead is not None:
            self._ahead.close()
        self._ahead = self._last = None
        self._reader.source.close()

    def on_epoch_begin(self):
        super().on_epoch_begin()
        self._unread, self._unread_next, self._sample = self._unread_next, 0, None

    def _batch(self, k):
        if self._unread:
            self._unread -= 1
            if self._sample is None:
                self._sample = self._floats(self._reader[k])
            self._last = k
            return self._sample
        found = self._read(k)
        self._last = k
        return self._floats(found)

    def _read(self, k):
        """Batch `k` of the sequence, read ahead if batches are drawn in their order."""
        if not self._is_in_epoch:
            return self._reader[k]
        with self._lock:
            found = None if self._ahead is None else self._try(self._ahead.take, k)
            is_first = self._last is None and k == self.epoch * len(self)
            if found is None and (is_first or k - 1 == self._last):
                if self._ahead is not None:
                    self._ahead.close()
                size = self.batch_size // self.shard[1] * int(np.prod(self.image_shape))
                self._ahead = ReadingAhead(self._reader, k, self._num_workers, size)
                found = self._try(self._ahead.take, k)
        return self._reader[k] if found is None else found

    def _try(self, take, k):
        try:
            return take(k)
        except BaseException:
            self.close()  # What has failed once gives nothing more.
            raise

    def _floats(self, found):
        """The tuple that `Model.fit` takes; warns of each image that was left out."""
        images, labels, damaged = found
        for text in damaged:
            if text not in self._warned:
                self._warned.add(text)
                warnings.warn(f"Left out: {text}", stacklevel=2)
        images = np.divide(images, 255, dtype=np.float32)
        return (images, labels) if len(labels) else (images,)


def stream_images(
    name_or_path,
    image_shape,
    batch_size,
    seed,
    split="train",
    data_dir=None,
    steps_per_epoch=None,
    labels=False,
    shard=(0, 1),
    num_workers=0,
    skip_damaged=False,
):
    """Shuffled batches of images that are read while training, for more than memory holds.

    They are the batches of `image_batches(load_images(...)[0], ...)` in the order of their numbers:
    the same images, cropped and resized in the same way, in the same order for a seed. Grain
    decodes them ahead (the extra `stream`). Memory holds the names of the
    files and the batches read ahead, 64 MiB or two. `ExactBackup` saves the position and continues
    there, without reading again what was trained on.

    Args:
        name_or_path: a folder or zip of images, or a name, as `load_images` takes them; a file of
            records (`.tfrecord`, `.array_record`), a folder of these, such as one that TensorFlow
            Datasets prepared, or a list of them. Each record is an image file, or a
            `tf.train.Example` with the feature `image` or `image/encoded`.
        image_shape: (height, width, channels), channels 1 or 3: images are cropped around their
            centre to this aspect ratio, resized (Lanczos), and converted to grey or colour.
        batch_size: images in a batch, of all processes together.
        seed: integer >= 0; with the epoch and the step it determines the images in a batch.
        split: "train", "test" or another that the data have.
        data_dir: as in `load_images`.
        steps_per_epoch: batches in an epoch; the next epoch continues the pass through the data. By
            default, all full batches of one pass.
        labels: whether to give `(x, y)` with the numbers of the classes, int64 (n,), for a
            conditional model: those of folders, or the feature `label` of records.
        shard: (index, count) of this process among those that train together: each of them reads
            its part of the rows of every batch, which together are the batch of a single process.
        num_workers: number of processes that decode; by default threads of this one do. A process
            imports what the script imports.
        skip_damaged: whether an image that cannot be read is left out, with a warning that names
            it, and another of its batch repeated in its place. By default it is an error.

    Returns:
        A `keras.utils.PyDataset` of tuples `(x,)`, `x` of shape (batch_size / count, h, w, c), or
        `(x, y)`. Its `epoch` can be set to resume; `close()` ends its threads or processes.

    Raises:
        ValueError: if an argument is out of range, or the data hold no images, no such split, no
            labels, or fewer images than a batch. While training: if a file is damaged or has
            vanished (the error names it).
        FileNotFoundError: if the path does not exist, or the named data are not available.
        ImportError: if Grain is not installed.

    Example:

    >>> batches = kd.datasets.stream_images("photos.zip", (28, 28, 1), batch_size=32, seed=0)
    >>> model.fit(batches, epochs=10)
    """
    image_shape = check_image_shape(image_shape)
    batch_size = check_int("batch_size", batch_size)
    seed = check_seed("seed", seed, optional=False)
    labels = check_flag("labels", labels)
    skip_damaged = check_flag("skip_damaged", skip_damaged)
    num_workers = check_int("num_workers", num_workers, 0, _MOST_WORKERS)
    shard = _checked_shard(shard, batch_size)
    try:
        import grain  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"`stream_images` reads ahead by Grain, which is not installed: {install('stream')}"
        ) from error
    source = open_images(name_or_path, check_split_name(split), data_dir)
    if labels and not source.labelled:
        raise ValueError(
            "`labels` must be False for images without classes: they are those of folders, or the "
            f"feature `label` of records. Received: labels=True, for {source.name(0)}"
        )
    reader = BatchReader(source, image_shape, batch_size, seed, labels, skip_damaged)
    stream = ImageStream(
        reader, image_shape, batch_size, seed, steps_per_epoch, (0, 1), num_workers
    )
    return stream.part(shard)


def _checked_shard(shard, batch_size):
    try:
        index, count = shard
        count = check_int("shard[1]", count)
        index = check_int("shard[0]", index, 0, count - 1)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`shard` must be (index, count), 0 <= index < count. Received: shard={shard!r}"
        ) from error
    if batch_size % count:
        raise ValueError(
            f"`batch_size` must be divided evenly among the {count} processes of `shard`. "
            f"Received: batch_size={batch_size}"
        )
    return index, count
