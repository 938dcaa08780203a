"""Factor data sets in which two factors are correlated."""

import math
import numbers

import numpy as np

from keras_disentangle.datasets.factor_dataset import FactorDataset
from keras_disentangle.datasets.weighted_factors import WeightedFactors


def correlated_factors(dataset, pair, sigma):
    """A factor data set in which two factors are correlated, and otherwise unchanged.

    p(a, b) ∝ exp(-(a - b)² / 2σ²), with the values a and b of the two factors scaled to [0, 1].

    Args:
        dataset: a `FactorDataset`; correlations that it already has remain.
        pair: names of two factors.
        sigma: σ, positive; the published strengths are 0.2, 0.4 and 0.7, and infinity for no
            correlation.

    Returns:
        A `WeightedFactors` that draws from this distribution, and is otherwise like `dataset`.

    Raises:
        ValueError: if the pair is not two factors of the data set, or σ is not positive.

    Example:

    >>> data = kd.datasets.DSprites()
    >>> correlated = kd.datasets.correlated_factors(data, ("scale", "x_position"), sigma=0.2)
    >>> batches = correlated.batches(128, seed=0)

    Reference: Träuble et al., On Disentangled Representations Learned from Correlated Data, ICML
    2021.
    """
    names = getattr(dataset, "factor_names", None)
    if not isinstance(dataset, FactorDataset):
        raise ValueError(f"`dataset` must be a FactorDataset. Received: {type(dataset).__name__}")
    pair = list(pair) if isinstance(pair, (list, tuple)) else pair
    if not (
        isinstance(pair, list)
        and len(pair) == 2
        and pair[0] != pair[1]
        and all(isinstance(name, str) and name in names for name in pair)
    ):
        raise ValueError(f"`pair` must be two of the factors {names}. Received: pair={pair!r}")
    if not (isinstance(sigma, numbers.Real) and sigma > 0):  # false for NaN as well
        raise ValueError(f"`sigma` must be a positive number. Received: sigma={sigma!r}")
    columns = [names.index(name) for name in pair]
    largest = np.maximum(np.array(dataset.factor_sizes)[columns] - 1, 1)

    def weight(factors):
        a, b = (factors[:, columns] / largest).T
        return np.exp(-(((a - b) / (math.sqrt(2) * sigma)) ** 2))

    return WeightedFactors(dataset, weight)
