"""Disentangled inferred priors: the covariance of the codes compared with the identity."""

from keras import ops

from keras_disentangle._arguments import check_choice, check_weight
from keras_disentangle._tensors import as_floats, check_same_shape

KINDS = {"i": 10.0, "ii": 1.0}  # and the authors' weights of the diagonal


def dip(mean, log_var, kind="i", diagonal_weight=None):
    r"""How far the covariance of a batch of codes is from the identity.

    $$\sum_{i \ne j} C_{ij}^2 + w \sum_i (C_{ii} - 1)^2$$

    For DIP-VAE-I, C is the covariance of the posteriors' means, for DIP-VAE-II that of the codes,
    $\operatorname{Cov}[\mu] + \operatorname{E}[\operatorname{diag}(\sigma^2)]$. Covariances and
    means are of the batch (divided by its size).

    Args:
        mean, log_var: the posteriors' means and log variances, tensors (batch, d).
        kind: `"i"` or `"ii"`.
        diagonal_weight: w >= 0, by default the ratio in which the two parts were weighted in
            published studies: 10 for I, 1 for II.

    Returns:
        Scalar, float32 or wider.

    Raises:
        ValueError: if the shapes differ or are not of rank 2, there is a single example, or another
            argument is out of range.

    Example:

    >>> mean = np.array([[1.0, 1.0], [-1.0, -1.0]])  # covariance: ones
    >>> float(kd.losses.dip(mean, np.zeros((2, 2)), kind="i"))
    2.0

    Reference: Kumar et al., 2018 (Variational inference of disentangled latent concepts from
    unlabeled observations), equations 6 and 7.
    """
    check_choice("kind", kind, KINDS)
    weight = KINDS[kind] if diagonal_weight is None else diagonal_weight
    weight = check_weight("diagonal_weight", weight)
    mean, log_var = as_floats(mean=mean, log_var=log_var)
    check_same_shape("mean", mean, "log_var", log_var, rank=2)
    if mean.shape[0] is not None and mean.shape[0] < 2:
        raise ValueError(
            f"`mean` must hold at least two examples. Received: mean of shape {tuple(mean.shape)}"
        )
    centred = mean - ops.mean(mean, axis=0)
    covariance = ops.matmul(ops.transpose(centred), centred) / ops.cast(
        ops.shape(mean)[0], mean.dtype
    )
    identity = ops.eye(mean.shape[1], dtype=mean.dtype)
    if kind == "ii":
        covariance = covariance + identity * ops.mean(ops.exp(log_var), axis=0)
    off_diagonal = ops.sum(ops.square(covariance * (1 - identity)))
    return off_diagonal + weight * ops.sum(ops.square((covariance - 1) * identity))
