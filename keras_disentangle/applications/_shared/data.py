"""Data other than those that a recipe was written for: in which shape they go in."""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_disentangle import datasets
from keras_disentangle.datasets import _pictures
from keras_disentangle.datasets._file_images import FileImages
from keras_disentangle.datasets._image_records import is_records
from keras_disentangle.datasets._image_sources import open_images
from keras_disentangle.datasets.named import FROM_FILES, RENDERED, factor_data

LARGEST = 128  # pixels a side that are taken as they are
_NAMED = {
    "mnist": (28, 28, 1),
    "fashion_mnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "svhn": (32, 32, 3),
    "celeb_a": (218, 178, 3),
}
_FILES = 20  # that are looked at for one that is whole


_skips_damaged = False


@contextlib.contextmanager
def skipping_damaged(skips):
    """Within, applications leave out the image files that cannot be read, if `skips`."""
    global _skips_damaged
    before, _skips_damaged = _skips_damaged, skips
    try:
        yield
    finally:
        _skips_damaged = before


def skips_damaged():
    """Whether applications leave out the image files that cannot be read."""
    return _skips_damaged


def spread(images, number):
    """At most so many of the images (n, h, w, c), evenly over their order, from the first on.

    Those of a folder are sorted: the first of them may all be of one of its folders.
    """
    if len(images) <= number:
        return images[:]
    return images[np.linspace(0, len(images) - 1, number).round().astype(int)]


def load_images(name, **options):
    """What `kd.datasets.load_images` gives, with or without damaged files.

    All of the command is read here, so that Python gives a warning once, however often data are.
    """
    return datasets.load_images(name, skip_damaged=_skips_damaged, **options)


def shape_of_data(name, image_shape, data_dir=None, image_size=None):
    """The shape in which a training takes the data: their own, or a square with their channels.

    Args:
        name: what `--data` says.
        image_shape: that of the recipe: its size is taken for what is drawn in any size.
        data_dir: where named data lie.
        image_size: the side that was asked for, or `None`.

    Raises:
        ValueError: if images differ in size or are larger than 128 pixels a side, and no size was
            asked for.
    """
    size = image_size or image_shape[0]
    if name in RENDERED:
        return tuple(RENDERED[name](size).image_shape)
    if name in FROM_FILES:
        return size, size, FROM_FILES[name][1]
    shape = image_shape_of(name, data_dir)
    if image_size is not None:
        if shape is not None:
            return size, size, shape[-1]
        # Whether images of several sizes are grey shows once they have one.
        return size, size, 1 if _is_grey(name, data_dir, size) else 3
    if shape is None or max(shape[:2]) > LARGEST:
        raise ValueError(
            "`image_size` must be given (--image-size) for images that differ in size or have more "
            f"than {LARGEST} pixels a side: they are cropped to a square around their centre and "
            f"scaled to it. Received: data={name}, with {described(shape)}"
        )
    return shape


def with_shape_of(recipe, data, image_size, data_dir):
    """A recipe, with `data` and `image_shape`, for other data or another size of the images.

    Args:
        recipe: the recipe.
        data, image_size: what `--data` and `--image-size` say, or `None`.
        data_dir: where named data lie.

    Raises:
        ValueError: as `shape_of_data`.
    """
    if data in (None, recipe.data) and image_size is None:
        return recipe
    data = recipe.data if data is None else data
    shape = shape_of_data(data, recipe.image_shape, data_dir, image_size)
    print(f"{data}: trained on as images of {text(shape)}")
    return replace(recipe, data=data, image_shape=shape)


def factors_or_images(name, image_shape, data_dir=None):
    """A data set with factors, or an array of images if they have none."""
    # CelebA is learnt from without its attributes.
    found = None if name == "celeb_a" else factor_data(name, image_shape, data_dir)
    if found is not None:
        return found
    return images_alone(name, image_shape, data_dir)


