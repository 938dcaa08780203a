"""Images in files as if they were an array: each is decoded when it is accessed."""

import os

import numpy as np

from keras_disentangle._files import short
from keras_disentangle.datasets import _pictures
from keras_disentangle.datasets._image_arrays import check_image_shape, fit_picture
from keras_disentangle.datasets._image_files import unreadable
from keras_disentangle.datasets._image_records import RecordImages
from keras_disentangle.datasets._image_sources import open_images
from keras_disentangle.datasets.stream_images import stream_images

_SHARE = 0.5  # of the machine's memory that the images of a training run may take


class FileImages:
    """The images of a folder, zip or files of records.

    Indexed with a slice or an array of indices (n,), it gives uint8 (n, h, w, c).

    Attributes:
        shape: (number of images, h, w, c).
        image_shape: (h, w, c).

    Args:
        name_or_path, image_shape, split, data_dir: as `stream_images` takes them.
    """

    def __init__(self, name_or_path, image_shape, split="train", data_dir=None):
        self._made_of = {"name_or_path": name_or_path, "split": split, "data_dir": data_dir}
        self.image_shape = check_image_shape(image_shape)
        self._source = open_images(name_or_path, split, data_dir)
        self.shape = (len(self._source), *self.image_shape)

    def __len__(self):
        return len(self._source)

    def __getitem__(self, index):
        index = np.arange(len(self))[index]
        found = np.empty((len(index), *self.image_shape), np.uint8)
        for row, i in enumerate(index):
            try:
                content, _ = self._source.read(int(i))
                found[row] = fit_picture(_pictures.decode(content)[0], self.image_shape)
            except Exception as error:  # Pillow and zipfile raise many kinds for a damaged file.
                raise ValueError(unreadable(self._source.name(int(i)), short(error))) from error
        return found

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
