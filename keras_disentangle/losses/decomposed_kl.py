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
    log_mean_exp = _weighted_mean(ops.shape(z)[0], dataset_size, estimator, z.dtype)
    # Of sample i under posterior k, in dimension j: (d, batch, batch). The axis that is summed over
    # most comes last, where backends are fastest.
    of_pairs = (ops.expand_dims(ops.transpose(x), axis) for x, axis in ((z, 2), (mean, 1)))
    log_q = _log_normal(*of_pairs, ops.expand_dims(ops.transpose(log_var), 1))
    own = ops.sum(_log_normal(z, mean, log_var), axis=-1)
    aggregate = log_mean_exp(ops.sum(log_q, axis=0))
    marginals = ops.sum(log_mean_exp(log_q), axis=0)
    prior = ops.sum(_log_normal(z, 0.0, 0.0), axis=-1)
    return own - aggregate, aggregate - marginals, marginals - prior


def _weighted_mean(n, dataset_size, estimator, dtype):
    """A function from the logs of densities (..., n, n) to those of means over the last axis."""
    size = ops.cast(n, dtype)
    if estimator == "weighted" or dataset_size is None:
        return lambda log_q: ops.logsumexp(log_q, axis=-1) - ops.log(size)
    total = np.float64(dataset_size)
    rest = math.log1p(-1 / total) - ops.log(size - 1)
    is_own = ops.eye(n, dtype=dtype)
    # Each row of weights sums to 1.
    log_weights = is_own * float(-np.log(total)) + (1 - is_own) * rest
    return lambda log_q: ops.logsumexp(log_q + log_weights, axis=-1)


def _log_normal(z, mean, log_var):
    # In few passes over the pairs, and divided before it is squared: the square of a small standard
    # deviation would underflow.
    half = -0.5 * ops.convert_to_tensor(log_var, z.dtype)
    scaled = (z - mean) * (math.sqrt(0.5) * ops.exp(half))
    return (half - 0.5 * math.log(2 * math.pi)) - ops.square(scaled)
