"""The negative log-likelihood of images under a VAE, estimated by importance sampling."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_flag, check_int, check_seed
from keras_disentangle._image_format import TOLERANCE
from keras_disentangle._progress import progress
from keras_disentangle._tensors import as_rows, to_numpy
from keras_disentangle.metrics._validation import LARGEST_LOG_VAR, check_matrix, check_size
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def importance_nll(model, x, num_samples=100, *, per_unit=True, seed=0, batch_size=500):
    r"""Negative log-likelihood of images, with the posterior as the importance distribution.

    The mean over images of

    $$-\log \frac1K \sum_{k=1}^K \frac{p(x|z_k)\, p(z_k)}{q(z_k|x)}, \quad z_k \sim q(z|x),$$

    where the prior $p(z)$ is standard normal and $q(z|x)$ a diagonal Gaussian.

    By Jensen's inequality the estimate is too high in expectation: it is an upper bound of the
    negative log-likelihood, equal to the negative evidence lower bound with one sample and tighter
    with each further one. If $q(z|x)$ is the true posterior, any number of samples is exact; if few
    samples carry the weight (`"effective_samples"` near 1), the bound is loose. Compare only values
    of equal `num_samples`.

    With Gaussian observations it refers to a density: it changes with the scale of the pixels and
    may be negative. With Bernoulli observations it is a likelihood only if the pixels are 0 or 1.

    Args:
        model: anything with `encode(x) -> (mean, log_var)`, each (m, d), the posteriors of images
            (m, h, w, c), and `log_likelihood(x, z) -> (m,)`, log p(x|z) in nats of each image at
            its own code, summed over pixels, z being (m, d). Every `VariationalModel` is one. Each
            image must be treated independently, without randomness. Both are given float32. A
            `keras.Model` is compiled as `predict` compiles it; anything else, and a model under a
            `tf.distribute` strategy, is called as it is.
        x: array of images (n, h, w, c), in [0, 1] where `model.observation` is `Bernoulli()` or
            "bernoulli". Only one batch of a memory map or an h5py data set is in memory at a time.
        num_samples: the number of codes drawn for each image, K.
        per_unit: whether to divide by the number of units of an image, pixels times channels.
        seed: integer >= 0, the seed of the codes. The codes of an image depend on the seed, the
            image's index and d alone: `batch_size` and the backend only affect rounding, and more
            samples begin with the same ones.
        batch_size: the largest number of images encoded, and of codes decoded, at once.

    Returns:
        A dict of floats: `"nll"`, in nats per unit (or per image); `"standard_error"`, the standard
        error of this mean over n images, in the same units, NaN for one image: the effect of the
        choice of images and codes, without the bias; `"effective_samples"`, the mean over images of
        $(\sum_k w_k)^2 / \sum_k w_k^2$, in [1, K], $w_k$ being the ratios above.

    Raises:
        ValueError: if `model` lacks a method or returns anything but finite numbers of these
            shapes, if `x` is empty, is not finite, has a shape that `model` refuses or lies outside
            [0, 1] where it may not, or if a number is not an integer of at least 1 (`seed`: 0).

    Example:

    >>> model = kd.models.VAE(encoder, decoder, observation="gaussian")
    >>> kd.metrics.importance_nll(model, images)["nll"]  # nats per pixel and channel

    References: Lamb et al., Discriminative Regularization for Generative Models, 2016, section 5.2,
    table 2: 100 samples, averages per unit. Rezende et al., Stochastic Backpropagation and
    Approximate Inference in Deep Generative Models, 2014. Burda et al., Importance Weighted
    Autoencoders, 2016, section 3 and theorem 1.
    """
    for method in ("encode", "log_likelihood"):
        if not callable(getattr(model, method, None)):
            raise ValueError(f"`model` must have a method `{method}`. Received: model={model}")
    num_samples = check_int("num_samples", num_samples)
    seed = check_seed("seed", seed, optional=False)
    batch_size = check_int("batch_size", batch_size)
    per_unit = check_flag("per_unit", per_unit)
    x = as_rows("x", x)
    observation = getattr(model, "observation", None)
    in_unit_interval = observation == "bernoulli" or getattr(observation, "in_unit_interval", False)
    _check_images(x, in_unit_interval, batch_size)
    n = x.shape[0]

    mean, log_var = _encode(model, x, batch_size)
    # Blocks of equal shape, so that nothing is compiled twice: images, and codes of each.
    num_codes = _even(num_samples, batch_size)
    num_images = _even(n, batch_size // num_codes)
    log_likelihood = _pairwise(model)
    log_sums = np.full((2, n), -np.inf)  # of the weights, and of their squares
    for start in progress(range(0, n, num_images), "batches of images"):
        images, rows = _block(x, start, num_images)
        std, half_log_det = np.exp(0.5 * log_var[rows]), 0.5 * log_var[rows].sum(axis=1)
        generators = [np.random.default_rng((seed, row)) for row in rows.tolist()]
        for first in range(0, num_samples, num_codes):
            noise = np.stack([g.standard_normal((num_codes, mean.shape[1])) for g in generators])
            z = mean[rows, None] + std[:, None] * noise
            log_ratio = 0.5 * (noise**2 - z**2).sum(axis=2) + half_log_det[:, None]
            log_weights = log_likelihood(images, z.astype("float32")) + log_ratio
            log_weights = log_weights[: n - start, : num_samples - first]
            for power, log_sum in enumerate(log_sums, start=1):
                part = np.logaddexp.reduce(power * log_weights, axis=1)
                block = slice(start, start + num_images)
                log_sum[block] = np.logaddexp(log_sum[block], part)

    nll = np.log(num_samples) - log_sums[0]
    if per_unit:
        nll /= np.prod(tuple(x.shape)[1:])
    return {
        "nll": float(nll.mean()),
        "standard_error": float(nll.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan"),
        "effective_samples": float(np.exp(2 * log_sums[0] - log_sums[1]).mean()),
    }


class _LogLikelihood(keras.Model):
    """log p(x|z), (m, s), of images (m, h, w, c) at the codes (m, s, d) of each of them."""

    def __init__(self, model):
        super().__init__(dtype="float32", name="log_likelihood")
        self.model = model
        self.run_eagerly = getattr(model, "run_eagerly", False)
        self.built = True

    def call(self, inputs):
        x, z = inputs
        m, s, d = z.shape
        # On the device, so that each image goes there once.
        return self.model.log_likelihood(ops.repeat(x, s, axis=0), ops.reshape(z, (m * s, d)))


def _pairwise(model):
    """Function from images (m, h, w, c) and codes (m, s, d) to log p(x|z), float64 (m, s)."""
    compiled = _LogLikelihood(model) if isinstance(model, keras.layers.Layer) else None
    # Only TensorFlow has one: `predict` would give the same images to each replica.
    strategy = getattr(model, "distribute_strategy", None)
    if strategy is not None and (
        strategy is not getattr(compiled, "distribute_strategy", None)
        or strategy.num_replicas_in_sync > 1
    ):
        compiled = None

    def log_likelihood(x, z):
        m, s, d = z.shape
        if compiled is not None:
            values = compiled.predict_on_batch([x, z])
        else:
            values = model.log_likelihood(np.repeat(x, s, axis=0), z.reshape(m * s, d))
        values = to_numpy("model.log_likelihood(x, z)", values)
        if values.shape != (m * s,) or not np.isfinite(values).all():
            raise ValueError(
                f"`model.log_likelihood(x, z)` must be {m * s} finite numbers, one for each image "
                f"and its code. Received: {values}"
            )
        return values.astype(np.float64).reshape(m, s)

    return log_likelihood


def _encode(model, x, batch_size):
    """Mean and log variance of the posteriors of images, two float64 arrays (n, d)."""
    n = x.shape[0]
    size = _even(n, batch_size)
    parts = []
    for start in range(0, n, size):
        posterior = model.encode(_block(x, start, size)[0])
        pair = isinstance(posterior, (tuple, list)) and len(posterior) == 2
        if pair:
            posterior = [
                to_numpy(f"model.encode(x)[{i}]", part) for i, part in enumerate(posterior)
            ]
        if not pair or any(part.shape[:1] != (size,) for part in posterior):
            raise ValueError(
                "`model.encode(x)` must return a pair, the mean and the log variance of each of "
                f"{size} images. Received: {[p.shape for p in posterior] if pair else posterior}"
            )
        posterior = [
            check_matrix(f"model.encode(x)[{i}]", part).astype(np.float64)
            for i, part in enumerate(posterior)
        ]
        if posterior[0].shape != posterior[1].shape:
            raise ValueError(
                "`model.encode(x)` must return two arrays of one shape. "
                f"Received: {posterior[0].shape} and {posterior[1].shape}"
            )
        check_size("model.encode(x)[1]", posterior[1], LARGEST_LOG_VAR)
        parts.append([part[: n - start] for part in posterior])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _even(total, limit):
    """The size of the fewest equal blocks of at most `limit` that hold `total`."""
    blocks = -(-total // limit)
    return -(-total // blocks)


def _block(x, start, size):
    """Rows of `x` from `start` on, a float32 array (size, ...), and their indices (size,).

    No other rows of `x` are read. The last block ends with copies of the last row.
    """
    block = to_numpy("x", x[start : start + size]).astype("float32")
    rows = np.minimum(np.arange(start, start + size), x.shape[0] - 1)
    return block[rows - start], rows


def _check_images(x, in_unit_interval, batch_size):
    """Reads `x` once, block by block, so that no copy of it is made."""
    if len(x.shape) < 2:
        raise ValueError(
            "`x` must be a non-empty array of images, of shape (n, h, w, c). "
            f"Received: x.shape={tuple(x.shape)}"
        )
    low, high = np.inf, -np.inf
    for start in range(0, x.shape[0], batch_size):
        block = to_numpy("x", x[start : start + batch_size])
        low, high = np.minimum(low, block.min()), np.maximum(high, block.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("`x` must hold finite numbers. Received: NaN or infinity")
    if in_unit_interval and (low < -TOLERANCE or high > 1 + TOLERANCE):
        raise ValueError(
            "`x` must lie in [0, 1] for Bernoulli observations (divide uint8 images by 255). "
            f"Received: values in [{low:g}, {high:g}]"
        )


declare(
    importance_nll,
    scores=[
        Score("nll", "nll", bounds=(-np.inf, np.inf), better="lower"),
        Score("effective_samples", "effective_samples", bounds=(1, np.inf)),
    ],
)
