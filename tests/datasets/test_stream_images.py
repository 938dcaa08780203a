import os
import re
import shutil
import struct
import warnings
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import keras_disentangle as kd
from keras_disentangle._extras import install
from keras_disentangle.applications._shared.data import image_shape_of, images_alone
from keras_disentangle.datasets import (
    _file_images,
    _image_records,
    _reading_ahead,
    _tensorflow_datasets,
)
from keras_disentangle.datasets._file_images import FileImages
from keras_disentangle.datasets._image_records import of_split

pytest.importorskip("grain")
pytestmark = pytest.mark.one_backend

SHAPE = (6, 8, 3)
NUMBER = 23


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of several sizes and modes in folders of two classes."""
    path, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for i in range(NUMBER):
        place = path / "train" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        shape = (*rng.integers(8, 20, size=2), 3)[: 2 + i % 2]
        picture = Image.fromarray(rng.integers(0, 256, size=shape, dtype="uint8"))
        picture.save(place / f"{i:02}.{('png', 'jpg')[i % 3 == 0]}")
    return path


@pytest.fixture(scope="module")
def contents(folder):
    """The bytes of the images and their labels, in the order of `load_images`."""
    files = sorted((folder / "train").rglob("*.*"))
    return [(file.read_bytes(), int(file.parent.name == "b")) for file in files]


def example(features):
    """A serialized `tf.train.Example`."""
    message = _image_records._example()()
    for key, value in features.items():
        entry = message.features.feature.add(key=key)
        kind = {bytes: "bytes_list", int: "int64_list", float: "float_list"}[type(value)]
        getattr(entry.value, kind).value.append(value)
    return message.SerializeToString()


def write_tfrecord(path, records):
    with open(path, "wb") as file:
        for record in records:
            file.write(struct.pack("<Q", len(record)) + bytes(4) + record + bytes(4))
    return path


def write_arrayrecord(path, records):
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(str(path), "group_size:1")
    for record in records:
        writer.write(record)
    writer.close()
    return path


@pytest.fixture(params=["folder", "zip", "tfrecord", "array_record", "tfds"])
def source(request, folder, contents, tmp_path):
    """The same images from each kind of source."""
    examples = [example({"image": x, "label": y, "id": float(y)}) for x, y in contents]
    if request.param == "folder":
        return folder
    if request.param == "zip":
        with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
            for file in sorted(folder.rglob("*.*")):
                archive.write(file, file.relative_to(folder))
        return tmp_path / "photos.zip"
    if request.param == "tfrecord":
        write_tfrecord(tmp_path / "x-train.tfrecord-00001-of-00002", examples[9:])
        write_tfrecord(tmp_path / "x-train.tfrecord-00000-of-00002", examples[:9])
        write_tfrecord(tmp_path / "x-test.tfrecord", examples[:1])
        return tmp_path
    if request.param == "array_record":
        named = [example({"image/encoded": x, "image/class/label": y}) for x, y in contents]
        parts = named[:4], named[4:]
        return [write_arrayrecord(tmp_path / f"{i}.array_record", parts[i]) for i in (0, 1)]
    path = write_tfrecord(tmp_path / "mnist-train.tfrecord", examples)
    split = type("Split", (), {"filepaths": [path]})
    info = type("Info", (), {"splits": {"train": split}})
    builder = type("Builder", (), {"info": info})
    prepare = pytest.MonkeyPatch()
    prepare.setattr(_tensorflow_datasets, "prepare", lambda *_: (None, builder))
    request.addfinalizer(prepare.undo)
    return "mnist"


def stream(source, batch_size=5, **settings):
    return kd.datasets.stream_images(source, SHAPE, batch_size, **{"seed": 3, **settings})


def in_memory(folder, batch_size=5, steps_per_epoch=None):
    images, labels = kd.datasets.load_images(folder, image_shape=SHAPE)
    return kd.datasets.image_batches(images, batch_size, 3, steps_per_epoch, labels)


def epoch(batches):
    batches.on_epoch_begin()
    drawn = [batches[i] for i in range(len(batches))]
    batches.on_epoch_end()
    return drawn


def assert_equal(a, b):
    keras.tree.map_structure(lambda x, y: np.testing.assert_array_equal(x, y, strict=True), a, b)


def counted(batches, monkeypatch):
    """A list that grows with each image that is read."""
    source, found = batches._reader.source, []
    read = source.read
    monkeypatch.setattr(source, "read", lambda i: (found.append(i), read(i))[1])
    return found


def test_every_source_gives_the_batches_of_memory(source, folder):
    batches, expected = stream(source, labels=True), in_memory(folder)
    assert len(batches) == 4 and batches.batch_size == 5
    for _ in range(2):
        assert_equal(epoch(batches), epoch(expected))
    assert batches.epoch == 2
    batches.close()
    (x,) = stream(source)[3]
    assert x.shape == (5, *SHAPE)


def test_records_that_are_images(folder, contents, tmp_path):
    records = [content for content, _ in contents]
    paths = write_tfrecord(tmp_path / "a.tfrecord", records), tmp_path / "b.array_record"
    expected = [(x,) for x, _ in epoch(in_memory(folder))]
    for path in (paths[0], write_arrayrecord(paths[1], records)):
        assert_equal(epoch(stream(path)), expected)


@pytest.mark.parametrize("steps", [3, 9])
def test_steps_of_an_epoch_walk_on_through_the_passes(folder, steps):
    batches, expected = (
        stream(folder, labels=True, steps_per_epoch=steps),
        in_memory(folder, steps_per_epoch=steps),
    )
    for _ in range(3):
        assert_equal(epoch(batches), epoch(expected))


def test_batches_in_any_order(folder):
    batches, expected = stream(folder, labels=True), in_memory(folder)
    batches.on_epoch_begin()
    for i in (2, 3, 0, 1, 2, 2, 1, 3):
        assert_equal(batches[i], expected[i])
    again = stream(folder, labels=True)
    again.epoch = expected.epoch = 5
    assert_equal(again[1], expected[1])


@pytest.mark.parametrize("size, threads", [(1500, 1), (100, 4)])
def test_batches_are_read_ahead(folder, monkeypatch, size, threads):
    """In more threads, the larger the files are."""
    monkeypatch.setattr(_reading_ahead, "_BYTES_OF_A_THREAD", size)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    batches = stream(folder)
    read = counted(batches, monkeypatch)
    batches[0]
    assert len(read) == 5  # Outside of an epoch, only what is drawn.
    drawn = epoch(batches)
    assert batches._ahead._reader._threads == threads
    batches.close()
    # Those of the next epoch too, but none of this one twice.
    assert 5 + 20 <= len(read) <= 5 + 20 + 5 * 16
    assert_equal(drawn, epoch(stream(folder)))


def test_what_was_trained_on_is_not_read(folder, monkeypatch):
    expected = stream(folder, steps_per_epoch=9)
    expected.epoch = 1
    batches = stream(folder, steps_per_epoch=9)
    batches.epoch = 1
    batches.skip_to(8)
    read = counted(batches, monkeypatch)
    batches.on_epoch_begin()
    skipped = [batches[i] for i in range(8)]
    assert len(read) == 5 and all(x is skipped[0] for x in skipped)
    assert_equal(batches[8], expected[8])
    batches.on_epoch_end()
    assert batches.epoch == 2
    expected.epoch = 2
    assert_equal(epoch(batches), epoch(expected))
    for bad in (-1, 9, 0.5):
        with pytest.raises(ValueError, match="`batch` must be an integer"):
            batches.skip_to(bad)


def test_the_parts_of_processes_are_the_batch_of_one(folder):
    whole = epoch(stream(folder, 6, labels=True))
    parts = [epoch(stream(folder, 6, labels=True, shard=(i, 3))) for i in range(3)]
    for batch, *rows in zip(whole, *parts, strict=True):
        assert_equal(batch, tuple(map(np.concatenate, zip(*rows, strict=True))))
    assert_equal(stream(folder, 6, shard=(1, 3)).whole[0], (whole[0][0],))


def test_processes_give_the_same(folder):
    batches = stream(folder, num_workers=1, steps_per_epoch=6)
    assert_equal(epoch(batches), epoch(stream(folder, steps_per_epoch=6)))
    batches.close()


def damaged(folder, path, content):
    """A copy of the folder in which the contents of an image are replaced, or it vanishes."""
    for file in folder.rglob("*.*"):
        (path / file.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        (path / file.relative_to(folder)).write_bytes(file.read_bytes())
    batches = stream(path, labels=True, skip_damaged=content == "skip")
    bad = path / "train" / "b" / "07.png"
    bad.unlink() if content in (None, "skip") else bad.write_bytes(content)
    return batches


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n"])
def test_an_image_that_cannot_be_read_is_named(folder, tmp_path, content):
    batches = damaged(folder, tmp_path, content)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"07.png is not a readable image: .*`skip_damaged=T"):
            epoch(batches)
    # With nothing lost: once it is back, training goes on where it was.
    (tmp_path / "train/b/07.png").write_bytes((folder / "train/b/07.png").read_bytes())
    assert_equal(epoch(batches), epoch(stream(folder, labels=True)))


def test_an_image_that_cannot_be_read_is_left_out_if_asked(folder, tmp_path):
    batches = damaged(folder, tmp_path, "skip")
    expected = epoch(stream(folder, labels=True))
    with pytest.warns(UserWarning, match="Left out: .*07.png is not a readable image"):
        found = epoch(batches)
    others = [(a == b).all(axis=(1, 2, 3)) for (a, _), (b, _) in zip(found, expected, strict=True)]
    assert sum(map(np.sum, others)) == 19
    (i,) = (i for i, same in enumerate(others) if not same.all())
    (row,) = np.flatnonzero(~others[i])
    place = 1 if row == 0 else 0  # the first that can be read
    assert_equal(tuple(x[row] for x in found[i]), tuple(x[place] for x in found[i]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # It was said once.
        epoch(batches)
    for file in tmp_path.rglob("*.*"):
        file.write_bytes(b"")
    with pytest.raises(ValueError, match="A batch must hold an image that can be read.*all 5"):
        batches[0]


def test_damaged_files_of_records(contents, tmp_path):
    path = write_tfrecord(tmp_path / "a.tfrecord", [content for content, _ in contents])
    whole = path.read_bytes()
    batches = stream(path)
    path.write_bytes(whole[:-50])
    with pytest.raises(ValueError, match=r"record 22 is not a readable image: the file ends"):
        epoch(batches)
    for content, message in (
        (whole[:-50], "a.tfrecord is damaged: record 22 is larger than the file"),
        (whole + b"x", "a.tfrecord is damaged: record 23"),
        (b"\x1f\x8b" + bytes(20), "a.tfrecord must not be compressed"),
        (b"", "must hold records"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            stream(path)
    for record, message in (
        (b"no example", "record 0 must be an image or a tf.train.Example"),
        (example({"x": 1.5}), r"with the feature image or image/encoded. Received: .*\['x'\]"),
    ):
        write_tfrecord(path, [record] * 9)
        with pytest.raises(ValueError, match=message):
            stream(path)
    write_tfrecord(path, [example({"image": contents[0][0]}), example({"other": b"x"})] * 9)
    with pytest.raises(ValueError, match=r"\d is not a readable image: it has the features"):
        epoch(stream(path))
    bad = tmp_path / "b.array_record"
    bad.write_bytes(b"no records")
    with pytest.raises(ValueError, match="b.array_record is not a readable ArrayRecord"):
        stream(bad)


def test_splits_of_files_of_records():
    names = ["x-train.tfrecord-00000-of-00001", "x-test.tfrecord", "x_test.array_record"]
    assert of_split(names, "test", "here") == ["x-test.tfrecord", "x_test.array_record"]
    assert of_split(["b-2020.tfrecord", "a.tfrecords"], "train", "here")[0] == "a.tfrecords"
    assert of_split(["b-2020.tfrecord", "a.tfrecords"], "2020", "here") == ["b-2020.tfrecord"]
    with pytest.raises(ValueError, match="`split` must be one of"):
        of_split(names, "val", "here")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_shape": None}, "`image_shape` must be"),
        ({"batch_size": 0}, "`batch_size` must be"),
        ({"batch_size": 24}, "`batch_size` must be at most the number of images, 23"),
        ({"seed": None}, "`seed` must be"),
        ({"split": "test"}, r"`split` must be one of \['train'\]"),
        ({"split": 1}, "`split` must be a string"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be"),
        ({"labels": 1}, "`labels` must be True or False"),
        ({"shard": (2, 2)}, r"`shard` must be \(index, count\), 0 <= index < count"),
        ({"shard": 1}, r"`shard` must be \(index, count\)"),
        ({"shard": (0, 2)}, "`batch_size` must be divided evenly among the 2 processes"),
        ({"num_workers": -1}, "`num_workers` must be"),
        ({"skip_damaged": None}, "`skip_damaged` must be"),
        ({"name_or_path": []}, "`name_or_path` must be a name, a path, or a list"),
        ({"name_or_path": ["a.png"]}, "`name_or_path` must be a name, a path, or a list"),
        ({"name_or_path": "nothing"}, "`name_or_path` must be one of"),
    ],
)
def test_bad_arguments(folder, settings, message):
    good = {"name_or_path": folder, "image_shape": SHAPE, "batch_size": 5, "seed": 0}
    with pytest.raises(ValueError, match=message):
        kd.datasets.stream_images(**{**good, **settings})


def test_sources_that_are_none(folder, tmp_path):
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 4, 4), "uint8"))
    with pytest.raises(ValueError, match="`load_images` reads an .npz"):
        stream(tmp_path / "images.npz")
    with pytest.raises(FileNotFoundError, match="there is no"):
        stream(tmp_path / "nowhere" / "x.zip")
    with pytest.raises(ValueError, match="must hold images"):
        stream(tmp_path)
    with pytest.raises(ValueError, match="`labels` must be False for images without classes"):
        stream(folder / "train" / "a", labels=True)
    with pytest.raises(ValueError, match="to be held on the device"):
        stream(folder).on_device()


def test_without_grain(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "grain", None)
    with pytest.raises(ImportError, match=re.escape(install("stream"))):
        stream(folder)


def test_no_file_is_left_open(source, folder):
    before = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
    batches = stream(source)
    epoch(batches)
    batches.close()
    after = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
    assert len(after) <= len(before)


def test_files_as_an_array(source, folder):
    expected, _ = kd.datasets.load_images(folder, image_shape=SHAPE)
    images = FileImages(source, SHAPE)
    assert images.shape == expected.shape and images.image_shape == SHAPE
    for index in (slice(3, 9), np.array([5, 0, 5]), [2], range(4), np.array([], "int64")):
        np.testing.assert_array_equal(images[index], expected[np.asarray(range(23))[index]])
    batches = kd.datasets.image_batches(images, 5, seed=3, steps_per_epoch=6)
    assert_equal(epoch(batches), epoch(stream(folder, steps_per_epoch=6)))


def test_damaged_files_in_an_array(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "damaged")  # The others need it whole.
    expected = FileImages(folder, SHAPE)[[0, 2]]
    sorted(folder.rglob("train/*/*.*"))[1].write_bytes(b"no image")
    with pytest.raises(ValueError, match="`skip_damaged=True`"):
        FileImages(folder, SHAPE)[:3]
    images = FileImages(folder, SHAPE, skip_damaged=True)
    with pytest.warns(UserWarning, match="Left out: "):
        np.testing.assert_array_equal(images[:3], expected[[0, 0, 1]])
    assert images.stream(5, seed=0)._reader._skip_damaged


def test_a_folder_that_memory_does_not_hold(folder, contents, tmp_path, monkeypatch, capsys):
    assert isinstance(images_alone(folder, SHAPE), np.ndarray)
    assert image_shape_of(folder) is None
    monkeypatch.setattr(_file_images, "_memory", lambda: 2 * NUMBER * 6 * 8 * 3 - 1)
    images = images_alone(folder, SHAPE)
    assert isinstance(images, FileImages) and "23 images, each read" in capsys.readouterr().out
    assert image_shape_of(folder)[:2] == np.shape(Image.open(folder / "train/a/00.jpg"))
    monkeypatch.undo()
    path = write_tfrecord(tmp_path / "a.tfrecord", [content for content, _ in contents])
    assert isinstance(images_alone(path, SHAPE), FileImages)
    images = FileImages(path, SHAPE)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="a.tfrecord: record 0 is not a readable image"):
        images[:1]
