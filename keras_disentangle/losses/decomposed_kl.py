"""The KL term of a VAE in three parts: mutual information, total correlation and the rest."""

import math

import numpy as np
from keras import ops

from keras_disentangle._arguments import check_choice, check_int
from keras_disentangle._tensors import as_floats, check_same_shape

ESTIMATORS = ("weighted", "stratified")


def decomposed_kl(z, mean, log_var, dataset_size=None, estimator="weighted"):
    r"""Mutual information, total correlation and dimension-wise KL of codes, in nats per example.

    $$\log\frac{q(z|x)}{q(z)},\quad \log\frac{q(z)}{\prod_j q(z_j)},\quad
      \sum_j \log\frac{q(z_j)}{p(z_j)}$$

    at a sample z from each posterior q(z|x) of the batch, with the standard normal p. Their sum is
    $\log q(z|x) - \log p(z)$ exactly, whatever the estimator, and its mean over samples is the KL
    term. The aggregate posterior q(z), of the whole data set, is estimated by a weighted mean of
    the posteriors of the batch:

    - `"weighted"` weighs all alike. The posterior from which z was drawn is always among them, so
      the mutual information cannot exceed log(batch). This is minibatch-weighted sampling without
      its constant, the log of `dataset_size`, which has no gradient and is therefore left out.
    - `"stratified"` gives the example's own posterior its share, 1 / `dataset_size`, and divides
      the rest among the others. The estimate of q(z) is unbiased over batches that are drawn
      without replacement. Minibatch-stratified sampling, which gives a smaller weight to one
      arbitrary posterior and equal ones to the rest, is this on average over which one it is.

    For a batch that is the whole data set, both are q(z) itself.

    Args:
        z: samples, tensor (batch, d), one for each posterior.
        mean, log_var: the posteriors' means and log variances, tensors (batch, d).
        dataset_size: number of examples of the data set, >= batch; it matters to `"stratified"`
            alone. `None` for that of the batch.
        estimator: `"weighted"` or `"stratified"`.

    Returns:
        (mutual_information, total_correlation, dimension_wise_kl), tensors (batch,), float32 or
        wider.

    Raises:
        ValueError: if the shapes differ or are not of rank 2, there is a single example,
            `dataset_size` is smaller than the batch, or the estimator is unknown.

    Example:

    >>> z = np.random.default_rng(0).normal(size=(64, 10)).astype("float32")
    >>> parts = kd.losses.decomposed_kl(z, 0.9 * z, np.full(z.shape, -2.0, "float32"), 60_000)
    >>> [part.shape[0] for part in parts]
    [64, 64, 64]

    Reference: Chen et al., 2018 (Isolating sources of disentanglement in VAEs).
    """
    check_choice("estimator", estimator, ESTIMATORS)
    z, mean, log_var = as_floats(z=z, mean=mean, log_var=log_var)
    check_same_shape("mean", mean, "log_var", log_var, rank=2)
    check_same_shape("z", z, "mean", mean, rank=2)
    n = z.shape[0]
    if n is not None and n < 2:
        raise ValueError(
            f"`z` must hold at least two examples. Received: z of shape {tuple(z.shape)}"
        )
    if dataset_size is not None:
        check_int("dataset_size", dataset_size, minimum=2)
        if n is not None and dataset_size < n:
            raise ValueError(
                f"`dataset_size` must be at least the batch's size, {n}. "
                f"Received: dataset_size={dataset_size}"
            )
    weights = _log_weights(ops.shape(z)[0], dataset_size, estimator, z.dtype)
    # Of sample i under posterior k, in dimension j: (batch, batch, d).
    z, given = ops.expand_dims(z, 1), (ops.expand_dims(x, 0) for x in (mean, log_var))
    log_q = _log_normal(z, *given)
    own = ops.sum(_log_normal(z[:, 0], mean, log_var), axis=-1)
    aggregate = ops.logsumexp(ops.sum(log_q, axis=-1) + weights, axis=1)
    marginals = ops.sum(ops.logsumexp(log_q + ops.expand_dims(weights, -1), axis=1), axis=-1)
    prior = ops.sum(_log_normal(z[:, 0], 0.0, 0.0), axis=-1)
    return own - aggregate, aggregate - marginals, marginals - prior


def _log_weights(n, dataset_size, estimator, dtype):
    """Logs of the weights (n, n), or (1, 1) if all are equal: each row of weights sums to 1."""
    size = ops.cast(n, dtype)
    if estimator == "weighted" or dataset_size is None:
        return -ops.reshape(ops.log(size), (1, 1))
    total = np.float64(dataset_size)
    rest = math.log1p(-1 / total) - ops.log(size - 1)
    is_own = ops.eye(n, dtype=dtype)
    return is_own * float(-np.log(total)) + (1 - is_own) * rest


def _log_normal(z, mean, log_var):
    # Divided before it is squared: the square of a small standard deviation would underflow.
    scaled = (z - mean) * ops.exp(-0.5 * ops.convert_to_tensor(log_var, z.dtype))
    return -0.5 * (ops.square(scaled) + log_var + math.log(2 * math.pi))
