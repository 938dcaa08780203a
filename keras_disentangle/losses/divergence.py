"""Divergences between distributions of latent codes."""

from keras import ops

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
