"""The FactorVAE score: can a majority vote identify the factor that was held fixed?"""

import numpy as np

from keras_disentangle._arguments import check_int, check_number, check_seed
from keras_disentangle.metrics._votes import (
    check_grid,
    draw_factors,
    draw_fixed,
    encode_factors,
)
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score, one_in_factors

# Votes whose variances are computed at once, to bound the memory.
_VOTES = 1000


def factor_vae(
    encode,
    dataset,
    *,
    num_train=10_000,
    num_eval=5_000,
    batch_size=64,
    num_variance=10_000,
    threshold=0.05,
    seed=0,
    encode_batch=2048,
):
    """FactorVAE score: the accuracy of a majority vote that identifies the factor held fixed.

    A vote is a batch of random images that share the value of one random factor: it goes to the
    latent dimension whose variance over the batch, relative to its variance over the data, is
    lowest. Each dimension is assigned the factor held fixed in most of its training votes; the
    score is the share of evaluation votes for which this assignment is correct. Factors with a
    single value are never held fixed, so they do not affect the score.

    Each distinct image is encoded once, however many batches contain it: with the default numbers,
    about 540,000 of the 737,280 images of dSprites. Fewer votes give noisier scores.

    Args:
        encode: callable from float32 images in [0, 1], (m, *image_shape), to codes, (m, d). It must
            be deterministic: the posterior mean.
        dataset: a `FactorDataset`: `factor_sizes`, `index(factors)`, `images(index)`.
        num_train: the number of training votes, which decide the assignment.
        num_eval: the number of evaluation votes.
        batch_size: the number of images in a vote.
        num_variance: the number of images from which the variances over the data are estimated.
        threshold: dimensions whose standard deviation over the data is below this are left out
            (disentanglement_lib's rule and value).
        seed: seed of the factors.
        encode_batch: the number of images given to `encode` at once.

    Returns:
        A float in [0, 1]; 0 when every dimension is left out or no factor varies.

    Raises:
        ValueError: if a number is not a positive integer (`batch_size` and `num_variance`: at least
            2), `threshold` is negative, `dataset` has no full grid of factors, or `encode` does not
            return finite codes of shape (m, d).

    Example:

    >>> encode = lambda images: model.encode(images)[0]  # the means
    >>> sprites = kd.datasets.DSprites(image_size=28)
    >>> kd.metrics.factor_vae(encode, sprites, num_train=50, num_eval=25)

    Reference: Kim & Mnih, Disentangling by Factorising, 2018, section 4 and figure 2.
    """
    num_train = check_int("num_train", num_train)
    num_eval = check_int("num_eval", num_eval)
    batch_size = check_int("batch_size", batch_size, minimum=2)
    num_variance = check_int("num_variance", num_variance, minimum=2)
    encode_batch = check_int("encode_batch", encode_batch)
    threshold = check_number("threshold", threshold, 0)
    sizes = check_grid(dataset)
    if not (sizes > 1).any():
        return 0.0
    rng = np.random.default_rng(check_seed("seed", seed))
    num_votes = num_train + num_eval
    data = draw_factors(sizes, (num_variance,), rng)
    fixed = draw_fixed(sizes, num_votes, rng)
    batches = draw_factors(sizes, (num_votes, batch_size), rng)
    votes = np.arange(num_votes)
    batches[votes, :, fixed] = batches[votes, 0, fixed][:, None]

    factors = np.concatenate([data, batches.reshape(-1, len(sizes))])
    codes, inverse = encode_factors(encode, dataset, factors, encode_batch)

    variance = np.var(codes[inverse[:num_variance]], axis=0, ddof=1, dtype=np.float64)
    active = np.sqrt(variance) >= threshold
    # A dimension that does not vary at all cannot be compared, whatever the threshold.
    active &= variance > 0
    if not active.any():
        return 0.0
    codes, variance = codes[:, active], variance[active]

    inverse = inverse[num_variance:].reshape(num_votes, batch_size)
    named = np.empty(num_votes, np.int64)
    for start in range(0, num_votes, _VOTES):
        chunk = slice(start, start + _VOTES)
        local = np.var(codes[inverse[chunk]], axis=1, ddof=1, dtype=np.float64)
        named[chunk] = np.argmin(local / variance, axis=1)

    counts = np.zeros((len(variance), len(sizes)), np.int64)
    np.add.at(counts, (named[:num_train], fixed[:num_train]), 1)
    assignment = counts.argmax(axis=1)
    return float(np.mean(assignment[named[num_train:]] == fixed[num_train:]))


declare(
    factor_vae,
    scores=[Score("factor_vae", random=one_in_factors, one_to_one=1, tolerance=0.05)],
    learns=True,
    interval="votes",
    needs_grid=True,
)
