"""MIG and MIG-sup from the mutual information of discretised codes and factors."""

from keras_disentangle._tensors import to_numpy
from keras_disentangle.metrics._gap import active_dimensions, mean_gap, normalize
from keras_disentangle.metrics._information import codes_and_factors
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def mig(codes, factors, num_bins=20):
    """Mutual information gap: is each factor represented by one latent dimension?

    For each factor `v`, the gap `(I(z_first; v) - I(z_second; v)) / H(v)` between the two latent
    dimensions that are most informative about it, averaged over factors. A factor that is split
    between dimensions lowers the score, two factors that share a dimension do not: see `mig_sup`.

    Each code is discretised first, see `mutual_information`. Estimator and values are those of
    disentanglement_lib (Locatello et al., 2019), which uses the means of the posteriors of 10,000
    samples as codes.

    Args:
        codes: array (n, d), the latent codes.
        factors: integer array (n, k), the ground-truth factors. A factor that is constant has no
            gap and is left out of the mean.
        num_bins: the number of bins of each code.

    Returns:
        A float in [0, 1]. With one latent dimension, the information of the second is 0; with no
        factor that varies, the score is 0.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the lengths differ, if
            `factors` are not integers, or if there are fewer samples than bins.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 10, size=(10_000, 2))
    >>> kd.metrics.mig(factors.astype(float), factors)
    1.00

    Reference: Chen et al., Isolating Sources of Disentanglement in VAEs, 2018, equation 6.
    """
    information, entropy = codes_and_factors(codes, factors, num_bins)
    return mean_gap(normalize(information, entropy))


def mig_sup(codes, factors, num_bins=20, active=None):
    """MIG-sup: does each latent dimension represent one factor?

    For each active latent dimension `z`, the gap between the two factors about which it is most
    informative, in `I(z; v) / H(v)`, averaged over these dimensions. It supplements `mig`: it
    detects factors that share a dimension, but not a factor that is split.

    Args:
        codes: array (n, d), the latent codes.
        factors: integer array (n, k), the ground-truth factors. A factor that is constant is left
            out.
        num_bins: the number of bins of each code.
        active: boolean array (d,), the dimensions that count. By default those whose codes have a
            variance above 0.01. A constant dimension never counts.

    Returns:
        A float in [0, 1]; 0 when no dimension is active or no factor varies. With one factor, the
        information about the second is 0.

    Raises:
        ValueError: as `mig`, and if `active` is not a boolean array (d,).

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(10_000, 2))
    >>> merged = (4 * factors[:, :1] + factors[:, 1:]).astype(float)  # one code for two factors
    >>> kd.metrics.mig(merged, factors), kd.metrics.mig_sup(merged, factors)
    (1.00, 0.00)

    Reference: Li et al., Progressive Learning and Disentanglement of Hierarchical Representations,
    2020, equation 12.
    """
    information, entropy = codes_and_factors(codes, factors, num_bins)
    codes = to_numpy("codes", codes)
    active = active_dimensions(codes) if active is None else to_numpy("active", active)
    if active.dtype != bool or active.shape != (codes.shape[1],):
        raise ValueError(
            f"`active` must be a boolean array of shape ({codes.shape[1]},), one entry for each "
            f"latent dimension. Received: active.shape={active.shape}, active.dtype={active.dtype}"
        )
    active = active & (codes.max(axis=0) > codes.min(axis=0))
    return mean_gap(normalize(information, entropy)[active].T)


def mutual_information(codes, factors, num_bins=20):
    """Mutual information `I(z_j; v_k)` in nats of each latent dimension and each factor.

    Each code is discretised into `num_bins` bins of equal width between its minimum and maximum;
    the information is that of the two discrete variables, with frequencies as probabilities.

    Args:
        codes: array (n, d), the latent codes.
        factors: integer array (n, k), the ground-truth factors.
        num_bins: the number of bins of each code.

    Returns:
        Array (d, k), in nats, at least 0.

    Raises:
        ValueError: as `mig`.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(1000, 2))
    >>> kd.metrics.mutual_information(factors.astype(float), factors).round(1)
    array([[1.4, 0. ],
           [0. , 1.4]])
    """
    return codes_and_factors(codes, factors, num_bins)[0]


declare(mig, scores=[Score("mig", random=0, one_to_one=1)], interval="resamples")
declare(mig_sup, scores=[Score("mig_sup", random=0, one_to_one=1)], interval="resamples")
