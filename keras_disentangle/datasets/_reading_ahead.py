"""Batches of images that are decoded ahead of their use, in threads or processes of Grain."""

import contextlib
import copy
import os
import threading

from keras_disentangle.datasets._image_sources import decoded
from keras_disentangle.datasets.image_batches import pass_order

_MOST_BATCHES = 16  # read ahead,
_MOST_BYTES = 2**26  # together of this size at most, but for two
_ENDLESS = 2**48  # batches, more than are ever drawn
_MOST_THREADS = 8
# Bytes of an image from which a further thread decodes faster: below that, Python's lock, which one
# thread at a time can hold, takes as long as the decoding beside it.
_BYTES_OF_A_THREAD = 1500


class BatchReader:
    """A sequence of batches, each read when it is asked for; Grain reads it ahead.

    Item `k` is batch `k` of the infinite sequence of passes: uint8 images (n, h, w, c), labels
    int64 (n,), or (0,) without, and a list of texts about images that were damaged.

    Args:
        source: as from `open_images`.
        image_shape, batch_size, seed: as in `stream_images`.
        labelled: whether to give labels.
        skip_damaged: whether the place of a damaged image is taken by another of its batch.
    """

    def __init__(self, source, image_shape, batch_size, seed, labelled, skip_damaged):
        self.source = source
        self._image_shape, self._batch_size, self._seed = image_shape, batch_size, seed
        self._labelled, self._skip_damaged = labelled, skip_damaged
        self._rows = slice(None)
        self._orders = {}

    def __len__(self):
        return _ENDLESS

    def __getitem__(self, k):
        index = self.index(int(k))[self._rows]
        return decoded(
            self.source, index, self._image_shape, self._skip_damaged, labelled=self._labelled
        )

    def of_rows(self, rows):
        """The same of which an item is some of the rows of a batch, a `slice`."""
        found = copy.copy(self)
        found._rows = rows
        return found

    def bytes_of_an_image(self, k):
        """The mean of some images of batch `k`, or 0 if none can be read."""
        sizes = []
        for i in self.index(k)[:8]:
            with contextlib.suppress(Exception):  # What is wrong is said when its batch is read.
                sizes.append(len(self.source.read(int(i))[0]))
        return sum(sizes) // max(1, len(sizes))

    def index(self, k):
        """The indices of the images of a batch, int64 (batch_size,)."""
        number, batch = divmod(k, len(self.source) // self._batch_size)
        order = self._orders.get(number)
        if order is None:
            order = pass_order(self._seed, number, len(self.source))
            # Two passes, because threads may have reached the next one.
            self._orders = dict([*self._orders.items(), (number, order)][-2:])
        start = batch * self._batch_size
        return order[start : start + self._batch_size]


class ReadingAhead:
    """The batches of a `BatchReader` from one on, in their order.

    Args:
        reader: the `BatchReader`.
        first: number of the first batch.
        num_workers: number of processes; 0 for threads of this one.
        size: bytes of a batch.
    """

    def __init__(self, reader, first, num_workers, size):
        import grain

        buffered = max(2, min(_MOST_BATCHES, _MOST_BYTES // size))
        threads = 1
        if num_workers == 0:
            useful = max(1, reader.bytes_of_an_image(first) // _BYTES_OF_A_THREAD)
            threads = min(useful, buffered, os.cpu_count(), _MOST_THREADS)
            reader = _InThreads(reader, threads)
        self._reader = reader
        batches = grain.MapDataset.source(reader)[first:].to_iter_dataset(
            grain.ReadOptions(num_threads=threads, prefetch_buffer_size=buffered)
        )
        if num_workers:
            from absl import flags  # of which Grain reads some before it starts a process

            if not flags.FLAGS.is_parsed():
                flags.FLAGS.mark_as_parsed()
            each = max(1, buffered // num_workers)
            batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers, each))
        self._batches, self._next, self._lock = iter(batches), first, threading.Lock()

    def take(self, k):
        """Batch `k`, or `None` if another one is next."""
        with self._lock:
            if k != self._next:
                return None
            found = next(self._batches)
            self._next += 1
            return found

    def close(self):
        """Ends the threads or processes, and waits for them."""
        self._batches.close()
        if isinstance(self._reader, _InThreads):
            self._reader.close()

    def __del__(self):
        if hasattr(self, "_batches"):
            self._batches.close()  # Without waiting: this may be one of the threads.


class _InThreads:
    """A `BatchReader` of which several threads read, for Grain does not wait for their end."""

    def __init__(self, reader, threads):
        self._reader, self._threads = reader, threads
        self._free = threading.Semaphore(threads)

    def __len__(self):
        return len(self._reader)

    def __getitem__(self, k):
        with self._free:
            return self._reader[k]

    def close(self):
        for _ in range(self._threads):
            self._free.acquire()
        self._reader = ()  # A thread that comes now opens no file.
        self._free.release(self._threads)
