"""How far the image moves for a small step of the code towards another code."""

import numpy as np

from keras_disentangle._arguments import (
    check_callable,
    check_choice,
    check_int,
    check_number,
    check_seed,
)
from keras_disentangle._progress import progress
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents import Categorical, as_space
from keras_disentangle.metrics._generator import evaluate
from keras_disentangle.metrics.metric import declare
from keras_disentangle.metrics.score import Score


def perceptual_path_length(
    generator,
    space,
    distance,
    *,
    num_samples=100_000,
    epsilon=1e-4,
    sampling="end",
    interpolation="slerp",
    percentiles=(1, 99),
    seed=0,
    batch_size=16,
):
    """Perceptual path length (PPL): the mean of `distance(G(z(t)), G(z(t + eps))) / eps**2`.

    Each path z(t) leads from one random code (t = 0) to another (t = 1). The defaults are those of
    the paper and its release: steps at the start of each path, along the sphere, and the mean of
    the values between the 1st and the 99th percentile.

    On a spherical path the direction turns at constant speed from that of one code to that of the
    other, and the length is interpolated linearly. For a generator that normalises its input,
    only the direction matters, and the result is that of the release, which normalises the codes.

    Codes are given to the generator in float32: with the default step, the rounding of images in
    [0, 1] adds about 1e-6 per pixel to a squared distance divided by `epsilon**2`.

    Args:
        generator: callable from float32 codes (m, d) to images (m, h, w, c), an array or tensor of
            float32 or float64. It must be deterministic and treat each code independently.
        space: the `LatentSpace`, or an integer d: d standard normal dimensions. Categories do not
            change along a path; they are those of its start.
        distance: callable from two arrays of images (m, h, w, c) to (m,) numbers that grow as the
            square of a small change: `feature_distance`, `squared_pixel_distance`.
        num_samples: the number of paths.
        epsilon: the step, as a share of the path.
        sampling: "end", steps from t = 0; or "full", from t drawn uniformly from [0, 1).
        interpolation: "slerp", along the sphere; or "lerp", in a straight line, as suits uniform
            codes.
        percentiles: values below the first or above the second are left out; (0, 100) keeps all.
        seed: seed of the codes and of t.
        batch_size: the number of paths computed at once; `generator` is given twice as many codes.

    Returns:
        A float, in units of `distance`.

    Raises:
        ValueError: if an argument is not as described or out of range, if no code in `space` is
            continuous, or if `generator` or `distance` does not return finite floating-point
            numbers for each code.

    Example:

    >>> generator = lambda z: z[:, None, None, :3]
    >>> kd.metrics.perceptual_path_length(
    ...     generator, 3, kd.metrics.squared_pixel_distance, interpolation="lerp", num_samples=1000
    ... )  # near 6, the mean of |z_1 - z_0|^2

    References: Peebles et al., The Hessian Penalty, 2020, equation 8. Karras et al., A Style-Based
    Generator Architecture, 2019, section 4.1.
    """
    space = as_space(space)
    check_callable("distance", distance)
    num_samples = check_int("num_samples", num_samples)
    batch_size = check_int("batch_size", batch_size)
    epsilon = check_number("epsilon", epsilon, above=0)
    seed = check_seed("seed", seed)
    check_choice("sampling", sampling, ("end", "full"))
    check_choice("interpolation", interpolation, ("slerp", "lerp"))
    ends = to_numpy("percentiles", percentiles)
    if ends.shape != (2,) or not 0 <= ends[0] <= ends[1] <= 100:
        raise ValueError(
            "`percentiles` must be two numbers in [0, 100], in order. "
            f"Received: percentiles={percentiles}"
        )
    low, high = ends
    moves = np.repeat(
        [not isinstance(code, Categorical) for code in space.codes],
        [code.dim for code in space.codes],
    )
    if np.count_nonzero(moves) < (2 if interpolation == "slerp" else 1):
        raise ValueError(
            "`space` must have a continuous dimension, and two for a spherical path. "
            f"Received: space={space}, interpolation={interpolation!r}"
        )
    interpolate = _slerp if interpolation == "slerp" else _lerp
    codes = to_numpy("codes", space.sample(2 * num_samples, seed))
    starts, ends = codes[:num_samples], codes[num_samples:]
    times = np.zeros((num_samples, 1))
    if sampling == "full":
        times = np.random.default_rng(seed).uniform(size=(num_samples, 1))

    distances = []
    for first in progress(range(0, num_samples, batch_size), "batches of paths"):
        rows = slice(first, min(first + batch_size, num_samples))
        steps = []
        for t in (times[rows], times[rows] + epsilon):
            z = starts[rows].astype(np.float64)
            z[:, moves] = interpolate(z[:, moves], ends[rows, moves].astype(np.float64), t)
            steps.append(z.astype(np.float32))
        if np.array_equal(*steps):
            raise ValueError(
                "`epsilon` must be larger than the rounding of the codes, which are given to "
                f"`generator` in float32. Received: epsilon={epsilon:g}"
            )
        # Both ends of a step in one call, so that they are computed alike.
        images = evaluate(generator, np.concatenate(steps), "generator(z)")
        values = distance(*np.split(images, 2))
        values = to_numpy("distance(a, b)", values).astype(np.float64)
        if values.shape != (len(images) // 2,) or not np.isfinite(values).all():
            raise ValueError(
                f"`distance(a, b)` must be {len(images) // 2} finite numbers, one for each pair. "
                f"Received: {values}"
            )
        distances.append(values / epsilon**2)
    distances = np.concatenate(distances)
    low = np.percentile(distances, low, method="lower")
    high = np.percentile(distances, high, method="higher")
    return float(distances[(low <= distances) & (distances <= high)].mean())


def squared_pixel_distance(images_a, images_b):
    """The squared Euclidean distance of each pair of images, a baseline that perceives nothing.

    Args:
        images_a, images_b: arrays (n, h, w, c).

    Returns:
        Float64 array (n,).

    Raises:
        ValueError: if the shapes differ.

    Example:

    >>> squared_pixel_distance(np.zeros((1, 2, 2, 3)), np.ones((1, 2, 2, 3)))
    array([12.])
    """
    images_a, images_b = to_numpy("images_a", images_a), to_numpy("images_b", images_b)
    if images_a.shape != images_b.shape or images_a.ndim < 2 or not images_a.size:
        raise ValueError(
            "`images_a` and `images_b` must be non-empty arrays (n, h, w, c) of one shape. "
            f"Received: {images_a.shape} and {images_b.shape}"
        )
    difference = np.subtract(images_a, images_b, dtype=np.float64)
    return np.square(difference).reshape(len(difference), -1).sum(axis=1)


def _slerp(start, end, t):
    """Codes at `t` (n, 1) of the spherical paths between the rows of two float64 arrays."""
    lengths = [np.linalg.norm(z, axis=1, keepdims=True) for z in (start, end)]
    start, end = start / lengths[0], end / lengths[1]
    cosine = np.sum(start * end, axis=1, keepdims=True).clip(-1, 1)
    tangent = end - cosine * start
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-300)
    angle = t * np.arccos(cosine)
    return _lerp(*lengths, t) * (np.cos(angle) * start + np.sin(angle) * tangent)


def _lerp(start, end, t):
    return start + t * (end - start)


declare(
    perceptual_path_length,
    scores=[Score("perceptual_path_length", bounds=(0, np.inf), better="lower")],
)
