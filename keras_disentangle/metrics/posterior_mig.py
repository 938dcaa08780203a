"""MIG and MIG-sup from the posteriors themselves, without discretising the codes."""

import numpy as np

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.metrics._gap import active_dimensions, mean_gap, normalize
from keras_disentangle.metrics._mixture import draw_latents, log_mixture_ratio
from keras_disentangle.metrics._validation import check_factors, check_posteriors
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def posterior_mig(mean, log_var, factors, *, factors_used=None, num_samples=10_000, seed=0):
    """MIG and MIG-sup with the estimator of beta-TCVAE and pro-VLAE.

    `I(z_j; v_k) = H(z_j) - H(z_j | v_k)`, where `q(z_j)` is the mixture of the posteriors of all
    the examples, and `q(z_j | v_k)` that of the examples with the same value of the factor.
    Negative estimates, which are noise, are set to 0; the information is divided by `log|v_k|`, the
    logarithm of the number of values that the factor takes in `factors`.

    Both entropies are estimated from the same `num_samples` latents, so that much of their noise
    cancels; the authors' releases draw as many again for each value of each factor. On a full grid
    of factors both estimators have the same expectation.

    Args:
        mean: array (n, d), the means of the Gaussian posteriors `q(z | x)`: a full grid of factors,
            or a random sample of it.
        log_var: array (n, d), their log variances.
        factors: integer array (n, k), the ground-truth factors.
        factors_used: indices of the factors that count. By default all of them; both releases leave
            out the shape of dSprites: `factors_used=[1, 2, 3, 4]`.
        num_samples: the number of latents drawn. Each posterior is drawn from once before any is
            drawn from again. The time grows with `num_samples * n * d`: two or three minutes for
            the 737,280 images of dSprites; the memory grows with `n * d`.
        seed: seed of the latents.

    Returns:
        A dict: `"mig"` and `"mig_sup"`, floats; `"mutual_information"`, array (d, number of factors
        used), in nats; `"active"`, boolean array (d,), the dimensions that MIG-sup counts, whose
        means have a variance above 0.01. With no active dimension, MIG-sup is 0. A constant factor
        is left out of both scores.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the lengths differ, if
            `factors` are not integers, or if `factors_used` are not distinct indices of factors.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(1000, 2))
    >>> scores = kd.metrics.posterior_mig(factors.astype(float), np.full((1000, 2), -6.0), factors)
    >>> scores["mig"], scores["mig_sup"]  # both near 1

    References: Chen et al., Isolating Sources of Disentanglement in VAEs, 2018, equation 6 and
    appendix C. Li et al., Progressive Learning and Disentanglement of Hierarchical Representations,
    2020, equation 12.
    """
    mean, log_var = check_posteriors(mean, log_var)
    factors = check_factors(factors, len(mean), reference="mean")
    num_samples = check_int("num_samples", num_samples)
    if factors_used is not None:
        used = to_numpy("factors_used", factors_used)
        if (
            used.ndim != 1
            or used.dtype.kind not in "iu"
            or len(np.unique(used)) != len(used)
            or not np.isin(used, np.arange(factors.shape[1])).all()
        ):
            raise ValueError(
                f"`factors_used` must be distinct indices below {factors.shape[1]}, the number of "
                f"factors. Received: factors_used={factors_used}"
            )
        factors = factors[:, used]

    rows, z = draw_latents(
        mean, log_var, num_samples, np.random.default_rng(check_seed("seed", seed))
    )
    dimensions = [slice(j, j + 1) for j in range(mean.shape[1])]

    def log_ratio(latents, members):
        # The row of a latent's own posterior among the mixture's members, which are sorted.
        own = np.searchsorted(members, rows[latents])
        return log_mixture_ratio(z[latents], own, mean[members], log_var[members], dimensions)

    marginal = log_ratio(np.arange(num_samples), np.arange(len(mean))).mean(axis=0)
    information = np.zeros((mean.shape[1], factors.shape[1]))
    log_sizes = np.zeros(factors.shape[1])
    for k, factor in enumerate(factors.T):
        log_sizes[k] = np.log(len(np.unique(factor)))
        conditional = np.zeros(mean.shape[1])
        for value in np.unique(factor[rows]):
            latents = np.flatnonzero(factor[rows] == value)
            conditional += log_ratio(latents, np.flatnonzero(factor == value)).sum(axis=0)
        information[:, k] = conditional / num_samples - marginal
    information = np.maximum(information, 0.0)

    active = active_dimensions(mean)
    normalized = normalize(information, log_sizes)
    return {
        "mig": mean_gap(normalized),
        "mig_sup": mean_gap(normalized[active].T),
        "mutual_information": information,
        "active": active,
    }


declare(
    posterior_mig,
    scores=[
        Score("posterior_mig", "mig", random=0, one_to_one=1),
        Score("posterior_mig_sup", "mig_sup", random=0, one_to_one=1),
    ],
)
