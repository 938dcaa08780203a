"""Labelled images in three parts."""

import numpy as np

from keras_disentangle.applications._shared.data import load_images


class Splits(dict):
    """The parts of a data set, "train", "valid" and "test": each a pair (images, labels).

    Args:
        name: that of the data set.
        **parts: the parts.
    """

    def __init__(self, name, **parts):
        super().__init__(parts)
        self.name = name


def load_splits(data, image_shape, data_dir=None):
    """The `Splits` of a data set, as `load_images` loads it; the labels of CelebA are its
    attributes.

    The last twelfth of the training part is for validation; data without a test part are split
    into ten, one and one twelfths. Images that are sorted by class, such as those of folders, are
    shuffled first.

    Raises:
        ValueError: as `load_images`, or if there are fewer than three images.
    """
    options = {"data_dir": data_dir, "image_shape": image_shape, "attributes": data == "celeb_a"}
    images, labels = load_images(data, split="train", **options)
    if labels is not None and labels.ndim == 1 and (np.diff(labels) >= 0).all():
        order = np.random.default_rng(0).permutation(len(images))
        images, labels = images[order], labels[order]
    if len(images) < 3:
        raise ValueError(f"`data` must hold at least 3 images. Received: {data}, {len(images)}")
    held_out = max(1, len(images) // 12)
    try:
        test = load_images(data, split="test", **options)
    except ValueError as error:
        if not str(error).startswith("`split` must be"):
            raise
        test, images, labels = (
            _part(images, labels, slice(-held_out, None)),
            *_part(images, labels, slice(None, -held_out)),
        )
    return Splits(
        data,
        train=_part(images, labels, slice(None, -held_out)),
        valid=_part(images, labels, slice(-held_out, None)),
        test=test,
    )


def _part(images, labels, part):
    return images[part], None if labels is None else labels[part]
