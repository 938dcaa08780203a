"""Checks that arguments everywhere go through: each error names one and shows what came."""

import math
import operator


def check_int(name, value, minimum=1):
    """`value` as an int of at least `minimum`, or a ValueError."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < minimum:
        raise ValueError(f"`{name}` must be an integer >= {minimum}. Received: {name}={value!r}")
    return number


def check_weight(name, value):
    """`value` as a finite float of at least 0, or a ValueError."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError(f"`{name}` must be a finite number >= 0. Received: {name}={value!r}")
    return number
