"""Declarations of the scores that a metric returns."""

import dataclasses
import math
from collections.abc import Callable

from keras_disentangle._arguments import check_choice, check_number
from keras_disentangle._tensors import to_numpy


@dataclasses.dataclass(frozen=True)
class Score:
    """One of the numbers that a metric returns: its name, its range, and reference values.

    `random` is the score of a random code, which is independent of the factors; `one_to_one` that
    of a code with one dimension for each factor, the factors being independent. Each is a number,
    `None` where there is no fixed value, or a function of the factors' numbers of values, whose
    docstring is the formula: see `one_in_factors`. Both hold within `tolerance` for samples of
    3,000 images.

    Args:
        name: the score's name in the results of `kd.evaluate`.
        key: its key in the dict that the metric's function returns; `None` if the function returns
            this number alone.
        bounds: the lowest and the highest possible value, to which confidence intervals are
            clipped.
        better: "higher", "lower", or `None` if neither is better.
        random, one_to_one, tolerance: as above.

    Raises:
        ValueError: if `name` is not a string, `bounds` are not two numbers in order, `better`,
            `random` or `one_to_one` is not as described, or `tolerance` is negative.

    Example:

    >>> kd.metrics.Score("gap", bounds=(0, 1), better="higher", random=0, one_to_one=1)
    Score(name='gap', ...)
    """

    name: str
    key: str | None = None
    _: dataclasses.KW_ONLY
    bounds: tuple[float, float] = (0.0, 1.0)
    better: str | None = "higher"
    random: float | Callable | None = None
    one_to_one: float | Callable | None = None
    tolerance: float = 0.005

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"`name` must be a string. Received: name={self.name!r}")
        check_bounds(self.bounds)
        check_choice("better", self.better, ("higher", "lower", None))
        check_number("tolerance", self.tolerance, 0)
        for name in ("random", "one_to_one"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                check_number(name, value)


def check_bounds(bounds, optional=False):
    """Raises a ValueError unless `bounds` are two numbers in order, or `None` if optional."""
    if optional and bounds is None:
        return
    ends = to_numpy("bounds", bounds)
    if ends.shape != (2,) or not ends[0] <= ends[1]:
        raise ValueError(
            f"`bounds` must be {'None or ' * optional}two numbers, in order. "
            f"Received: bounds={bounds!r}"
        )


def one_in_factors(sizes):
    """1 / factors"""
    return 1 / len(sizes)


def one_in_values(sizes):
    """mean of 1 / values"""
    return sum(1 / size for size in sizes) / len(sizes)


def log_of_images(sizes):
    """log(images)"""
    return math.log(math.prod(sizes))
