"""Files: written whole or not at all; untrusted ones read with bounded memory, or refused.

A file from elsewhere may be damaged or malicious: it may declare more data than it holds, or point
to other files. The sizes that it declares are compared with the bytes on disk before memory is
allocated. Every fault of a file becomes a `ValueError` that names the file.
"""

import collections.abc
import contextlib
import hashlib
import json
import math
import os
import struct
import zipfile
import zlib

import numpy as np

from keras_disentangle._arguments import check_path

# Deflate, the densest compression among the formats read here, cannot exceed this ratio.
MOST_COMPRESSED = 1032
SLACK = 2**16  # bytes, for files too small to matter


@contextlib.contextmanager
def replacing(path, suffix="", durable=False):
    """Yields the name of a temporary file that then replaces `path`, or is removed on an error.

    A reader finds the old file or the new one, never a part.

    Args:
        path: the file; its folder is created if missing.
        suffix: ending of the temporary name, for writers that depend on it.
        durable: whether the new file must survive a power failure.

    Raises:
        ValueError: if `path` is a folder, or not a path.
    """
    path = check_path("path", path)
    if os.path.isdir(path):
        raise ValueError(f"`path` must be a file, not a folder. Received: path={path!r}")
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    # In the same folder, because a rename is atomic only within one file system.
    temporary = f"{path}.{os.getpid()}.tmp{suffix}"
    try:
        yield temporary
        if durable:
            _sync(temporary, os.O_RDWR)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise
    if durable and hasattr(os, "O_DIRECTORY"):  # The new name must be on the disk too.
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path, flags):
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path, content):
    """Writes bytes to the file `path`, whole or not at all; see `replacing`."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def sha256(path):
    """The hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path, *keys):
    """The object in a JSON file.

    Args:
        path: the file.
        *keys: keys that the object must have.

    Raises:
        ValueError: if the file cannot be read, is not JSON, or is not an object with these keys.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} must be readable JSON: {short(error)}") from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing or not isinstance(content, dict):
        found = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f"{path} must hold a JSON object{f' with {list(keys)}' if keys else ''}. "
            f"Received: {str(found)[:200]}"
        )
    return content


def is_zip(path):
    """Whether a file is a zip archive, possibly a damaged one: opening it then reports that."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # raised for a file that looks like one part of several
        return True


# The records at the end of a zip file, with the longest comment that there can be.
_END_OF_ZIP = 2**16 + 22 + 20 + 56

# Raised when damaged or encrypted members are read.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)


@contextlib.contextmanager
def open_zip(path, kind="zip"):
    """A zip file, as a `zipfile.ZipFile`, with no member that would be extracted outside of it.

    Args:
        path: the file.
        kind: name of the file type in errors.

    Raises:
        ValueError: if the file is damaged, or a member lies outside of it or declares more than its
            bytes can hold. Errors of zipfile while it is open are converted too.
    """
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # zipfile raises many kinds for a damaged file.
        raise ValueError(f"{path} is not a readable {kind} file: {short(error)}") from error
    with archive:
        members = archive.infolist()
        if sum(member.compress_size for member in members) > os.path.getsize(path):
            raise ValueError(f"{path} declares members that are larger than the file")
        # A wrong size in its list of members ends the list early, which zipfile does not notice.
        declared = _num_members(archive.fp)
        if declared != len(members):
            raise ValueError(f"{path} declares {declared} members and lists {len(members)}")
        for member in members:
            _check_member(path, member)
            try:
                # Compares both copies of its name, so that no member appears to be missing.
                archive.open(member).close()
            except Exception as error:  # zipfile raises many kinds for a damaged file.
                raise ValueError(
                    f"{path}: {member.filename!r} is damaged: {short(error)}"
                ) from error
        try:
            yield archive
        except _ZIP_ERRORS as error:
            raise ValueError(f"{path} is damaged: {short(error)}") from error


