"""The dependence between latent dimensions by a kernel density estimate."""

import math

from keras import ops

from keras_disentangle._arguments import check_choice
from keras_disentangle._tensors import as_floats, check_same_shape
from keras_disentangle.losses._spread import spread

MARGINALS = ("scale", "silverman")


def kernel_multi_information(z, continuous=None, marginal_bandwidth="scale"):
    r"""Multiinformation (total correlation) of codes by kernel densities, in nats per example.

    $$\log \hat q(z) - \sum_j \log \hat q_j(z_j)$$

    where each density is the mean of Gaussian kernels at the codes of the batch. The kernel of
    dimension j of the joint density has Silverman's bandwidth
    $s_j (4 / (d + 2))^{1 / (d + 4)} n^{-1 / (d + 4)}$, with the standard deviation $s_j$ of the
    dimension over the batch of n codes. The mean over the batch is the estimate. With Silverman's
    rule for the marginal densities too, it is near 0 for independent dimensions of many codes; the
    authors' code takes $s_j$ itself, which is wider and adds about 0.1 nats per Gaussian dimension.

    Args:
        z: codes, such as quantised ones, tensor (batch, d), at least two.
        continuous: tensor like `z` from which the standard deviations are taken, such as codes
            before they are quantised; `z` by default.
        marginal_bandwidth: bandwidths of the marginal densities: `"scale"`, $s_j$ as in the
            authors' code, or `"silverman"`, $s_j (4 / 3 n)^{1 / 5}$.

    Returns:
        Tensor (batch,), float32 or wider. A dimension that is constant over the batch adds the same
        amount to each example, and no gradient of others.

    Raises:
        ValueError: if the shapes differ or are not of rank 2, or there is a single code.

    Example:

    >>> z = np.random.default_rng(0).normal(size=(1000, 1))
    >>> same = kd.losses.kernel_multi_information(np.concatenate([z, z], axis=1))
    >>> bool(ops.mean(same) > 0.3)
    True

    Reference: Hsu et al., 2024 (Tripod), kernel-based latent multiinformation.
    """
    check_choice("marginal_bandwidth", marginal_bandwidth, MARGINALS)
    if continuous is None:
        continuous = z
    z, continuous = as_floats(z=z, continuous=continuous)
    check_same_shape("z", z, "continuous", continuous, rank=2)
    d, n = z.shape[1], ops.cast(ops.shape(z)[0], z.dtype)
    scale = spread(continuous)
    joint = scale * (4 / (d + 2)) ** (1 / (d + 4)) * n ** (-1 / (d + 4))
    marginal = scale
    if marginal_bandwidth == "silverman":
        marginal = scale * (4 / 3) ** (1 / 5) * n ** (-1 / 5)
    squares = ops.square(ops.expand_dims(z, 1) - ops.expand_dims(z, 0))
    of_joint = ops.sum(_log_normal(squares, joint), axis=-1)
    of_marginals = _log_normal(squares, marginal)
    log_joint = ops.logsumexp(of_joint, axis=1) - ops.log(n)
    log_marginals = ops.logsumexp(of_marginals, axis=1) - ops.log(n)
    return log_joint - ops.sum(log_marginals, axis=-1)


def _log_normal(squares, std):
    return -0.5 * squares / ops.square(std) - ops.log(std) - 0.5 * math.log(2 * math.pi)
