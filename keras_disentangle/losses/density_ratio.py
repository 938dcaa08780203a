"""The density-ratio trick: a discriminator between codes and permuted codes."""

from keras import ops

from keras_disentangle._tensors import as_floats, check_same_shape, check_width
from keras_disentangle.losses.adversarial import discriminator_loss


def permute_codes(z, noise):
    r"""Permutes each dimension of the codes over the batch, independently of the others.

    Of codes from $q(z)$, this gives approximate samples of $\prod_j q(z_j)$.

    Args:
        z: codes, tensor (batch, d).
        noise: continuous random numbers, tensor (batch, d): the ranks of column j are the
            permutation of dimension j.

    Returns:
        Tensor (batch, d), in the dtype of `z`.

    Raises:
        ValueError: if the shapes differ.

    Example:

    >>> z = np.array([[0.0, 10.0], [1.0, 11.0]], "float32")
    >>> kd.losses.permute_codes(z, [[0.3, 0.9], [0.7, 0.1]])   # [[0, 11], [1, 10]]

    Reference: Kim & Mnih, 2018 (FactorVAE), algorithm 1.
    """
    z, noise = ops.convert_to_tensor(z), as_floats(noise=noise)
    check_same_shape("z", z, "noise", noise, rank=2)
    return ops.take_along_axis(z, ops.argsort(noise, axis=0), axis=0)


def log_density_ratio(logits):
    r"""$\log q(z) - \log \prod_j q(z_j)$, as a discriminator of codes estimates it, in nats.

    Its mean over codes is the estimate of their total correlation. It may be negative.

    Args:
        logits: the discriminator's outputs (batch, 2): first that of codes of one image, then that
            of permuted codes.

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if the shape is wrong.

    Example:

    >>> kd.losses.log_density_ratio(np.array([[2.0, 0.5]]))   # [1.5]

    Reference: Kim & Mnih, 2018 (FactorVAE), equation 3.
    """
    logits = as_floats(logits=logits)
    check_width("logits", logits, 2)
    return logits[:, 0] - logits[:, 1]


def density_ratio_loss(logits, permuted_logits):
    r"""The loss of the discriminator between codes and permuted codes, per example, in nats.

    $$\tfrac12 [-\log D_0(z) - \log D_1(z_{perm})]$$

    with D the softmax of the logits: log 2 where it cannot tell the two apart.

    Args:
        logits: outputs for codes, tensor (batch, 2), as in `log_density_ratio`.
        permuted_logits: outputs for permuted codes, tensor (batch, 2).

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if a shape is wrong or the two differ.

    Example:

    >>> kd.losses.density_ratio_loss(np.zeros((1, 2)), np.zeros((1, 2)))   # [log 2]

    Reference: Kim & Mnih, 2018 (FactorVAE), algorithm 2.
    """
    logits, permuted_logits = as_floats(logits=logits, permuted_logits=permuted_logits)
    check_width("permuted_logits", permuted_logits, 2)
    check_same_shape("logits", logits, "permuted_logits", permuted_logits, rank=2)
    ratios = log_density_ratio(logits), log_density_ratio(permuted_logits)
    return 0.5 * discriminator_loss("non_saturating", *ratios)
