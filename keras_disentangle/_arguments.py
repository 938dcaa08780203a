"""Checks of arguments: each error names the argument, what was expected and what was received."""

import math
import numbers
import operator
import os

import keras
import numpy as np

_LARGEST = 2**31 - 1  # Shapes and counters of every backend hold this.
_LARGEST_FLOAT = float(np.finfo("float32").max)


def check_int(name, value, minimum=1, maximum=_LARGEST):
    """`value` as an int from `minimum` to `maximum`, or a ValueError."""
    number = _integer(value)
    if number is None or number < minimum:
        raise ValueError(f"`{name}` must be an integer >= {minimum}. Received: {name}={value!r}")
    if number > maximum:
        raise ValueError(f"`{name}` must be an integer <= {maximum}. Received: {name}={value!r}")
    return number


def check_seed(name, value, *, optional=True, generator=False):
    """`value` as a seed that every backend takes: an int in [0, 2**31), or `None`.

    Every integer >= 0 is a seed. Seeds of 2**31 and above, which PyTorch refuses, are hashed to 31
    bits; smaller ones are unchanged.

    Args:
        name, value: the argument.
        optional: whether `None`, a different seed each time, is allowed.
        generator: whether a `keras.random.SeedGenerator` is allowed; it is returned unchanged.

    Raises:
        ValueError: if it is none of these.
    """
    if optional and value is None or generator and isinstance(value, keras.random.SeedGenerator):
        return value
    seed = _integer(value)
    if seed is None or seed < 0:
        others = ["a SeedGenerator"] * generator + ["None"] * optional
        raise ValueError(
            f"`{name}` must be {' or '.join(['an integer >= 0', *others])}. "
            f"Received: {name}={value!r}"
        )
    if seed > _LARGEST:
        seed = int(np.random.SeedSequence(seed).generate_state(1)[0]) >> 1
    return seed


def check_number(name, value, minimum=-math.inf, maximum=math.inf, *, above=None, below=None):
    """`value` as a finite float in [`minimum`, `maximum`], above `above` and below `below`."""
    number = _real(value)
    inside = math.isfinite(number) and minimum <= number <= maximum
    inside = inside and (above is None or number > above) and (below is None or number < below)
    if not inside:
        bounds = [f">= {minimum:g}"] * (minimum > -math.inf) + [f"<= {maximum:g}"] * (
            maximum < math.inf
        )
        bounds += [f"> {x:g}" for x in (above,) if x is not None]
        bounds += [f"< {x:g}" for x in (below,) if x is not None]
        expected = " ".join(["a finite number", " and ".join(bounds)]).strip()
        raise ValueError(f"`{name}` must be {expected}. Received: {name}={value!r}")
    return number


def check_weight(name, value):
    """`value` as a float of at least 0 that is finite in float32 too, or a ValueError."""
    number = check_number(name, value, 0)
    if number > _LARGEST_FLOAT:
        raise ValueError(
            f"`{name}` must be a finite number >= 0, also in float32. Received: {name}={value!r}"
        )
    return number


def check_choice(name, value, choices):
    """`value` if it is one of `choices`, strings or `None`, or a ValueError."""
    choices = tuple(choices)
    if not is_choice(value, choices):
        raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")
    return value


def is_choice(value, choices):
    """Whether `value` is one of `choices`, strings or `None`; False for any other type, such as an
    array or a tensor."""
    return any(value is choice or isinstance(value, str) and value == choice for choice in choices)


def check_flag(name, value):
    """`value` as a bool, or a ValueError: the truth value of another type may be a mistake."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"`{name}` must be True or False. Received: {name}={value!r}")
    return bool(value)


def check_path(name, value):
    """`value` as a path string, or a ValueError."""
    try:
        path = os.fspath(value)
    except TypeError:
        path = None
    if not isinstance(path, str):
        raise ValueError(f"`{name}` must be a path. Received: {name}={value!r}")
    return path


def check_callable(name, value):
    """`value` if it is callable, or a ValueError."""
    if not callable(value):
        raise ValueError(f"`{name}` must be a function. Received: {name}={value!r}")
    return value


def listed(value):
    """The items of `value` as a list, or a TypeError, including for a symbolic tensor."""
    try:
        return list(value)
    except NotImplementedError as error:
        raise TypeError(str(error)) from error


def check_verbose(name, value):
    """`value` as Keras takes it: "auto", a boolean or an integer >= 0; or a ValueError."""
    return value if isinstance(value, bool) or value == "auto" else check_int(name, value, 0)


def _integer(value):
    """`value` as an int, or `None` for a bool, text, fraction or array of several."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)
    except (TypeError, ValueError, AttributeError, RuntimeError):
        return None


def _real(value):
    """`value` as a float, or NaN for a bool, text, complex number or array of several."""
    if isinstance(value, (bool, np.bool_, str, bytes)) or getattr(value, "ndim", 0):
        return math.nan
    if isinstance(value, numbers.Complex) and not isinstance(value, numbers.Real):
        return math.nan
    try:
        return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, AttributeError, OverflowError, RuntimeError):
        return math.nan
