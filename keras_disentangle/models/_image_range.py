"""The range of a generator's images: inferred from the network, and mapped to [0, 1]."""

import warnings

import keras
import numpy as np

from keras_disentangle._tensors import to_numpy
from keras_disentangle._unmoved import unmoved
from keras_disentangle.models._conditioning import call_network
from keras_disentangle.models._networks import output_activation

RANGES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
}
# Activations after which images have no lower or no upper bound.
_UNBOUNDED = ("linear", "leaky_relu", "elu", "selu", "softplus", "gelu", "silu")


def check_range(image_range, generator, code_dim=None, labels=None):
    """A model's argument `image_range` as (low, high) or None, and the source of an inferred one.

    Args:
        image_range: the argument.
        generator: the built network. `"auto"` infers the range from its last activation; if that
            is not known, from images of large codes, which saturate it, with a warning.
        code_dim: width of its codes, or `None` if no images are to be generated.
        labels: the `Labels` of a conditional model.

    Raises:
        ValueError: if the argument is none of `"auto"`, `None` and (low, high).
    """
    if isinstance(image_range, str) and image_range == "auto":
        return _inferred(generator, code_dim, labels)
    if image_range is None:
        return None, None
    try:
        low, high = map(float, image_range)
    except (TypeError, ValueError):
        low = high = 0.0
    if not -np.inf < low < high < np.inf:
        raise ValueError(
            '`image_range` must be "auto", None or (low, high) with low < high. '
            f"Received: image_range={image_range!r}"
        )
    return (low, high), None


def _inferred(generator, code_dim, labels):
    activation = output_activation(generator)
    if activation in RANGES:
        return RANGES[activation], f"its {activation}"
    if activation in _UNBOUNDED or code_dim is None:
        return None, None
    found = range_of_samples(generator, code_dim, labels)
    if found is None:
        warnings.warn(
            "`image_range` cannot be inferred from `generator`: its images are used as they are, "
            "and the data must have the same range. Give image_range=(low, high), or None to "
            "confirm that.",
            stacklevel=5,
        )
        return None, None
    low, high = found
    warnings.warn(
        f"`image_range` was inferred from images of `generator` to be ({low:g}, {high:g}). Give it "
        "as an argument if that is wrong.",
        stacklevel=5,
    )
    return found, "images that it gave"


def range_of_samples(generator, code_dim, labels=None):
    """(0, 1) or (-1, 1) if images of large codes reach both endpoints and do not exceed them."""
    codes = np.random.default_rng(0).normal(size=(32, code_dim)) * 1e3
    given = None
    if labels is not None:
        given = np.arange(32) % labels.dim if labels.num_classes else np.zeros((32, labels.dim))
        given = keras.ops.convert_to_tensor(labels.check("labels", given))
    with unmoved(generator):
        codes = keras.ops.convert_to_tensor(codes, "float32")
        images = call_network(generator, codes, given, training=False)
        images = to_numpy("generator(z)", keras.ops.stop_gradient(images))
    for low, high in ((0.0, 1.0), (-1.0, 1.0)):
        inside = low - 1e-6 <= images.min() and images.max() <= high + 1e-6
        if inside and images.min() < low + 0.01 and images.max() > high - 0.01:
            return low, high
    return None


def to_range(x, image_range):
    """Maps images from [0, 1] to the range; returns them unchanged if it is `None`."""
    if image_range is None:
        return x
    low, high = image_range
    return low + (high - low) * x


def from_range(x, image_range):
    """Maps images from the range to [0, 1]; returns them unchanged if it is `None`."""
    if image_range is None:
        return x
    low, high = image_range
    return (x - low) / (high - low)
