"""The files of a folder, and the bytes of one in it or in a zip file."""

import os
import pathlib
import stat

from keras_disentangle.datasets import _pictures


def files_below(folder):
    """Paths, relative to a folder, of all files in it, including linked folders."""

    def fail(error):
        raise ValueError(f"{folder}: {error.filename} cannot be read: {error}") from error

    names = []
    for place, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        here = pathlib.Path(place)
        above = {path.resolve() for path in (here, *here.parents)}
        folders[:] = [name for name in folders if (here / name).resolve() not in above]
        inside = here.relative_to(folder).as_posix()
        names += files if inside == "." else [f"{inside}/{name}" for name in files]
    return names


def read_file(path):
    """The bytes of a file."""
    # A pipe would never end.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is no regular file")
    with open(path, "rb", buffering=0) as file:
        return file.read()


def read_zipped(archive, info):
    """The bytes of an image in an open zip file."""
    # Images are already compressed, unless they are small.
    if info.file_size > max(_pictures.FREE_BYTES, 16 * info.compress_size):
        raise ValueError(f"it declares {info.file_size:,} bytes")
    return archive.read(info)
