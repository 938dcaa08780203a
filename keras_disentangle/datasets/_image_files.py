"""Images from folders, zip files and npz files."""

import collections
import functools
import os
import warnings

import numpy as np

from keras_disentangle._files import open_npz, open_zip, short
from keras_disentangle.datasets import _pictures
from keras_disentangle.datasets._file_contents import files_below, read_file, read_zipped
from keras_disentangle.datasets._image_arrays import as_uint8_images, fit_images, fit_picture

SPLITS = ("train", "test", "val", "valid", "validation")
SKIPPING = "`skip_damaged=True` (--skip-damaged) goes on without what cannot be read"


def has_images(folder):
    return any(path.suffix.lower() in _pictures.SUFFIXES for path in folder.rglob("*"))


def read_path(path, split, image_shape, skip_damaged=False):
    """Images and labels (or None) of a folder, a zip of one, or an npz file."""
    if path.is_dir():
        files = {name: path / name for name in files_below(path)}
        return _read_folder(path, files, read_file, split, image_shape, skip_damaged)
    if path.suffix == ".npz":
        return _read_npz(path, split, image_shape)
    if path.suffix == ".zip":
        with open_zip(path) as archive:
            files = {info.filename: info for info in archive.infolist() if not info.is_dir()}
            read = functools.partial(read_zipped, archive)
            return _read_folder(path, files, read, split, image_shape, skip_damaged)
    raise ValueError(
        f"`name_or_path` must be a folder of images, a .zip of one, or an .npz. Received: {path}"
    )


def read_array(images, split, image_shape):
    """Images of an array, without labels and with "train" as the only split."""
    check_split(split, ["train"], "an array")
    return fit_images(as_uint8_images(images, "name_or_path"), image_shape), None


def _read_npz(path, split, image_shape):
    with open_npz(path) as arrays:
        splits = sorted(key[2:] for key in arrays if key.startswith("x_"))
        single = next((key for key in ("images", "imgs") if key in arrays), None)
        if not splits and single is None:
            raise ValueError(
                f"{path} must hold x_train (and y_train, x_test, y_test), or images or imgs "
                f"(and labels). Received: {list(arrays)}"
            )
        check_split(split, splits or ["train"], path)
        image_key, label_key = (f"x_{split}", f"y_{split}") if splits else (single, "labels")
        images, labels = arrays[image_key], arrays.get(label_key)
    images = as_uint8_images(images, f"{path}: {image_key}")
    if labels is not None:
        if labels.size != len(images) or labels.dtype.kind not in "iu":
            raise ValueError(
                f"{path}: {label_key} must be {len(images)} integers, one for each image. "
                f"Received: shape={labels.shape}, dtype={labels.dtype}"
            )
        labels = labels.reshape(-1).astype(np.int64)
    return fit_images(images, image_shape), labels


def _read_folder(path, members, read, split, image_shape, skip_damaged):
    """Reads the images of `split`; `members` is a dict by name, `read` returns the bytes of one."""
    chosen, labels = choose(path, members, split)

    def image(member):
        picture, is_animated = _pictures.decode(read(member))
        return fit_picture(picture, image_shape or _pictures.shape_of(picture)), is_animated

    members = {name: members[name] for name in chosen}
    images, kept = read_pictures(path, members, image, skip_damaged, stacklevel=5)
    return as_uint8_images(images, str(path)), None if labels is None else labels[kept]


def choose(path, names, split):
    """The images of a split, and their labels, in a layout that `load_images` takes.

    That is `split/class/*`, `class/*` or `*`; a single folder around all of it is skipped.

    Args:
        path: the folder or archive.
        names: the names of all files in it.
        split: name of the split.

    Returns:
        `(names, labels)`: in order, and int64 (n,) or `None` if there are no classes.

    Raises:
        ValueError: if there are no images, no such split, or images beside folders of classes.
    """
    files, others = [], []
    for name in sorted(names):
        parts = name.replace("\\", "/").split("/")
        parts = tuple(part for part in parts if part not in ("", "."))
        hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        if parts and not hidden and parts[-1].lower().endswith(_pictures.SUFFIXES):
            files.append((parts, name))
        elif parts and not hidden:
            others.append(parts[-1])
    check_kinds(path, len(files), others, stacklevel=6)

    splits = _splits(files, split)
    while not splits and len({parts[0] for parts, _ in files}) == 1 and len(files[0][0]) > 1:
        files = [(parts[1:], name) for parts, name in files]
        splits = _splits(files, split)
    check_split(split, splits or ["train"], path)
    if splits:
        inner = [(parts[0], parts[1:], name) for parts, name in files if len(parts) > 1]
    else:
        inner = [("train", parts, name) for parts, name in files]

    chosen = [(parts, name) for part, parts, name in inner if part == split]
    in_class = {len(parts) > 1 for parts, _ in chosen}
    if len(in_class) == 2:
        raise ValueError(f"{path} must hold class folders or images, not both side by side")
    names = [name for _, name in chosen]
    if in_class == {False}:
        return names, None
    # Numbered over all splits, so that a class missing from one does not shift the others.
    classes = sorted({parts[0] for _, parts, _ in inner if len(parts) > 1})
    number = {name: i for i, name in enumerate(classes)}
    return names, np.array([number[parts[0]] for parts, _ in chosen], np.int64)


