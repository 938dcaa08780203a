"""Encoded images that are read one by one: of folders, zip files and files of records."""

import os
import threading
import zipfile

import numpy as np

from keras_disentangle._files import open_zip, short
from keras_disentangle.datasets import _pictures
from keras_disentangle.datasets._file_contents import files_below, read_file, read_zipped
from keras_disentangle.datasets._image_arrays import fit_picture
from keras_disentangle.datasets._image_files import SKIPPING, choose, unreadable
from keras_disentangle.datasets._image_records import RecordImages, is_records, of_split
from keras_disentangle.datasets._selection import as_path
from keras_disentangle.datasets._tensorflow_datasets import tfds_files
from keras_disentangle.datasets.load_images import located


def open_images(name_or_path, split, data_dir):
    """The images of a split: an object with `len`, `labelled`, `name`, `read` and `close`.

    Args:
        name_or_path: as `load_images` takes it, without arrays and npz files; also a file of
            records, a folder of these, or a list of them.
        split, data_dir: as `load_images` takes them.

    Raises:
        ValueError: if it is none of these, holds no images or is damaged.
        FileNotFoundError: if it does not exist.
    """
    if isinstance(name_or_path, (list, tuple)):
        paths = [as_path("name_or_path", path) for path in name_or_path]
        if not paths or not all(path.is_file() and is_records(path) for path in paths):
            raise ValueError(
                "`name_or_path` must be a name, a path, or a list of .tfrecord or .array_record "
                f"files that exist. Received: name_or_path={name_or_path!r}"
            )
        return RecordImages(of_split(map(str, paths), split, "these files"))
    path = located(name_or_path, data_dir)
    if path is None:
        return RecordImages(tfds_files(name_or_path, split, data_dir))
    if path.is_dir():
        names = files_below(path)
        records = [str(path / name) for name in names if "/" not in name and is_records(name)]
        if records:
            return RecordImages(of_split(records, split, path))
        return _FolderImages(path, *choose(path, names, split))
    if is_records(path):
        return RecordImages([str(path)])
    if path.suffix == ".zip":
        with open_zip(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
        return _ZipImages(path, *choose(path, names, split))
    raise ValueError(
        "`name_or_path` must be a folder or .zip of images, or .tfrecord or .array_record files; "
        f"`load_images` reads an .npz. Received: {path}"
    )


def decoded(source, index, image_shape, skip_damaged, labelled=False):
    """Reads and decodes some images of a source.

    Args:
        source: as from `open_images`.
        index: the numbers of the images, (n,).
        image_shape: (h, w, c).
        skip_damaged: whether the place of a damaged image is taken by another of them.
        labelled: whether to give labels.

    Returns:
        `(images, labels, damaged)`: uint8 (n, h, w, c); int64 (n,), or (0,) without labels; and a
        list of texts about images that are damaged.

    Raises:
        ValueError: if an image is damaged and not to be left out, or all are.
    """
    images = np.empty((len(index), *image_shape), np.uint8)
    labels = np.empty(len(index) if labelled else 0, np.int64)
    damaged = {}
    for row, i in enumerate(index):
        try:
            content, label = source.read(int(i))
            images[row] = fit_picture(_pictures.decode(content)[0], image_shape)
            if labelled:
                labels[row] = label
        except Exception as error:  # Pillow and zipfile raise many kinds for a damaged file.
            damaged[row] = unreadable(source.name(int(i)), short(error))
            if not skip_damaged:
                raise ValueError(f"{damaged[row]}. {SKIPPING}") from error
    if damaged:
        whole = [row for row in range(len(index)) if row not in damaged]
        if not whole:
            raise ValueError(
                f"A batch must hold an image that can be read. Received: {damaged[0]}, and so for "
                f"all {len(index)} images of one"
            )
        for number, row in enumerate(damaged):
            other = whole[number % len(whole)]
            images[row] = images[other]
            labels[row : row + 1] = labels[other : other + 1]
    return images, labels, list(damaged.values())


class _NamedImages:
    """Images with names within a folder or an archive.

    Args:
        path: the folder or archive.
        names, labels: as from `choose`.
    """

    def __init__(self, path, names, labels):
        self._path, self._names, self._labels = str(path), names, labels
        self.labelled = labels is not None

    def __len__(self):
        return len(self._names)

    def name(self, i):
        return f"{self._path}: {self._names[i]}"

    def read(self, i):
        """The bytes of image `i` and its label, `None` without one."""
        return self._content(self._names[i]), int(self._labels[i]) if self.labelled else None

    def close(self):
        """Nothing to do: no file is left open."""


class _FolderImages(_NamedImages):
    def _content(self, name):
        return read_file(os.path.join(self._path, name))


class _ZipImages(_NamedImages):
    """Opens the archive when the first image is read, in each process anew."""

    def __init__(self, path, names, labels):
        super().__init__(path, names, labels)
        self._archive, self._lock = None, threading.Lock()

    def _content(self, name):
        with self._lock:
            if self._archive is None:
                self._archive = zipfile.ZipFile(self._path)
            archive = self._archive
        return read_zipped(archive, archive.getinfo(name))

    def close(self):
        with self._lock:
            if self._archive is not None:
                self._archive.close()
            self._archive = None

    def __getstate__(self):
        return {k: v for k, v in vars(self).items() if k not in ("_archive", "_lock")}

    def __setstate__(self, state):
        vars(self).update(state, _archive=None, _lock=threading.Lock())
