"""Learnt logarithms of standard deviations, with a floor."""

import math

import keras
from keras import ops


class Floor(keras.constraints.Constraint):
    """Keeps a weight from falling below a number."""

    def __init__(self, minimum):
        self.minimum = minimum

    def __call__(self, value):
        return ops.maximum(value, self.minimum)


def add_log_std(layer, shape, minimum, name):
    """A weight of `layer` that starts at 0 and that a constraint keeps from falling below
    `minimum`, a number or `None`."""
    return layer.add_weight(
        shape=shape,
        initializer="zeros",
        dtype="float32",
        autocast=False,
        constraint=None if minimum is None else Floor(minimum),
        name=name,
    )


def floored(log_std, minimum):
    """The value of such a weight: never below `minimum`, with the gradient unchanged."""
    raw = ops.convert_to_tensor(log_std)
    if minimum is None:
        return raw
    return ops.stop_gradient(ops.maximum(raw, minimum)) + (raw - ops.stop_gradient(raw))


def checked_floor(min_log_std, name="min_log_std"):
    """The floor as a float, or `None`; `name` is that of the argument in errors.

    Raises:
        ValueError: if it is neither `None` nor a finite number <= 0.
    """
    if min_log_std is None:
        return None
    try:
        number = float(min_log_std)
    except (TypeError, ValueError):
        number = math.nan
    if not -math.inf < number <= 0:
        raise ValueError(
            f"`{name}` must be None or a finite number <= 0, where the scales start. "
            f"Received: {name}={min_log_std!r}"
        )
    return number
