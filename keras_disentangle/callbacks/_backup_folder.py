"""A folder with the two newest backups of a run, each of them one file, whole or absent.

A file holds a line of JSON (which lists the arrays), the arrays' bytes, and the SHA-256 of both.
"""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import re
import warnings

import ml_dtypes  # noqa: F401  teaches NumPy the names bfloat16 and float8_...
import numpy as np

from keras_disentangle._files import replacing
from keras_disentangle.callbacks._backup_lock import FolderLock
from keras_disentangle.trainers._backend import backend

_NAME = re.compile(r"backup-(\d{6,})")
_TEMPORARY = re.compile(r"backup-\d{6,}\.\d+\.tmp")
_DIGEST = hashlib.sha256().digest_size


class BackupFolder:
    """Reads and writes backups: pairs of a dict that JSON can hold and a list of NumPy arrays.

    Of several processes that train together, the first writes and all read.

    Args:
        path: the folder; `open` makes it.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._whole = []
        self._lock = None

    @property
    def newest(self):
        """The newest file that is known to be whole, or `None`."""
        return self._whole[-1] if self._whole else None

    def open(self):
        """Makes the folder, takes it for this process and removes what a killed run left
        half-written in it.

        Raises:
            ValueError: if it cannot be written to, or another process uses it.
        """
        self._whole = []
        if not self.writes:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError("no permission")
            self._lock = FolderLock(self.path)
        except OSError as error:
            raise ValueError(
                "`path` must be a folder that can be written to. Received: "
                f"path={str(self.path)!r} ({error})"
            ) from error
        self._remove(name for name in os.listdir(self.path) if _TEMPORARY.fullmatch(name))

    def close(self):
        """Leaves the folder to other processes."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def read(self):
        """(header, arrays) of the newest file that is whole, or `None` in a folder without any.

        Raises:
            ValueError: if there are backups but none is whole.
        """
        bad = []
        for file in reversed(self._files()):
            try:
                backup = _unpack(file.read_bytes())
            except OSError as error:
                bad.append(f"{file.name} cannot be read ({error.strerror})")
                continue
            if backup is None:
                bad.append(f"{file.name} is damaged")
                continue
            self._whole = [file]
            if bad:
                warnings.warn(
                    f"In {self.path}, {_list(bad)}: the run resumes from the previous backup, "
                    f"{file.name}",
                    stacklevel=2,
                )
            return backup
        if bad:
            raise ValueError(
                f"`path` must hold a backup that is whole, or none. Received: {self.path}, where "
                f"{_list(bad)}; remove these files to start the run again"
            )
        return None

    def write(self, header, arrays):
        """Adds a backup and, once it is on the disk, removes all but this and the previous one."""
        if not self.writes:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        files = self._files()
        number = int(_NAME.fullmatch(files[-1].name)[1]) + 1 if files else 1
        file = self.path / f"backup-{number:06d}"
        with replacing(file, durable=True) as temporary, open(temporary, "wb") as stream:
            _pack(stream, header, arrays)
        self._whole = [*self._whole, file][-2:]
        self._remove(old.name for old in self._files() if old not in self._whole)

    @property
    def writes(self):
        """Whether this process writes the backups."""
        return backend.processes_of_run()[1] == 0

    def _files(self):
        """The backups, oldest first."""
        if not self.path.is_dir():
            return []
        names = [name for name in os.listdir(self.path) if _NAME.fullmatch(name)]
        return [self.path / name for name in sorted(names, key=lambda name: (len(name), name))]

    def _remove(self, names):
        for name in names:
            with contextlib.suppress(OSError):  # A file that is left over does no harm.
                os.remove(self.path / name)


def _pack(stream, header, arrays):
    listed = [{"shape": array.shape, "dtype": array.dtype.name} for array in arrays]
    line = json.dumps({"header": header, "arrays": listed}, default=_plain) + "\n"
    digest = hashlib.sha256()
    for part in (line.encode(), *(array.tobytes() for array in arrays)):
        digest.update(part)
        stream.write(part)
    stream.write(digest.digest())


def _unpack(content):
    """(header, arrays), or `None` if the bytes differ from those that were written."""
    body = memoryview(content)[:-_DIGEST]
    if hashlib.sha256(body).digest() != content[-_DIGEST:]:
        return None
    arrays = []
    try:
        start = content.index(b"\n") + 1
        line = json.loads(content[:start])
        header = dict(line["header"])
        for listed in line["arrays"]:
            dtype, shape = np.dtype(listed["dtype"]), tuple(listed["shape"])
            count = math.prod(shape)
            if any(size < 0 for size in shape):
                return None
            arrays.append(np.frombuffer(body, dtype, count, start).reshape(shape))
            start += count * dtype.itemsize
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None  # Not written by `_pack`, although the checksum is right.
    return (header, arrays) if start == len(body) else None


def _plain(value):
    """A number or an array of any library in the form that JSON takes; the `repr` of others."""
    array = np.asarray(value)
    return repr(value) if array.dtype == object else array.tolist()


def _list(names):
    return " and ".join(names)
