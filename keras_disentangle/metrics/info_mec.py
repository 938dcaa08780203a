"""InfoMEC: modularity, compactness and explicitness as shares of information."""

import warnings

import numpy as np

from keras_disentangle._arguments import check_flag, check_int, check_number, check_seed
from keras_disentangle.metrics._information import mutual_information_matrix
from keras_disentangle.metrics._scaling import standardize
from keras_disentangle.metrics._validation import check_factors, check_matrix, varying_factors
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def info_mec(codes, factors, discrete_codes=False, *, min_range=0.05, num_neighbors=10, seed=0):
    """InfoMEC: is each dimension informative about one factor, each factor in one dimension?

    With `NMI[j, k] = I(z_j; v_k) / H(v_k)` over the active dimensions `z_j` and the factors `v_k`:

    - Modularity, InfoM: the largest share of `NMI[j]` that a single factor has, averaged over
      dimensions, and rescaled so that equal shares score 0.
    - Compactness, InfoC: the same of the shares of dimensions in `NMI[:, k]`, averaged over
      factors.
    - Explicitness, InfoE: how much of a factor's entropy a multinomial logistic regression on all
      codes removes, in the samples that it is fitted to; averaged over factors.

    Args:
        codes: array (n, d), the latent codes. The authors take 10,000 samples.
        factors: integer array (n, k). A factor that is constant is left out.
        discrete_codes: whether codes take few values, such as those of a quantised latent space
            (`discrete_codes` of a model says so). Their information is then that of frequencies,
            and the regression sees an indicator of each value. Otherwise it is estimated from
            nearest neighbours of the standardised codes, and the regression sees these.
        min_range: a dimension is active if its range (maximum minus minimum) is above this share of
            the largest one: the authors' 1/20 for continuous codes. Discrete codes that vary are
            active. With 0, every dimension is that varies.
        num_neighbors: number of neighbours for the information of continuous codes.
        seed: seed of the noise that decides between equal continuous codes; others do not depend
            on it.

    Returns:
        A dict of floats in [0, 1]: `"modularity"`, `"compactness"` and `"explicitness"`. All are 0
        when no dimension is active or no factor varies. A dimension without information about any
        factor counts as 0 in modularity, and such a factor in compactness; with a single varying
        factor, any other dimension counts as 1, and so does, with a single active dimension, any
        other factor. The regression stops after 100 iterations, as the authors' does: a factor
        that the codes determine scores a little less than 1.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the lengths differ, if
            `factors` are not integers, if codes that should be discrete are not, if `min_range` is
            not in [0, 1), or if `num_neighbors` is not a positive integer.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(1000, 2))
    >>> scores = kd.metrics.info_mec(factors.astype(float), factors, discrete_codes=True)
    >>> scores["modularity"], scores["explicitness"]
    (0.99, 1.00)

    Reference: Hsu et al., Disentanglement via Latent Quantization, 2023, section 4.
    """
    discrete = check_flag("discrete_codes", discrete_codes)
    min_range = check_number("min_range", min_range, 0, below=1)
    num_neighbors = check_int("num_neighbors", num_neighbors)
    seed = check_seed("seed", seed)
    codes = check_matrix("codes", codes)
    factors = varying_factors(check_factors(factors, len(codes), reference="codes"), slice(None))
    if discrete:
        codes = _check_discrete(codes)
    spread = np.ptp(codes, axis=0)
    active = spread > (0 if discrete else min_range * spread.max())
    if not factors.size or not active.any():
        return {"modularity": 0.0, "compactness": 0.0, "explicitness": 0.0}
    ranks = np.stack([np.unique(factor, return_inverse=True)[1] for factor in factors.T], axis=1)
    if discrete:
        information, entropy = mutual_information_matrix(codes, ranks)
        # Here, since scikit-learn takes longer to import than all else.
        from sklearn.preprocessing import OneHotEncoder

        features = OneHotEncoder().fit_transform(codes)
    else:
        features = standardize(codes)
        information = _neighbour_information(features, ranks, num_neighbors, seed)
        entropy = mutual_information_matrix(ranks[:, :0], ranks)[1]
    shares = (information / entropy)[active]
    return {
        "modularity": _largest_share(shares.T),
        "compactness": _largest_share(shares),
        "explicitness": float(np.mean([_predicted(features, factor) for factor in ranks.T])),
    }


def _check_discrete(codes):
    """Each code's index among the values of its dimension, (n, d)."""
    found = [np.unique(code, return_inverse=True) for code in codes.T]
    counts = [len(values) for values, _ in found]
    if max(counts) > max(2, len(codes) // 2):
        raise ValueError(
            "`codes` must take each value in two samples or more, on average, if `discrete_codes` "
            f"is True. Received: {max(counts)} values of dimension {int(np.argmax(counts))} in "
            f"{len(codes)} samples"
        )
    return np.stack([index for _, index in found], axis=1)


def _neighbour_information(codes, factors, num_neighbors, seed):
    """I(z_j; v_k) in nats of continuous codes (n, d), by Ross, 2014."""
    from sklearn.feature_selection import mutual_info_classif

    options = {"discrete_features": False, "n_neighbors": num_neighbors, "random_state": seed}
    # Each alone, so that it does not depend on the others' noise.
    found = [[mutual_info_classif(z[:, None], v, **options) for v in factors.T] for z in codes.T]
    return np.array(found)[..., 0]


def _largest_share(shares):
    """The largest share that a row has of each column's sum, averaged; 0 if they are all equal."""
    rows = len(shares)
    total, largest = shares.sum(axis=0), shares.max(axis=0)
    if rows == 1:
        return float(np.mean(total > 0))
    share = np.where(total > 0, largest / np.where(total > 0, total, 1), 1 / rows)
    return max(0.0, float((share.mean() - 1 / rows) / (1 - 1 / rows)))


def _predicted(features, factor):
    """The share of a factor's entropy that a logistic regression removes."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    # Without a penalty. Classes are balanced: a constant prediction is that all are as likely.
    regression = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=100)
    with warnings.catch_warnings():
        # Where classes are separable there is nothing to converge to.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(features, factor)
    loss = log_loss(factor, regression.predict_proba(features))
    return min(1.0, max(0.0, 1 - loss / np.log(len(regression.classes_))))


declare(
    info_mec,
    scores=[
        Score("info_modularity", "modularity", one_to_one=1, tolerance=0.02),
        Score("info_compactness", "compactness", one_to_one=1, tolerance=0.02),
        Score("info_explicitness", "explicitness", random=0, one_to_one=1, tolerance=0.01),
    ],
)
