"""The beta-VAE score: can a linear classifier identify the factor that was held fixed?"""

import numpy as np

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle.metrics._votes import (
    check_grid,
    draw_factors,
    draw_fixed,
    encode_factors,
)
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score, one_in_factors

# Points whose differences are computed at once, to bound the memory.
_POINTS = 1000


def beta_vae(
    encode,
    dataset,
    *,
    num_train=10_000,
    num_eval=5_000,
    batch_size=64,
    seed=0,
    encode_batch=2048,
):
    """beta-VAE score: the accuracy of a linear classifier that identifies the factor held fixed.

    A point is the mean absolute difference of the codes of image pairs, over a batch of pairs. The
    two images of a pair share the value of one factor, the same factor within a batch, and differ
    in the others at random. A logistic regression (scikit-learn's default) is fitted to the
    training points to predict this factor; the score is its accuracy on the evaluation points.
    Chance is 1 / k for k factors; factors with a single value are never held fixed, so they do not
    affect the score.

    Each distinct image is encoded once, however many pairs contain it. The score is lenient: codes
    that mix factors can still score 1.

    Args:
        encode: callable from float32 images in [0, 1], (m, *image_shape), to codes, (m, d). It must
            be deterministic: the posterior mean.
        dataset: a `FactorDataset`: `factor_sizes`, `index(factors)`, `images(index)`.
        num_train: the number of training points.
        num_eval: the number of evaluation points.
        batch_size: the number of pairs in a point.
        seed: seed of the factors.
        encode_batch: the number of images given to `encode` at once.

    Returns:
        A float in [0, 1]; 1 when a single factor varies, 0 when none does.

    Raises:
        ValueError: if a number is not a positive integer, `dataset` has no full grid of factors, or
            `encode` does not return finite codes of shape (m, d).

    Example:

    >>> encode = lambda images: model.encode(images)[0]  # the means
    >>> sprites = kd.datasets.DSprites(image_size=28)
    >>> kd.metrics.beta_vae(encode, sprites, num_train=50, num_eval=25)

    Reference: Higgins et al., beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework, 2017, section 3, as disentanglement_lib evaluates it.
    """
    num_train = check_int("num_train", num_train)
    num_eval = check_int("num_eval", num_eval)
    batch_size = check_int("batch_size", batch_size)
    encode_batch = check_int("encode_batch", encode_batch)
    sizes = check_grid(dataset)
    if not (sizes > 1).any():
        return 0.0
    rng = np.random.default_rng(check_seed("seed", seed))
    num_points = num_train + num_eval
    fixed = draw_fixed(sizes, num_points, rng)
    pairs = draw_factors(sizes, (num_points, 2, batch_size), rng)
    points = np.arange(num_points)
    pairs[points, 1, :, fixed] = pairs[points, 0, :, fixed]
    codes, inverse = encode_factors(encode, dataset, pairs.reshape(-1, len(sizes)), encode_batch)
    inverse = inverse.reshape(num_points, 2, batch_size)
    features = np.empty((num_points, codes.shape[1]))
    for start in range(0, num_points, _POINTS):
        chunk = slice(start, start + _POINTS)
        first, second = codes[inverse[chunk, 0]], codes[inverse[chunk, 1]]
        features[chunk] = np.abs(first - second).mean(axis=1, dtype=np.float64)
    seen = np.unique(fixed[:num_train])
    if len(seen) == 1:
        predicted = np.full(num_eval, seen[0])
    else:
        # Here, since scikit-learn takes longer to import than all else.
        from sklearn.linear_model import LogisticRegression

        regression = LogisticRegression().fit(features[:num_train], fixed[:num_train])
        predicted = regression.predict(features[num_train:])
    return float(np.mean(predicted == fixed[num_train:]))


declare(
    beta_vae,
    scores=[Score("beta_vae", random=one_in_factors, one_to_one=1, tolerance=0.05)],
    learns=True,
    interval="votes",
    needs_grid=True,
)
