"""Adaptive grouping of the posteriors of a pair of images, for weak supervision."""

import math

from keras import ops

from keras_disentangle._arguments import check_choice, check_flag
from keras_disentangle._tensors import as_floats, check_same_shape

AVERAGES = ("group", "multi_level")


def adaptive_posteriors(mean, log_var, other_mean, other_log_var, average="group", symmetric=False):
    r"""Lets the two posteriors of each pair share the dimensions in which they differ least.

    Of the divergences $\delta_j = KL(q_j(z|x_1) \| q_j(z|x_2))$ of a pair, the dimensions with
    $\delta_j < \tau = \frac12 (\min_j \delta_j + \max_j \delta_j)$ are taken to be those of the
    factors that did not change: there both posteriors are replaced by their average. The choice has
    no gradient. Posteriors of a single dimension, or that are equal, stay as they are.

    Args:
        mean, log_var: the posteriors of the first images, Gaussians, each (batch, d).
        other_mean, other_log_var: those of the second images, each (batch, d).
        average: "group" for the mean of means and of variances (GVAE), or "multi_level" for the
            normalised product of the two densities with twice its variance (ML-VAE).
        symmetric: whether $\delta_j$ is the sum of the divergences in both directions, as in some
            later implementations, not that from the first image to the second.

    Returns:
        Two pairs of tensors (batch, d), float32 or wider: (mean, log_var) of the first images and
        of the second.

    Raises:
        ValueError: if the shapes differ or are not of rank 2, or an option is none of these.

    Example:

    >>> mean, other = np.array([[0.0, 2.0]]), np.array([[0.5, -2.0]])
    >>> first, second = kd.losses.adaptive_posteriors(mean, 0 * mean, other, 0 * other)
    >>> first[0]   # [[0.25, 2.0]]: the first dimension is shared

    Reference: Locatello et al., 2020 (Weakly-supervised disentanglement without compromises),
    section 4.
    """
    check_choice("average", average, AVERAGES)
    symmetric = check_flag("symmetric", symmetric)
    mean, log_var, other_mean, other_log_var = as_floats(
        mean=mean, log_var=log_var, other_mean=other_mean, other_log_var=other_log_var
    )
    check_same_shape("mean", mean, "log_var", log_var, rank=2)
    check_same_shape("mean", mean, "other_mean", other_mean, rank=2)
    check_same_shape("mean", mean, "other_log_var", other_log_var, rank=2)
    delta = _twice_kl(mean, log_var, other_mean, other_log_var)
    if symmetric:
        delta = delta + _twice_kl(other_mean, other_log_var, mean, log_var)
    smallest, largest = (f(delta, axis=-1, keepdims=True) for f in (ops.min, ops.max))
    is_own = delta >= 0.5 * (smallest + largest)

    # In logarithms: a variance may be too small for its inverse, or the sum of both too large.
    if average == "group":
        shared_mean = 0.5 * (mean + other_mean)
        shared_log_var = ops.logaddexp(log_var, other_log_var) - math.log(2)
    else:
        share = ops.sigmoid(other_log_var - log_var)
        shared_mean = share * mean + (1.0 - share) * other_mean
        shared_log_var = math.log(2) - ops.logaddexp(-log_var, -other_log_var)
    return tuple(
        (ops.where(is_own, own_mean, shared_mean), ops.where(is_own, own_log_var, shared_log_var))
        for own_mean, own_log_var in ((mean, log_var), (other_mean, other_log_var))
    )


def _twice_kl(mean, log_var, other_mean, other_log_var):
    """2 KL(N(mean, exp(log_var)) || N(other_mean, exp(other_log_var))) of each dimension."""
    # Cut where float32 ends: an infinite divergence would have no threshold below it.
    ratio = ops.clip(log_var - other_log_var, -80.0, 80.0)
    error = ops.square(mean - other_mean) * ops.exp(-ops.maximum(other_log_var, -80.0))
    return ops.exp(ratio) + error - 1.0 - ratio
