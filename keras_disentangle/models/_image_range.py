"""The range of a generator's images: told from its last activation, and mapped to [0, 1]."""

from keras_disentangle.models._networks import output_activation

_RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


def check_range(image_range, generator):
    """A model's argument `image_range` as (low, high) or None, or a ValueError."""
    if image_range == "auto":
        return _RANGES.get(output_activation(generator))
    if image_range is None:
        return None
    try:
        low, high = map(float, image_range)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high:
        raise ValueError(
            '`image_range` must be "auto", None or (low, high) with low < high. '
            f"Received: image_range={image_range!r}"
        )
    return (low, high)


def to_range(x, image_range):
    """Images in [0, 1] to the range; as they are if it is None."""
    if image_range is None:
        return x
    low, high = image_range
    return low + (high - low) * x


def from_range(x, image_range):
    """Images in the range to [0, 1]; as they are if it is None."""
    if image_range is None:
        return x
    low, high = image_range
    return (x - low) / (high - low)
