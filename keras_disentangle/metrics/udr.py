"""UDR, which ranks models without factors: do several of them find the same dimensions?"""

import numpy as np

from keras_disentangle._arguments import check_choice, check_number
from keras_disentangle._progress import progress
from keras_disentangle._tensors import to_numpy
from keras_disentangle.metrics._models import check_groups, check_list
from keras_disentangle.metrics._scaling import standardize
from keras_disentangle.metrics._validation import check_matrix
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score

_PENALTY = 0.1  # disentanglement_lib's `alpha` of the lasso, for standardised codes
# The lasso's coefficients are exact to this, or as far as so many rounds bring them.
_TOLERANCE, _ROUNDS = 1e-10, 10_000


def udr(codes, kls=None, method="lasso", *, groups=None, min_kl=0.01):
    """UDR: does a model find the same dimensions as others that differ by their seeds alone?

    Disentangled codes of equally good models differ by the order and the signs of their dimensions;
    entangled ones also by rotations. For each pair of models, `R[a, b]` is how strongly dimension
    `a` of the one and `b` of the other are related; the pair's score is high if each dimension is
    related to a single one of the other model:

    `(mean over b of max_a R[a, b]^2 / sum_a R[a, b] + mean over a of max_b R^2 / sum_b R) / 2`.

    A model's score is the median over the pairs that it forms with the others. No factors are
    needed, so that it can choose settings where there are none, or where looking at them would
    be cheating. It is meant for models of one setting that differ by their seeds (of which the
    authors recommend 5 or more): for several settings at once, say with `groups` which models
    belong together, and compare the settings by the means or medians of their models' scores.

    A dimension that the model does not use must not count: dead dimensions carry noise that no
    other model repeats. They are known by their KL divergence from the prior, hence `kls`.

    Args:
        codes: list of two or more arrays (m, d_i): each model's codes of the same m points, 1000 or
            more. Widths may differ.
        kls: `None`, or a list with an entry for each model: the KL divergence in nats of each of
            its dimensions, (d_i,), averaged over points; or `None` for a model that has none.
            Without, dimensions are dead whose codes are constant.
        method: how `R` is measured: `"lasso"`, the absolute coefficients by which a lasso predicts
            a model's standardised codes from those of the other (penalty 0.1); or `"spearman"`, the
            absolute rank correlation.
        groups: `None`, or a list with a label for each model. The median is then over the other
            models with the same label, of which each label needs at least two.
        min_kl: a dimension is dead unless its KL divergence is above this.

    Returns:
        Float64 array (n,), the score of each model in [0, 1]. A pair in which one of the models has
        only dead dimensions scores 0. With the lasso, the score of identical disentangled codes is
        0.9, because the penalty shrinks coefficients.

    Raises:
        ValueError: if there are fewer than two models (or in a group), the arrays are not of rank
            2, hold NaN or differ in length, or `kls` or `groups` do not fit them.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> first = rng.standard_normal((1000, 3))
    >>> rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    >>> kd.metrics.udr([first, -first[:, [2, 0, 1]], first @ rotation], method="spearman").round(1)
    array([0.7, 0.7, 0.5])

    Reference: Duan et al., Unsupervised Model Selection for Variational Disentangled Representation
    Learning, 2020, section 4. In agreement with disentanglement_lib, the lasso's score of a pair is
    that of predicting the model's own codes from the other's.
    """
    check_choice("method", method, ("lasso", "spearman"))
    min_kl = check_number("min_kl", min_kl, 0)
    codes = check_list("codes", codes)
    codes = [check_matrix(f"codes[{i}]", each) for i, each in enumerate(codes)]
    lengths = [len(each) for each in codes]
    if len(set(lengths)) > 1:
        raise ValueError(f"`codes` must be of the same points. Received: arrays of {lengths} rows")
    others = check_groups(groups, len(codes))
    varies = [each.max(axis=0) > each.min(axis=0) for each in codes]
    live = _live(kls, varies, min_kl)
    # A constant dimension with a KL divergence of its own counts as related to none.
    matrix = _correlations(codes, ranks=method == "spearman")
    ends = np.cumsum([each.shape[1] for each in codes])[:-1]
    used = np.split(np.concatenate(live), ends)

    def strengths(j):
        """How strongly the live dimensions of model j are related to all dimensions, by model."""
        rows = np.split(matrix, ends)[j][used[j]]
        if method == "lasso":
            own = np.split(rows, ends, axis=1)[j][:, used[j]]
            rows = _lasso(own, rows)
        return np.split(np.abs(rows), ends, axis=1)

    pairs = np.zeros((len(codes), len(codes)))
    for j in progress(range(len(codes)), "models"):
        for i, related in enumerate(strengths(j)):
            pairs[i, j] = _relative_strength(related[:, used[i]])
    return np.array([np.median(pairs[i, others[i]]) for i in range(len(codes))])


def _live(kls, varies, min_kl):
    """Masks (d_i,) of the dimensions of each model that are in use."""
    kls = [None] * len(varies) if kls is None else check_list("kls", kls, minimum=0)
    if len(kls) != len(varies):
        raise ValueError(
            f"`kls` must have an entry for each of {len(varies)} models. Received: {len(kls)}"
        )
    found = []
    for i, (kl, default) in enumerate(zip(kls, varies, strict=True)):
        if kl is None:
            found.append(default)
            continue
        kl = to_numpy(f"kls[{i}]", kl)
        if kl.shape != default.shape or not np.isfinite(kl).all():
            raise ValueError(
                f"`kls[{i}]` must be {len(default)} finite numbers, one for each dimension of "
                f"`codes[{i}]`. Received: kls[{i}]={kl!r}"
            )
        found.append(kl > min_kl)
    return found


def _correlations(codes, ranks):
    """The correlation of all dimensions of all models with each other; 0 for constant ones."""
    if ranks:
        # Here, since it loads SciPy.
        from scipy.stats import rankdata

        codes = [rankdata(each, axis=0) for each in codes]
    columns = np.concatenate([standardize(each) for each in codes], axis=1)
    return columns.T @ columns / len(columns)


def _lasso(gram, targets):
    """Coefficients (d, t) of a lasso on standardised features, by cyclic coordinate descent.

    Args:
        gram: array (d, d), the features' correlations.
        targets: array (d, t), the correlations of the features with each of t targets.
    """
    weights = np.zeros_like(targets)
    # A constant feature has no correlation with itself either, and no coefficient.
    scale = np.where(np.diag(gram) > 0, np.diag(gram), 1)
    for _ in range(_ROUNDS):
        largest = 0.0
        for a in range(len(gram)):
            rest = targets[a] - gram[a] @ weights + gram[a, a] * weights[a]
            new = np.sign(rest) * np.maximum(np.abs(rest) - _PENALTY, 0) / scale[a]
            largest = max(largest, np.abs(new - weights[a]).max(initial=0))
            weights[a] = new
        if largest < _TOLERANCE:
            break
    return weights


def _relative_strength(related):
    """How far each dimension is related to a single one of the other model, in both ways."""
    if not related.size:
        return 0.0

    def along(axis):
        total, best = related.sum(axis=axis), related.max(axis=axis)
        return np.mean(np.square(best) / np.where(total > 0, total, 1))

    return float(along(0) + along(1)) / 2


declare(udr, scores=[Score("udr")], several_models=True)
