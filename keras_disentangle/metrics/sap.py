"""SAP, the separated attribute predictability: the gap between the two best dimensions."""

import numpy as np

from keras_disentangle._arguments import check_flag, check_seed
from keras_disentangle.metrics._gap import mean_gap
from keras_disentangle.metrics._validation import check_learnable
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def sap(codes, factors, *, continuous=False, held_out=None, seed=0):
    """SAP: is each factor predicted by one dimension, and by no other?

    Each factor is predicted from each dimension alone; the score is the gap between the two best
    predictions, averaged over factors. A factor that is split between dimensions lowers the score,
    factors that share a dimension do not. With one dimension, a linear classifier predicts only few
    of many values, so factors with many values have small gaps however disentangled the codes are.

    Args:
        codes: array (n, d), the latent codes, in random order or with `held_out`.
        factors: integer array (n, k). A factor that is constant in the rows used for fitting is
            left out.
        continuous: whether a prediction is scored by the squared correlation of the values, which
            must then be ordered, rather than by the accuracy of a linear support vector machine
            (`C=0.01`, classes balanced), as in disentanglement_lib.
        held_out: boolean array (n,): the rows on which the classifiers are scored. By default a
            random third. A correlation is computed on the other rows.
        seed: seed of the default `held_out`, and of the classifiers' solver.

    Returns:
        A float in [0, 1]; 0 when no factor varies. With one dimension, the second scores 0.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the lengths differ, if
            `factors` are not integers, or `held_out` is not such an array.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 2, size=(900, 2))
    >>> kd.metrics.sap(factors.astype(float), factors)   # near 0.5, since chance is 0.5

    Reference: Kumar et al., Variational Inference of Disentangled Latent Concepts from Unlabeled
    Observations, 2018, section 3.
    """
    seed = check_seed("seed", seed)
    codes, factors, held_out = check_learnable(codes, factors, held_out, seed)
    score = _squared_correlation if check_flag("continuous", continuous) else _accuracy
    scores = [
        [score(code[:, None], factor, held_out, seed) for factor in factors.T] for code in codes.T
    ]
    return mean_gap(np.array(scores).reshape(codes.shape[1], factors.shape[1]))


def _accuracy(code, factor, held_out, seed):
    # Here, since scikit-learn takes longer to import than all else.
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
    machine.fit(code[~held_out], factor[~held_out])
    return np.mean(machine.predict(code[held_out]) == factor[held_out])


def _squared_correlation(code, factor, held_out, seed):
    covariance = np.cov(code[~held_out, 0], factor[~held_out].astype(np.float64))
    if covariance[0, 0] <= 1e-12:  # An inactive dimension: disentanglement_lib's rule.
        return 0.0
    return covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1])


declare(sap, scores=[Score("sap", random=0, tolerance=0.02)], learns=True, interval="resamples")