def _num_members(file):
    """How many members the end of an open zip file declares."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _END_OF_ZIP))
    end = file.read()
    place = end.rfind(b"PK\5\6")
    (number,) = struct.unpack_from("<H", end, place + 10)
    # If there are more than this number can say, another record holds theirs.
    place = end.rfind(b"PK\6\6", 0, place) if number == 0xFFFF else -1
    return number if place < 0 else struct.unpack_from("<Q", end, place + 32)[0]


def _check_member(path, member):
    parts = member.filename.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or parts[0].endswith(":"):
        raise ValueError(f"{path} has a member outside itself: {member.filename!r}")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(
            f"{path}: {member.filename!r} must be stored or deflated. "
            f"Received: compression {member.compress_type}"
        )
    if member.file_size > MOST_COMPRESSED * member.compress_size + SLACK:
        raise ValueError(
            f"{path}: {member.filename!r} declares {member.file_size:,} bytes, more than the "
            f"{member.compress_size:,} that are there can hold"
        )


def read_member(path, archive, member):
    """The bytes of a member (a name or a `ZipInfo`) of an `open_zip` archive, checksum verified.

    Raises:
        ValueError: if it is missing or damaged.
    """
    name = getattr(member, "filename", member)
    try:
        with archive.open(member) as file:
            content = file.read()
    except Exception as error:  # zipfile and zlib raise many kinds for a damaged file.
        raise ValueError(f"{path}: {name} is not readable: {short(error)}") from error
    return content


@contextlib.contextmanager
def open_npz(path):
    """The arrays of an npz file, a mapping that reads each array when it is accessed.

    Raises:
        ValueError: if the file or an array is damaged, or an array holds Python objects.
    """
    with open_zip(path, "npz") as archive:
        yield _Arrays(path, archive)


class _Arrays(collections.abc.Mapping):
    def __init__(self, path, archive):
        self._path, self._archive = path, archive
        names = [member.filename for member in archive.infolist()]
        self._names = [name.removesuffix(".npy") for name in names if name.endswith(".npy")]

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)

    def __contains__(self, name):  # `Mapping` would read the array.
        return name in self._names

    def place(self, name):
        """Shape, type and place in the file of an array whose rows can be read alone; `None` for
        any other."""
        member = self._archive.getinfo(f"{name}.npy")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            return None
        try:
            with self._archive.open(member) as file:
                shape, dtype, start, in_rows = _npy_header(file)
            # Of its header in the file, which is not always as long as that in the list.
            self._archive.fp.seek(member.header_offset + 26)
            lengths = struct.unpack("<HH", self._archive.fp.read(4))
            start += member.header_offset + 30 + sum(lengths)
            end = start + math.prod(shape) * dtype.itemsize
        except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file.
            raise ValueError(f"{self._path}: {name} is damaged: {short(error)}") from error
        if end > os.path.getsize(self._path):
            raise ValueError(f"{self._path}: {name} is larger than the file")
        return (shape, dtype, start) if in_rows else None

    def __getitem__(self, name):
        if name not in self._names:
            raise KeyError(name)
        member = self._archive.getinfo(f"{name}.npy")
        try:
            with self._archive.open(member) as file:
                # Before NumPy allocates the memory that the header asks for.
                shape, dtype, start, _ = _npy_header(file)
            if start + math.prod(shape) * dtype.itemsize != member.file_size:
                raise ValueError(f"{member.file_size} bytes do not hold {shape} of {dtype}")
            with self._archive.open(member) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
                file.read(1)  # Only at the end is the checksum verified.
            return array
        except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file.
            raise ValueError(f"{self._path}: {name} is damaged: {short(error)}") from error


def stored_array(path, name):
    """An array of an npz file, of which rows are read when they are accessed.

    Args:
        path: the file.
        name: the array's.

    Returns:
        An object with `shape` and `dtype`, which called with indices (n,) gives these rows. Those
        of an array that is stored compressed are in memory, since it must be read whole.

    Raises:
        ValueError: if the file or the array is damaged, or it is not there.
    """
    with open_npz(path) as arrays:
        if name not in arrays:
            raise ValueError(f"{path} must hold an array {name}. Received: {list(arrays)}")
        place = arrays.place(name)
        return _Rows(path, *place) if place else _Held(arrays[name])


class _Held:
    def __init__(self, array):
        self.shape, self.dtype = array.shape, array.dtype
        self._array = array

    def __call__(self, index):
        return self._array[index]


class _Rows:
    def __init__(self, path, shape, dtype, start):
        self.shape, self.dtype = shape, dtype
        self._path, self._start = path, start

    def __call__(self, index):
        # Opened anew, so that processes can share it.
        mapped = np.memmap(self._path, self.dtype, "r", self._start, self.shape)
        return np.asarray(mapped[index])


def _npy_header(file):
    """Shape, type, length in bytes of the header of an array, and whether it is in C order."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"version {version} of the format")
    shape, by_columns, dtype = read[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read")
    return shape, dtype, file.tell(), not by_columns


def short(error):
    """An error, including those of other libraries, in one line."""
    text = str(error)[:200]
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
