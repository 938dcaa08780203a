"""Images from folders, zip files and npz files."""

import pathlib
import zipfile

import numpy as np
from PIL import Image

from keras_disentangle.datasets._image_arrays import as_uint8_images, fit_images, fit_picture

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
_SPLITS = ("train", "test", "val", "valid", "validation")


def has_images(folder):
    return any(path.suffix.lower() in _SUFFIXES for path in folder.rglob("*"))


def read_path(path, split, image_shape):
    """Images and labels (or None) of a folder, a zip of one, or an npz file."""
    if path.is_dir():
        names = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]
        return _read_folder(path, names, lambda name: open(path / name, "rb"), split, image_shape)
    if path.suffix == ".npz":
        return _read_npz(path, split, image_shape)
    if path.suffix == ".zip":
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is not a readable zip file: {error}") from error
        with archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            return _read_folder(path, names, archive.open, split, image_shape)
    raise ValueError(
        f"`name_or_path` must be a folder of images, a .zip of one, or an .npz. Received: {path}"
    )


def read_array(images, split, image_shape):
    """Images of an array, which has no labels and no split but "train"."""
    _check_split(split, ["train"], "an array")
    return fit_images(as_uint8_images(images, "name_or_path"), image_shape), None


def _read_npz(path, split, image_shape):
    try:
        arrays = np.load(path, allow_pickle=False)
        keys = arrays.files
    except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file.
        raise ValueError(f"{path} is not a readable npz file: {error}") from error
    with arrays:
        splits = sorted(key[2:] for key in keys if key.startswith("x_"))
        single = next((key for key in ("images", "imgs") if key in keys), None)
        if not splits and single is None:
            raise ValueError(
                f"{path} must hold x_train (and y_train, x_test, y_test), or images or imgs "
                f"(and labels). Received: {keys}"
            )
        _check_split(split, splits or ["train"], path)
        image_key, label_key = (f"x_{split}", f"y_{split}") if splits else (single, "labels")
        try:
            images = arrays[image_key]
            labels = arrays[label_key] if label_key in keys else None
        except Exception as error:
            raise ValueError(f"{path}: {image_key} or {label_key} is damaged: {error}") from error
    images = as_uint8_images(images, f"{path}: {image_key}")
    if labels is not None:
        if labels.size != len(images) or labels.dtype.kind not in "iu":
            raise ValueError(
                f"{path}: {label_key} must be {len(images)} integers, one for each image. "
                f"Received: shape={labels.shape}, dtype={labels.dtype}"
            )
        labels = labels.reshape(-1).astype(np.int64)
    return fit_images(images, image_shape), labels


def _read_folder(path, names, open_file, split, image_shape):
    """Reads `split/class/*`, `class/*` or `*`; a folder around all of it is looked through."""
    files = []
    for name in sorted(names):
        parts = pathlib.PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or parts[0].startswith("/") or parts[0].endswith(":"):
            raise ValueError(f"{path} has a member outside itself: {name!r}")
        hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        if not hidden and parts[-1].lower().endswith(_SUFFIXES):
            files.append((parts, name))
    if not files:
        raise ValueError(f"{path} must hold images ({', '.join(_SUFFIXES)}). It holds none")

    splits = _splits(files, split)
    while not splits and len({parts[0] for parts, _ in files}) == 1 and len(files[0][0]) > 1:
        files = [(parts[1:], name) for parts, name in files]
        splits = _splits(files, split)
    _check_split(split, splits or ["train"], path)
    if splits:
        inner = [(parts[0], parts[1:], name) for parts, name in files if len(parts) > 1]
    else:
        inner = [("train", parts, name) for parts, name in files]

    chosen = [(parts, name) for part, parts, name in inner if part == split]
    images = _read_images(path, [name for _, name in chosen], open_file, image_shape)
    in_class = {len(parts) > 1 for parts, _ in chosen}
    if in_class == {False}:
        return images, None
    if len(in_class) == 2:
        raise ValueError(f"{path} must hold class folders or images, not both side by side")
    # Numbered over all splits, so that a class missing from one does not shift the others.
    classes = sorted({parts[0] for _, parts, _ in inner if len(parts) > 1})
    number = {name: i for i, name in enumerate(classes)}
    return images, np.array([number[parts[0]] for parts, _ in chosen], np.int64)


def _splits(files, split):
    first = {parts[0] for parts, _ in files if len(parts) > 1}
    # A folder that is called like the wanted split is one; so are the usual names.
    return sorted(first & {split, *_SPLITS})


def _check_split(split, splits, where):
    if split not in splits:
        raise ValueError(f"`split` must be one of {splits}, those of {where}. Received: {split!r}")


def _read_images(path, names, open_file, image_shape):
    out = None
    for i, name in enumerate(names):
        try:
            with open_file(name) as file, Image.open(file) as picture:
                picture.load()
                if picture.mode[0] in "IF":
                    raise ValueError(f"images must have 8 bits a channel, not mode {picture.mode}")
                shape = image_shape or (
                    picture.height,
                    picture.width,
                    1 if picture.mode in ("1", "L", "LA") else 3,
                )
                image = fit_picture(picture, shape)
        except Exception as error:  # Pillow and zipfile raise many kinds for a damaged file.
            raise ValueError(f"{path}: {name} is not a readable image: {error}") from error
        if out is None:
            out = np.empty((len(names), *shape), np.uint8)
        if image.shape != out.shape[1:]:
            raise ValueError(
                f"`image_shape` must be given when images differ: {path}: {names[0]} is "
                f"{out.shape[1:]} and {name} is {image.shape}. Received: image_shape=None"
            )
        out[i] = image
    return as_uint8_images(out, str(path))
