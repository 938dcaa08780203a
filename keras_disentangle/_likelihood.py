"""Negative log-likelihoods of images, summed over pixels."""

import math

from keras import ops

from keras_disentangle._tensors import as_floats, check_same_shape


def bernoulli_nll(x, logits):
    r"""Negative log-likelihood of `x` under independent Bernoulli pixels, in nats per example.

    $$-\sum_i [x_i \log\sigma(l_i) + (1 - x_i) \log(1 - \sigma(l_i))]$$

    Args:
        x: values in [0, 1], tensor (batch, ...).
        logits: tensor of the same shape.

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if the two shapes differ.

    Example:

    >>> kd.losses.bernoulli_nll(np.ones((1, 4)), np.zeros((1, 4)))   # [4 log 2]

    Reference: Kingma & Welling, 2014 (appendix C.1).
    """
    x, logits = as_floats(x=x, logits=logits)
    check_same_shape("x", x, "logits", logits)
    return sum_per_example(ops.softplus(logits) - x * logits)


def gaussian_nll(x, mean, log_std):
    r"""Negative log-likelihood of `x` under independent Gaussians, in nats per example.

    $$\sum_i [\tfrac12 \log 2\pi + \log\sigma_i + (x_i - \mu_i)^2 / 2\sigma_i^2]$$

    Args:
        x: tensor (batch, ...).
        mean: tensor of the same shape.
        log_std: log of the standard deviations, broadcastable to that shape.

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if the shapes of `x` and `mean` differ, or `log_std` is not broadcastable.

    Example:

    >>> kd.losses.gaussian_nll(np.zeros((1, 2)), np.zeros((1, 2)), 0.0)   # [log 2 pi]

    Reference: Kingma & Welling, 2014 (appendix C.2).
    """
    x, mean, log_std = as_floats(x=x, mean=mean, log_std=log_std)
    check_same_shape("x", x, "mean", mean)
    _check_broadcasts("log_std", log_std, x)
    scaled = (x - mean) * ops.exp(-log_std)
    return sum_per_example(0.5 * math.log(2 * math.pi) + log_std + 0.5 * ops.square(scaled))


def _check_broadcasts(name, tensor, x):
    """Raises a ValueError unless `tensor` can be repeated to the shape of `x`."""
    shape, full = tuple(tensor.shape), tuple(x.shape)
    ends = zip(reversed(shape), reversed(full), strict=False)
    if len(shape) > len(full) or any(m not in (None, 1, n) and n is not None for m, n in ends):
        raise ValueError(
            f"`{name}` must be broadcastable to the shape {full} of `x`. "
            f"Received: {name}.shape={shape}"
        )


def sum_per_example(x):
    """(batch, ...) to the sum of each example's values, (batch,)."""
    return ops.sum(x, axis=tuple(range(1, len(x.shape))))
