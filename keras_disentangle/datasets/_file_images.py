"""Images in files as if they were an array: each is decoded when it is accessed."""

import os
import warnings

import numpy as np

from keras_disentangle.datasets._image_arrays import check_image_shape
from keras_disentangle.datasets._image_records import RecordImages
from keras_disentangle.datasets._image_sources import decoded, open_images
from keras_disentangle.datasets.stream_images import stream_images

_SHARE = 0.5  # of the machine's memory that the images of a training run may take


class FileImages:
    """The images of a folder, zip or files of records.

    Indexed with a slice or an array of indices (n,), it gives uint8 (n, h, w, c). What is damaged,
    if it is left out, is replaced by another of them.

    Attributes:
        shape: (number of images, h, w, c).
        image_shape: (h, w, c).

    Args:
        name_or_path, image_shape, split, data_dir, skip_damaged: as `stream_images` takes them.
    """

    def __init__(self, name_or_path, image_shape, split="train", data_dir=None, skip_damaged=False):
        self._made_of = {"name_or_path": name_or_path, "split": split, "data_dir": data_dir}
        self._made_of["skip_damaged"] = skip_damaged
        self.image_shape = check_image_shape(image_shape)
        self._source = open_images(name_or_path, split, data_dir)
        self.shape = (len(self._source), *self.image_shape)

    def __len__(self):
        return len(self._source)

    def __getitem__(self, index):
        index = np.arange(len(self))[index]
        skip = self._made_of["skip_damaged"]
        images, _, damaged = decoded(self._source, index, self.image_shape, skip)
        for text in damaged:
            warnings.warn(f"Left out: {text}", stacklevel=2)
        return images

    @property
    def fit_in_memory(self):
        """Whether `load_images` can read them all at once."""
        if isinstance(self._source, RecordImages):
            return False
        return int(np.prod(self.shape)) <= _SHARE * _memory()

    def stream(self, batch_size, seed, steps_per_epoch=None):
        """The batches of `stream_images`."""
        settings = {**self._made_of, "steps_per_epoch": steps_per_epoch}
        return stream_images(
            **settings, image_shape=self.image_shape, batch_size=batch_size, seed=seed
        )


def _memory():
    """The bytes of the machine's memory."""
    if not hasattr(os, "sysconf"):
        return float("inf")
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
