"""Mutual information between data and latent codes, as a whole and for each rung."""

import numpy as np

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle.latents.as_space import as_rungs
from keras_disentangle.metrics._mixture import (
    draw_latents,
    kl_of_dimensions,
    log_mixture_ratio,
)
from keras_disentangle.metrics._validation import check_posteriors
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score, log_of_images


def latent_information(mean, log_var, *, rungs=None, num_samples=10_000, seed=0):
    """Mutual information `I(x; z)` between data and latent codes, for the whole code and each rung.

    The mean over latents `z`, drawn from the posteriors of random examples `x`, of
    `log q(z | x) - log q(z)`, where `q(z)` is the mixture of the posteriors of all the examples.

    An estimate cannot exceed `log(n)`, the entropy of the choice among n examples. A value near
    that bound says only that the posteriors hardly overlap.

    Args:
        mean: array (n, d), the means of the Gaussian posteriors `q(z | x)`.
        log_var: array (n, d), their log variances.
        rungs: sizes of consecutive groups of dimensions, which sum to d, in the order of the latent
            code, or the `LatentSpace` of a model. By default one group; `[1] * d` gives the
            information of each dimension.
        num_samples: the number of latents drawn. Each posterior is drawn from once before any is
            drawn from again. The time grows with `num_samples * n * d`, the memory with `n * d`.
        seed: seed of the latents.

    Returns:
        A dict: `"total"`, `I(x; z)` in nats; `"rungs"`, a list of `I(x; z_l)` in nats; `"kl"`, a
        list with the mean KL divergence of each rung's posteriors from a standard normal
        distribution, in nats, which its information cannot exceed, apart from estimation error. The
        standard error is that of a mean of `num_samples` values; an estimate near 0 may be slightly
        negative.

    Raises:
        ValueError: if an array is empty, is not of rank 2 or holds NaN, if the shapes differ, or if
            `rungs` are not positive integers that sum to d.

    Example:

    >>> mean = np.random.default_rng(0).normal(size=(1000, 2))  # x ~ N(0, 1), z = x + 0.5 * noise
    >>> log_var = np.full((1000, 2), np.log(0.25))
    >>> kd.metrics.latent_information(mean, log_var, rungs=[1, 1])["rungs"]   # near log(5) / 2

    References: Li et al., Progressive Learning and Disentanglement of Hierarchical Representations,
    2020, appendices B.2 and D. Chen et al., Isolating Sources of Disentanglement in VAEs, 2018,
    equation 2 (the index-code mutual information), whose release takes `E[log q(z | x)]` from the
    entropies: the same expectation, but with a higher variance and no bound.
    """
    mean, log_var = check_posteriors(mean, log_var)
    num_samples = check_int("num_samples", num_samples)
    groups = list(as_rungs(rungs, mean.shape[1]).slices.values())
    rows, z = draw_latents(
        mean, log_var, num_samples, np.random.default_rng(check_seed("seed", seed))
    )
    log_ratio = log_mixture_ratio(z, rows, mean, log_var, groups, joint=True)
    *per_rung, total = -log_ratio.mean(axis=0)
    kl = kl_of_dimensions(mean, log_var)
    return {
        "total": float(total),
        "rungs": [float(value) for value in per_rung],
        "kl": [float(kl[group].sum()) for group in groups],
    }


declare(
    latent_information,
    name="information",
    scores=[
        Score("information", "rungs", bounds=(0, np.inf)),
        Score(
            "information_total",
            "total",
            bounds=(0, np.inf),
            one_to_one=log_of_images,
            tolerance=0.02,
        ),
        Score("kl", "kl", bounds=(0, np.inf), better=None),
    ],
)
