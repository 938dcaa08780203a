"""Factorised support: by hand, and the scores of the authors' code."""

import numpy as np
import pytest
from representations import representations

from keras_disentangle.metrics import factorized_support

pytestmark = pytest.mark.one_backend

# dent/metrics/fos.py of facebookresearch/disentangling-correlated-factors, commit 3b0d233: `FoS` of
# the first 300 codes in batches of 60, all pairs.
PUBLISHED = {
    "perfect": 0.3,
    "rotated": 4.381911409672,
    "split": 0.0,
    "merged": 2.0,
    "random": 18.320040239473,
    "trained": 17.836193928054,
}
CASES = representations()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_scores(name):
    found = factorized_support(CASES[name][0][:300], scaled=False, batch_size=60)
    assert found == pytest.approx(PUBLISHED[name], abs=1e-9)


def test_distances_by_hand():
    diagonal = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    # (0, 2) is two steps from (1, 1) by the corner's sides, of squared length 1 each.
    assert factorized_support(diagonal, scaled=False) == pytest.approx(2)
    variance = 2 / 3
    assert factorized_support(diagonal) == pytest.approx(2 / variance)
    grid = np.stack([part.ravel() for part in np.indices((3, 2, 4))], axis=1)
    assert factorized_support(grid) == 0
    # However often: the dimensions are correlated.
    assert (
        factorized_support(np.repeat(grid, 1 + 5 * (grid[:, 0] == grid[:, 2]), axis=0)[:100]) == 0
    )
    assert factorized_support(grid[grid[:, 0] <= grid[:, 2]], scaled=False) > 1
    assert factorized_support(diagonal[:, :1]) == factorized_support(np.ones((5, 3))) == 0


def test_batches():
    codes = CASES["rotated"][0]
    each = [factorized_support(codes[i : i + 50], scaled=False) for i in (0, 50, 100)]
    options = {"scaled": False, "batch_size": 50}
    assert factorized_support(codes[:149], **options) == pytest.approx(np.mean(each[:2]))
    assert factorized_support(codes, **options, num_batches=3) == pytest.approx(np.mean(each))
    assert factorized_support(codes[:50], scaled=False) == each[0]
