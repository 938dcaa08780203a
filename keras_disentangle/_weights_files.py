"""Untrusted files of weights: HDF5 and formats that contain it, checked as in `_files`."""

import contextlib
import io
import math
import os

import numpy as np

from keras_disentangle._files import (
    MOST_COMPRESSED,
    SLACK,
    open_zip,
    read_json,
    read_member,
    short,
)


@contextlib.contextmanager
def open_hdf5(file, name=None, sliced=()):
    """An HDF5 file, as an `h5py.File`, with all numbers in the file itself.

    Args:
        file: a path, or a stream of bytes.
        name: name of the file in errors; by default the path.
        sliced: names of data sets that are read in slices, so that they need no memory at once.

    Raises:
        ValueError: if it is damaged; has links to other places, external storage, virtual data
            sets or data of variable length; or declares more than its bytes can hold. Errors of
            h5py while it is open are converted too.
    """
    import h5py

    name = file if name is None else name
    try:
        content = h5py.File(file, "r")
    except Exception as error:  # h5py raises many kinds for a damaged file.
        raise ValueError(f"{name} is not a readable HDF5 file: {short(error)}") from error
    with content:
        is_stream = isinstance(file, io.BytesIO)
        size = file.getbuffer().nbytes if is_stream else os.path.getsize(file)
        try:
            _check_hdf5(content, size, sliced)
            yield content
        except ValueError as error:
            if str(name) in str(error):
                raise
            raise ValueError(f"{name}: {short(error)}") from error
        except (OSError, RuntimeError, LookupError, TypeError, MemoryError) as error:
            raise ValueError(f"{name} is damaged: {short(error)}") from error


def _check_hdf5(content, size, sliced):
    import h5py

    def elsewhere(path, info):  # Not by raising: an error must not pass through HDF5.
        return None if info.type == h5py.h5l.TYPE_HARD else path.decode(errors="replace")

    if (found := content.id.links.visit(elsewhere, info=True)) is not None:
        raise ValueError(f"{found} is a link to elsewhere")
    left = [size]  # The bytes of the file that no data set has claimed.

    def check_item(path, item):
        if not isinstance(item, h5py.Dataset):
            return
        if item.external or item.is_virtual:
            raise ValueError(f"{path} keeps its numbers in another file")
        if item.dtype.hasobject:
            raise ValueError(f"{path} must be numbers or text of fixed length")
        stored = item.id.get_storage_size()
        left[0] -= stored
        asked = 0 if path in sliced else item.dtype.itemsize * math.prod(item.shape or ())
        chunk = item.dtype.itemsize * math.prod(item.chunks or ())
        if left[0] < 0 or max(asked, chunk) > MOST_COMPRESSED * stored + SLACK:
            raise ValueError(
                f"{path} declares shape={item.shape}, chunks={item.chunks}, more than the "
                f"{stored:,} bytes that are stored of it can hold"
            )

    content.visititems(check_item)


def check_weights_file(path):
    """Checks that a `.weights.h5`, `.h5` or `.keras` file, or every file that a `.weights.json`
    lists, is intact and its numbers are finite.

    Returns:
        The number of values in it.

    Raises:
        ValueError: if there is no such file, as `open_hdf5` and `open_zip`, or if a number is NaN
            or an array holds infinity.
    """
    if not os.path.isfile(path):
        raise ValueError(f"There is no file {path}")
    numbers = 0
    if os.fspath(path).endswith(".keras"):
        with open_zip(path) as archive:
            for member in archive.infolist():
                if member.file_size > max(2**24, 20 * member.compress_size):
                    raise ValueError(
                        f"{path}: {member.filename!r} declares {member.file_size:,} bytes"
                    )
                content = read_member(path, archive, member)
                if member.filename.endswith(".h5"):
                    with open_hdf5(io.BytesIO(content), f"{path}: {member.filename}") as weights:
                        numbers += check_finite(weights)
    elif os.fspath(path).endswith((".h5", ".hdf5")):
        with open_hdf5(path) as weights:
            numbers += check_finite(weights)
    elif os.fspath(path).endswith(".weights.json"):
        for name in _shards(path):
            numbers += check_weights_file(os.path.join(os.path.dirname(path), name))
    else:
        raise ValueError(f"{path} must be a .keras or .h5 file")
    return numbers


def _shards(path):
    """The names of the files beside `path` over which it distributes the weights."""
    parts = read_json(path, "weight_map")["weight_map"]
    parts = list(parts.values()) if isinstance(parts, dict) else [None]
    names = [name for part in parts for name in (part if isinstance(part, list) else [part])]
    for name in names:
        if not isinstance(name, str) or name != os.path.basename(name) or not name.endswith(".h5"):
            raise ValueError(f"{path} must list .h5 files beside it. Received: {name!r}")
    return sorted(set(names))


def check_finite(weights):
    """Checks that no number in an open HDF5 file is NaN, and none in an array infinite.

    Returns:
        The number of values in it.

    Raises:
        ValueError: if one is NaN or infinite.
    """
    import h5py

    numbers = [0]

    def check(path, item):
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return
        values = item[()]
        numbers[0] += item.size
        if item.attrs.get("dtype") == "bfloat16":  # which HDF5 knows as two bytes
            values = (np.asarray(values).view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        # A scalar may be a running minimum or maximum, which starts at infinity.
        if values.dtype.kind in "fc" and not (
            np.isfinite(values).all() if values.ndim else not np.isnan(values)
        ):
            raise ValueError(f"{path} must be finite. It holds NaN or infinity")

    weights.visititems(check)
    return numbers[0]
