"""Explicitness: can a linear classifier predict the factors from the codes?"""

import numpy as np

from keras_disentangle.metrics._validation import check_learnable
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def explicitness(codes, factors, *, held_out=None, seed=0):
    """Explicitness: how well logistic regressions on the codes predict each value of each factor.

    For each factor, a multinomial logistic regression (scikit-learn's default) is fitted to the
    standardised codes; for each value, the score is the area under the ROC curve of its predicted
    probability on held-out rows; this is averaged over values, then over factors. It does not
    require disentanglement: a rotation of the codes changes little.

    Args:
        codes: array (n, d), the latent codes, in random order or with `held_out`.
        factors: integer array (n, k). A factor that is constant in the rows used for fitting is
            left out, and so are values that are missing in one of the two parts.
        held_out: boolean array (n,): the rows held out for scoring. By default a random third.
        seed: seed of the default `held_out`.

    Returns:
        A float in [0, 1]; 0.5, which is chance, when no factor varies.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the lengths differ, if
            `factors` are not integers, or `held_out` is not such an array.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 2, size=(900, 2))
    >>> kd.metrics.explicitness(factors.astype(float), factors)
    1.0

    Reference: Ridgeway & Mozer, Learning Deep Disentangled Embeddings With the F-Statistic Loss,
    2018, section 3, as disentanglement_lib evaluates it.
    """
    codes, factors, held_out = check_learnable(codes, factors, held_out, seed)
    spread = codes[~held_out].std(axis=0)
    codes = (codes - codes[~held_out].mean(axis=0)) / np.where(spread > 0, spread, 1)
    areas = [_mean_area(codes, factor, held_out) for factor in factors.T]
    return float(np.mean(areas)) if areas else 0.5


def _mean_area(codes, factor, held_out):
    # Here, since scikit-learn takes longer to import than all else.
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    regression = LogisticRegression().fit(codes[~held_out], factor[~held_out])
    probability = regression.predict_proba(codes[held_out])
    present = factor[held_out][:, None] == regression.classes_
    scored = present.any(axis=0) & ~present.all(axis=0)
    if not scored.any():
        return 0.5
    return roc_auc_score(present[:, scored], probability[:, scored])


declare(
    explicitness,
    scores=[Score("explicitness", random=0.5, one_to_one=1, tolerance=0.01)],
    learns=True,
    interval="resamples",
)
