"""Divergences between distributions of latent codes."""

import math

from keras import ops

from keras_disentangle._arguments import check_number
from keras_disentangle._tensors import as_floats, check_same_shape


def gaussian_kl(mean, log_var):
    r"""KL divergence of a diagonal Gaussian from the standard normal, in nats per example.

    $$\tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2)$$

    Args:
        mean: tensor (batch, d).
        log_var: log of the variances, tensor (batch, d).

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if the two shapes differ or are not of rank 2.

    Example:

    >>> kd.losses.gaussian_kl(np.ones((1, 2)), np.zeros((1, 2)))   # [1.0]

    Reference: Kingma & Welling, 2014 (appendix B).
    """
    mean, log_var = as_floats(mean=mean, log_var=log_var)
    check_same_shape("mean", mean, "log_var", log_var, rank=2)
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_var) - 1.0 - log_var, axis=-1)


def laplace_kl(mean, log_var, location, rate=1.0):
    r"""KL divergence of a diagonal Gaussian from Laplace distributions, in nats per example.

    Of $N(\mu, \sigma^2)$ from the density $\frac\lambda2 e^{-\lambda |z - l|}$, with
    $t = (\mu - l) / \sigma$ and summed over dimensions:

    $$\lambda\sigma \sqrt{2/\pi}\, e^{-t^2/2} + \lambda (\mu - l)\, \mathrm{erf}(t/\sqrt2)
      - \log\tfrac\lambda2 - \tfrac12 \log(2\pi e \sigma^2)$$

    Args:
        mean: tensor (batch, d).
        log_var: log of the variances, tensor (batch, d).
        location: the Laplace distributions' means, tensor (batch, d).
        rate: their inverse scale, a positive number.

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if shapes differ or are not of rank 2, or `rate` is not positive.

    Example:

    >>> kd.losses.laplace_kl(np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2)))   # [0.14]

    Reference: Klindt et al., 2021 (SlowVAE).
    """
    mean, log_var, location = as_floats(mean=mean, log_var=log_var, location=location)
    check_same_shape("mean", mean, "log_var", log_var, rank=2)
    check_same_shape("mean", mean, "location", location, rank=2)
    rate = check_number("rate", rate, above=0)
    std, distance = ops.exp(0.5 * log_var), mean - location
    # Beyond 20, functions of t are at their limits, but its square could leave float32.
    t = ops.clip(distance * ops.exp(-0.5 * ops.maximum(log_var, -80.0)), -20.0, 20.0)
    expected = std * math.sqrt(2 / math.pi) * ops.exp(-0.5 * ops.square(t))
    expected = expected + distance * ops.erf(t / math.sqrt(2))
    entropy = 0.5 * (log_var + math.log(2 * math.pi * math.e))
    return ops.sum(rate * expected - math.log(rate / 2) - entropy, axis=-1)