def images_alone(name, image_shape, data_dir=None):
    """An array of images, or `FileImages` if memory does not hold them or they are records."""
    if _are_files(name):
        images = FileImages(name, image_shape, skip_damaged=_skips_damaged)
        if not images.fit_in_memory:
            print(f"{name}: {len(images):,} images, each read when it is needed")
            return images
    return load_images(name, data_dir=data_dir, image_shape=image_shape)[0]


def _are_files(name):
    path = Path(str(name)).expanduser()
    is_file = path.is_file() and (path.suffix == ".zip" or is_records(path))
    return name not in _NAMED and (path.is_dir() or is_file)


def check_shape_is_said(name, image_shape, data_dir, argument, said, choices):
    """Refuses data that would be brought to the size or colours of a default that nobody chose.

    Args:
        name: what `--data` says.
        image_shape: that of the networks, which take no other.
        data_dir: where named data lie.
        argument: the option that says the shape.
        said: whether it was given.
        choices: dict of its values to their image shapes.

    Raises:
        ValueError: if it was not, and the data have another shape.
    """
    shape = image_shape_of(name, data_dir)
    if shape != tuple(image_shape) and not said:
        known = ", ".join(f"{key} ({text(value)})" for key, value in choices.items())
        raise ValueError(
            f"`{argument}` must be given for data of another shape than that of the default, "
            f"{text(image_shape)}: it says the shape to which they are brought. It is one of: "
            f"{known}. Received: data={name}, with {described(shape)}"
        )
    say(name, shape, image_shape)


def announce(name, image_shape, data_dir=None):
    """Prints what becomes of named or stored images that a trained model takes in another shape."""
    if is_there(name):
        shape = image_shape_of(name, data_dir)
        if shape != tuple(image_shape):
            say(name, shape, image_shape)


def is_there(name):
    """Whether this is the name of images, or a path that exists."""
    return name in _NAMED or Path(str(name)).expanduser().exists()


def say(name, shape, image_shape):
    """Prints what becomes of data of one's own."""
    done = [f"taken as {text(image_shape)}"]
    if shape is None or shape[:2] != tuple(image_shape[:2]):
        done.append("cropped around the centre to this aspect and scaled")
    if shape is not None and shape[-1] != image_shape[-1]:
        done.append("turned grey" if image_shape[-1] == 1 else "grey repeated as colour")
    print(f"{name}: {described(shape)}, {', '.join(done)}")


def described(shape):
    return "images of several sizes" if shape is None else f"images of {text(shape)}"


def text(shape):
    return "×".join(map(str, shape))


def image_shape_of(name, data_dir=None):
    """(h, w, c) of data as they are; `None` if images differ."""
    if name in _NAMED:
        return _NAMED[name]
    path = Path(str(name)).expanduser()
    if path.suffix in (".h5", ".npz"):
        data = factor_data(name, (None, None, None), data_dir)
        if data is not None:
            return tuple(data.image_shape)
    elif _are_files(name):
        # Before all images are read as they are, which memory may not hold.
        first = _first_shape(path)
        large = first is not None and max(first[:2]) > LARGEST
        if large or first and not FileImages(path, (*first[:2], 3)).fit_in_memory:
            return first
    try:
        return tuple(load_images(name, data_dir=data_dir)[0].shape[1:])
    except ValueError as error:
        if str(error).startswith("`name_or_path` must be one of"):
            raise ValueError(
                f"`data` must be {', '.join([*RENDERED, *FROM_FILES, *_NAMED])}, or the path of "
                f"a folder, .zip, .npz or .h5 file that exists. Received: data={name}"
            ) from error
        if not str(error).startswith("`image_shape` must be given"):
            raise
        return None


def _first_shape(path):
    """(h, w, c) of an image of a folder or zip, `None` if the first files are none."""
    with contextlib.closing(open_images(path, "train", None)) as images:
        for i in range(min(_FILES, len(images))):
            # What is damaged is named when all are read.
            with contextlib.suppress(Exception):
                content, _ = images.read(i)
                return _pictures.shape_of(_pictures.decode(content)[0])
    return None


def _is_grey(name, data_dir, size):
    images = load_images(name, data_dir=data_dir, image_shape=(size, size, 3))[0]
    return bool((images == images[..., :1]).all())
