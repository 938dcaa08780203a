"""The checks that arguments go through: what each takes, and what its error says."""

import math
import pathlib
import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle._arguments import (
    check_choice,
    check_int,
    check_number,
    check_path,
    check_seed,
    check_weight,
)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_integers_of_any_kind(value):
    assert check_int("n", value) == 3 and type(check_int("n", value)) is int


@pytest.mark.parametrize("value", [0, -1, True, np.True_, 1.0, math.nan, "1", None, [1], {}])
def test_what_is_no_positive_integer(value):
    with pytest.raises(ValueError, match=r"`n` must be an integer >= 1\. Received: n="):
        check_int("n", value)


@pytest.mark.parametrize("value", [2**31, 2**63, 2**70])
def test_integers_that_no_backend_holds(value):
    with pytest.raises(ValueError, match=f"`n` must be an integer <= 2147483647.*n={value}"):
        check_int("n", value)


def test_tensors_that_hold_one_number():
    assert check_int("n", ops.convert_to_tensor(3)) == 3
    assert check_number("x", keras.Variable(0.5).value) == 0.5
    with pytest.raises(ValueError, match="`n` must be an integer"):
        check_int("n", ops.convert_to_tensor(3.0))
    with pytest.raises(ValueError, match="`x` must be a finite number"):
        check_number("x", ops.ones((2,)))


def test_paths_are_text_or_know_theirs():
    assert check_path("path", "a/b") == check_path("path", pathlib.PurePosixPath("a/b")) == "a/b"
    for value in (-1, 1.5, None, b"a/b", ["a"]):
        with pytest.raises(ValueError, match="`path` must be a path. Received: path="):
            check_path("path", value)


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**70, np.uint64(2**63)])
def test_every_backend_takes_a_checked_seed(seed):
    checked = check_seed("seed", seed)
    assert 0 <= checked < 2**31
    assert checked == seed or seed >= 2**31
    assert checked == check_seed("seed", seed)
    assert keras.random.normal((2,), seed=checked).shape == (2,)


def test_large_seeds_differ():
    assert len({check_seed("seed", 2**31 + i) for i in range(100)}) == 100


def test_seeds_that_are_no_numbers():
    generator = keras.random.SeedGenerator(0)
    assert check_seed("seed", None) is None
    assert check_seed("seed", generator, generator=True) is generator
    for value in (-1, 0.5, "0", True):
        with pytest.raises(ValueError, match=r"`seed` must be an integer >= 0 or None\. Rec"):
            check_seed("seed", value)
    with pytest.raises(ValueError, match=r"`seed` must be an integer >= 0\. Received: seed=None"):
        check_seed("seed", None, optional=False)
    with pytest.raises(ValueError, match="Received: seed=<.*SeedGenerator"):
        check_seed("seed", generator)


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.5), np.array(1)])
def test_numbers_within_bounds(value):
    assert check_number("x", value, 0, 1) == float(value)


@pytest.mark.parametrize(
    "value", [-1, 2, math.nan, math.inf, 10**400, "0", True, 0j, np.complex64(0), None, [0], {}]
)
def test_what_is_no_number_within_bounds(value):
    with pytest.raises(ValueError, match="`x` must be a finite number >= 0 and <= 1. Received: x="):
        check_number("x", value, 0, 1)


def test_open_bounds():
    for value in (0, 1):
        with pytest.raises(ValueError, match="`x` must be a finite number > 0 and < 1. Received"):
            check_number("x", value, above=0, below=1)
    assert check_weight("x", 0) == 0
    with pytest.raises(ValueError, match=re.escape("`x` must be a finite number >= 0. Rec")):
        check_weight("x", -0.1)


def test_choices():
    assert check_choice("mode", "a", ("a", None)) == "a"
    assert check_choice("mode", None, ("a", None)) is None
    for value in ("b", 0, np.array(["a", "b"]), ["a"], {}):
        with pytest.raises(ValueError, match=r"`mode` must be one of \('a', None\). Received: mod"):
            check_choice("mode", value, ("a", None))