def _splits(files, split):
    """The folders that are splits; none if they are classes, one of which may be named "test"."""
    folders = [parts[0] for parts, _ in files if len(parts) > 1]
    if split not in SPLITS and split in folders:
        return sorted({split} | (set(folders) & set(SPLITS)))
    named = set(folders) & set(SPLITS)
    with_classes = {parts[0] for parts, _ in files if len(parts) > 2}
    are_splits = named == set(folders) or len(named) > 1 or named & with_classes
    return sorted(named) if are_splits else []


def check_split(split, splits, where):
    """Raises a ValueError unless `split` is one of `splits`, those of `where`."""
    if split not in splits:
        raise ValueError(f"`split` must be one of {splits}, those of {where}. Received: {split!r}")


def read_pictures(path, members, image, skip_damaged, stacklevel, kind="image"):
    """Reads the pictures of a folder or archive, each of which may be damaged.

    Args:
        path: the folder or archive.
        members: dict from the name of a picture to what `image` takes; not empty.
        image: function that gives an array, and whether the file has several frames.
        skip_damaged: whether a picture that cannot be read is left out, with a warning.
        stacklevel: as in `warnings.warn`.
        kind: what a picture is, in messages.

    Returns:
        `(images, kept)`: an array of the images, and the places of their pictures in `members`,
        int64 (n,).

    Raises:
        ValueError: if pictures cannot be read, after all were tried, unless they are left out; if
            none can; or as `stacked`.
    """
    animated, kept, damaged, reason = [], [], [], None

    def readable():
        nonlocal reason
        for place, (name, member) in enumerate(members.items()):
            try:
                found, is_animated = image(member)
            except Exception as error:  # Pillow and zipfile raise many kinds for a damaged file.
                damaged.append(name)
                reason = reason or error
                continue
            if damaged and not skip_damaged:
                continue  # The error is to count the others.
            animated.extend([name] * is_animated)
            kept.append(place)
            yield name, found

    images = stacked(readable(), path)
    if damaged:
        first = unreadable(damaged[0], short(reason), kind)
        others = f", and {len(damaged) - 1} more: {_some(damaged[1:])}" if damaged[1:] else ""
        if not skip_damaged:
            number = f"{len(damaged)} of {len(members)} files cannot be read"
            raise ValueError(f"{path}: {first}{others} ({number}). {SKIPPING}") from reason
        if not kept:
            raise ValueError(
                f"{path} must hold a picture that can be read. Received: {first}{others}"
            ) from reason
        warnings.warn(
            f"{path}: left out {len(damaged)} of {len(members)} files: {first}{others}",
            stacklevel=stacklevel,
        )
    if animated:
        warnings.warn(
            f"{path}: {len(animated)} of {len(members)} images have several frames, of which the "
            f"first is used: {_some(animated)}",
            stacklevel=stacklevel,
        )
    return images, np.array(kept, np.int64)


def unreadable(name, error, kind="image"):
    """What is said of an image that cannot be read."""
    return f"{name} is not a readable {kind}: {error}"


def _some(names):
    """The first names of a list, as text."""
    return f"{', '.join(names[:3])}{', …' if names[3:] else ''}"


def stacked(images, path):
    """Stacks pairs (name, image) into an array of images, which grows with each image.

    Allocating the first image's size times their number could exceed the size of all of them.

    Returns:
        The array, `None` if there are no images.

    Raises:
        ValueError: if images differ in shape, or do not fit into memory.
    """
    images = iter(images)
    first_name, first = next(images, (None, None))
    if first is None:
        return None

    def same():
        yield first
        for name, image in images:
            if image.shape != first.shape:
                raise ValueError(
                    f"`image_shape` must be given if images differ: {path}: {first_name} is "
                    f"{first.shape} and {name} is {image.shape}. Received: image_shape=None"
                )
            yield image

    try:
        return np.fromiter(same(), np.dtype((first.dtype, first.shape)))
    except MemoryError as error:
        raise ValueError(
            f"`image_shape` must be smaller: the images of {path} do not fit into memory with "
            f"{first.shape}"
        ) from error


def check_kinds(path, count, others, stacklevel):
    """Warns of images in formats that are not read.

    Args:
        path: their folder or archive.
        count: number of images in formats that are read.
        others: names of all other files.
        stacklevel: as in `warnings.warn`.

    Raises:
        ValueError: if `count` is 0.
    """
    endings = (os.path.splitext(name)[1].lower() for name in others)
    left = collections.Counter(ending for ending in endings if ending in _pictures.OTHERS)
    skipped = ", ".join(f"{number} {ending}" for ending, number in sorted(left.items()))
    kinds = ", ".join(_pictures.SUFFIXES)
    if not count:
        raise ValueError(f"{path} must hold images ({kinds}). It holds {skipped or 'none'}")
    if skipped:
        warnings.warn(
            f"{path}: only images of the kinds {kinds} are read, {count} here. Left out: "
            f"{skipped}. Convert them, or move them elsewhere.",
            stacklevel=stacklevel,
        )
