"""Images in files of records: TFRecord and ArrayRecord, those of TensorFlow Datasets too.

A record is an image file, or a `tf.train.Example` with one among its features.
"""

import functools
import os
import re
import struct
import threading

import numpy as np

from keras_disentangle._files import short
from keras_disentangle.datasets._image_files import SPLITS, check_split

_NAME = re.compile(r"(?P<stem>.+)\.(?P<kind>tfrecords?|array_?records?)(-\d+-of-\d+)?")
_IMAGE_FEATURES = ("image", "image/encoded")
_LABEL_FEATURES = ("label", "image/class/label")
# The first bytes of PNG, JPEG, GIF, BMP, TIFF (of both orders) and WebP.
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")


def is_records(path):
    """Whether a path has the name of a file of records."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


def of_split(paths, split, where):
    """The files of a split, in order, by names such as `photos-train.tfrecord-00000-of-00002`.

    Raises:
        ValueError: if there are none.
    """
    words = {path: _NAME.fullmatch(os.path.basename(path))["stem"] for path in sorted(paths)}
    words = {path: re.split(r"[-_.]", stem)[-1] for path, stem in words.items()}
    found = {word for word in words.values() if word == split or word in SPLITS}
    if not found:
        check_split(split, ["train"], where)
        return list(words)
    check_split(split, sorted(found), where)
    return [path for path, word in words.items() if word == split]


class RecordImages:
    """The encoded images in files of records.

    Attributes:
        labelled: whether the records have labels.

    Args:
        paths: list of files.

    Raises:
        ValueError: if a file is damaged, holds nothing, or its first record is no image.
    """

    def __init__(self, paths):
        self._files = [_open(path) for path in paths]
        self._ends = np.cumsum([len(file) for file in self._files])
        if not len(self):
            raise ValueError(f"{paths[0]} must hold records. Received: {len(paths)} empty files")
        self._features = self.labelled = None
        name = self.name(0)
        try:
            record = self._record(0)
        except Exception as error:  # an ArrayRecord's own in C++
            raise ValueError(f"{name} is damaged: {short(error)}") from error
        if record.startswith(_MAGIC):
            return
        features = _features(record, name)
        byte_features = [key for key, (value, *_) in features.items() if isinstance(value, bytes)]
        known = [key for key in _IMAGE_FEATURES if key in byte_features]
        known = known or (byte_features if len(byte_features) == 1 else [])
        if not known:
            raise ValueError(
                f"{name} must be an image, or a tf.train.Example with the feature "
                f"{' or '.join(_IMAGE_FEATURES)}. Received: the features {sorted(features)}"
            )
        numbers = [key for key in _LABEL_FEATURES if isinstance(features.get(key, [0.0])[0], int)]
        self.labelled = bool(numbers)
        self._features = known[0], numbers[0] if numbers else None

    def __len__(self):
        return int(self._ends[-1])

    def name(self, i):
        file, place = self._place(i)
        return f"{file.path}: record {place}"

    def read(self, i):
        """The bytes of image `i` and its label, `None` without one."""
        record = self._record(i)
        if self._features is None:
            return record, None
        features = _features(record, self.name(i))
        image, label = self._features
        if image not in features or (label and label not in features):
            raise ValueError(f"it has the features {sorted(features)}, not {image} and {label}")
        return features[image][0], features[label][0] if label else None

    def close(self):
        for file in self._files:
            file.close()

    def _place(self, i):
        file = int(np.searchsorted(self._ends, i, side="right"))
        return self._files[file], i - int(self._ends[file - 1] if file else 0)

    def _record(self, i):
        file, place = self._place(i)
        return file.read(place)


def _open(path):
    kind = _NAME.fullmatch(os.path.basename(path))["kind"]
    return (TFRecords if kind.startswith("tf") else _ArrayRecords)(path)


class TFRecords:
    """The records of a TFRecord file, read one by one in any order.

    Args:
        path: the file.

    Raises:
        ValueError: if it ends in the midst of a record, or is compressed.
    """

    def __init__(self, path):
        self.path = path
        places, size = [], os.path.getsize(path)
        with open(path, "rb") as file:
            # Each record: its length, a checksum of that, its bytes, a checksum of those.
            while header := file.read(12):
                if not places and header.startswith(b"\x1f\x8b"):
                    raise ValueError(f"{path} must not be compressed. Received: a gzip file")
                length = struct.unpack("<Q", header[:8])[0] if len(header) == 12 else size
                if (end := file.tell() + length + 4) > size:
                    raise ValueError(
                        f"{path} is damaged: record {len(places)} is larger than the file"
                    )
                places.append((file.tell(), length))
                file.seek(end)
        self._places = np.array(places, np.int64).reshape(-1, 2)

    def __len__(self):
        return len(self._places)

    def read(self, i):
        start, length = map(int, self._places[i])
        with open(self.path, "rb", buffering=0) as file:  # Anew, so that threads do not interfere.
            file.seek(start)
            record = file.read(length)
        if len(record) < length:
            raise ValueError("the file ends before it")
        return record

    def close(self):
        """Nothing to do: no file is left open."""


class _ArrayRecords:
    """The records of an ArrayRecord file, by Grain."""

    def __init__(self, path):
        import grain

        self.path, self._lock = path, threading.Lock()
        try:
            self._source = grain.sources.ArrayRecordDataSource([str(path)])
        except Exception as error:  # of its own in C++
            raise ValueError(
                f"{path} is not a readable ArrayRecord file: {short(error)}"
            ) from error

    def __len__(self):
        return len(self._source)

    def read(self, i):
        with self._lock:
            return self._source[i]

    def close(self):
        with self._lock:
            self._source.__exit__(None, None, None)

    def __getstate__(self):
        return {"path": self.path, "_source": self._source}

    def __setstate__(self, state):
        vars(self).update(state, _lock=threading.Lock())


def _features(record, name):
    """The features of a serialized `tf.train.Example`: lists by name, empty ones left out."""
    from google.protobuf.message import DecodeError

    example = _example()()
    try:
        example.ParseFromString(record)
    except DecodeError as error:
        raise ValueError(f"{name} must be an image or a tf.train.Example: {error}") from error
    found = {}
    for entry in example.features.feature:
        kind = entry.value.WhichOneof("kind")
        if kind and (values := getattr(entry.value, kind).value):
            found[entry.key] = values
    return found


@functools.cache
def _example():
    """The message class of `tf.train.Example`, without TensorFlow."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package="keras_disentangle", syntax="proto3"
    )
    one, many = 1, 3  # LABEL_OPTIONAL, LABEL_REPEATED
    message, text, raw, float32, int64 = 11, 9, 12, 2, 3
    for name, fields in {
        "BytesList": [("value", 1, many, raw, "")],
        "FloatList": [("value", 1, many, float32, "")],
        "Int64List": [("value", 1, many, int64, "")],
        "Feature": [
            ("bytes_list", 1, one, message, "BytesList"),
            ("float_list", 2, one, message, "FloatList"),
            ("int64_list", 3, one, message, "Int64List"),
        ],
        # A map is stored as its entries are.
        "Entry": [("key", 1, one, text, ""), ("value", 2, one, message, "Feature")],
        "Features": [("feature", 1, many, message, "Entry")],
        "Example": [("features", 1, one, message, "Features")],
    }.items():
        made = file.message_type.add(name=name)
        if name == "Feature":
            made.oneof_decl.add(name="kind")
        for field, number, label, kind, other in fields:
            added = made.field.add(name=field, number=number, label=label, type=kind)
            if other:
                added.type_name = f".keras_disentangle.{other}"
            if name == "Feature":
                added.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("keras_disentangle.Example"))
