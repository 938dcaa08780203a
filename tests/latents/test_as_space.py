"""Spaces that are given by their width, and rungs by their sizes."""

import numpy as np
import pytest

from keras_disentangle.latents import LatentSpace, Normal, Uniform, as_space
from keras_disentangle.latents.as_space import as_rungs, space_of_rungs

pytestmark = pytest.mark.one_backend
SPACE = LatentSpace([Normal(2, name="3"), Uniform(1)])


def test_spaces():
    assert as_space(SPACE) is as_space(SPACE, 5) is as_rungs(SPACE, 3) is SPACE
    for found in (as_space(4), as_space(np.int64(4)), as_space(None, 4)):
        assert found.dim == 4 and found.names == ("normal",) and not found.informative


def test_rungs_are_named_from_the_data_up():
    space = space_of_rungs("rung_sizes", np.array([2, 1, 3]))
    assert space.names == ("3", "2", "1") and space["1"].dim == 3
    assert space.slices == {"3": slice(0, 2), "2": slice(2, 3), "1": slice(3, 6)}
    assert space.informative == space.codes
    assert space_of_rungs("rung_sizes", [5]).names == as_rungs(None, 5).names == ("normal",)
    named = space_of_rungs("rung_sizes", (1, 2), ("shape", 7))
    assert named.names == ("shape", "7")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: as_space("z"), "must be a `LatentSpace` or the number .* Received: space='z'"),
        (lambda: as_space(True), "must be a `LatentSpace` or the number"),
        (lambda: as_space(0), "`space` must be an integer >= 1. Received: space=0"),
        (lambda: as_space(None), "`space` must be a `LatentSpace` or .* space=None"),
        (lambda: as_space(4, 4), "`space` must be a `LatentSpace`. Received: space=4"),
        (lambda: as_rungs(SPACE, 4), r"sum to the 4 latent dimensions, .*LatentSpace\("),
        (lambda: as_rungs([2, 1.0], 3), r"`rungs` must be positive integers.*\[2, 1.0\]"),
        (lambda: as_rungs(3, 3), "`rungs` must be positive integers .* Received: rungs=3"),
        (lambda: space_of_rungs("rung_sizes", 3), "`rung_sizes` must be .* rung_sizes=3"),
        (lambda: space_of_rungs("rung_sizes", ()), r"`rung_sizes` must be .* rung_sizes=\(\)"),
        (
            lambda: space_of_rungs("rung_sizes", (1, 2), ("a", "a")),
            "`rung_names` must be 2 different names.*'a', 'a'",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
