"""Converts images in [0, 1] to the inputs of pretrained networks."""

import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int

_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

# For each: whether blue is first; the factor and the summand, of all channels or of each.
PREPROCESSING = {
    "rescale": (False, 255.0, 0.0),
    "tf": (False, 2.0, -1.0),
    "torch": (False, 1 / _STD, -_MEAN / _STD),
    "caffe": (True, 255.0, -np.array([103.939, 116.779, 123.68])),
}
COLOURED = ("torch", "caffe")


def prepared(images, name):
    """Images (..., c) in [0, 1], prepared as `PREPROCESSING` defines, as a float32 tensor."""
    reverse, factor, summand = PREPROCESSING[name]
    images = ops.convert_to_tensor(images, "float32")
    if reverse:
        images = ops.flip(images, axis=-1)
    factor, summand = (ops.convert_to_tensor(x, "float32") for x in (factor, summand))
    return images * factor + summand


def preprocessing_of(preprocess_input):
    """The name of the preprocessing by a `keras.applications` function of images in [0, 255]."""
    images = np.linspace(0, 1, 24, dtype="float32").reshape((1, 2, 4, 3))
    expected = ops.convert_to_numpy(preprocess_input(255 * images))
    for name in PREPROCESSING:
        if np.allclose(ops.convert_to_numpy(prepared(images, name)), expected, atol=1e-3):
            return name
    raise ValueError(
        f"`preprocessing` must be given: {preprocess_input.__module__}.preprocess_input is none "
        f'of {list(PREPROCESSING)}. Received: preprocessing="auto"'
    )


def resize(images, size):
    """Images (n, h, w, c) resized bilinearly, with antialiasing.

    By two matrix products, because XLA cannot compile TensorFlow's resizing with antialiasing.
    """
    height, width = images.shape[1:3]
    images = ops.einsum("oh,nhwc->nowc", _weights(height, size[0]), images)
    return ops.einsum("ow,nhwc->nhoc", _weights(width, size[1]), images)


def _weights(old, new):
    """The weights of the old pixels in each new one: tensor (new, old)."""
    step = old / new
    centres = (np.arange(new)[:, None] + 0.5) * step - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(old) - centres) / max(step, 1))
    return ops.convert_to_tensor(weights / weights.sum(axis=1, keepdims=True), "float32")


def as_size(size):
    """`size` as (height, width), or `None`."""
    if size is None:
        return None
    sides = size if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2:
        raise ValueError(f"`image_size` must be one or two sides. Received: image_size={size}")
    return tuple(check_int("image_size", side) for side in sides)
