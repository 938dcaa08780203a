"""How a latent vector splits into rungs, what these are called, and samples of each."""

import numpy as np

from keras_disentangle._arguments import check_int, listed
from keras_disentangle._tensors import to_numpy


def split_rungs(latent, rungs):
    """Checks a latent vector and how it splits into rungs.

    Args:
        latent: Array (d,).
        rungs: Sizes of consecutive groups of dimensions, most abstract first, or None.

    Returns:
        `latent` as float32, the sizes of the rungs, and their names ("z3", "z2", "z1"): the paper
        counts from the data up, so the most abstract of L rungs is z_L. A single rung is "z".
    """
    latent = to_numpy("latent", latent).astype("float32")
    if latent.ndim != 1 or not latent.size:
        raise ValueError(f"`latent` must be of shape (d,), d > 0. Received: shape {latent.shape}")
    if not np.isfinite(latent).all():
        raise ValueError(f"`latent` must hold finite numbers. Received: latent={latent}")
    if rungs is None:
        return latent, (latent.size,), ("z",)
    sizes = rung_sizes(rungs)
    if sum(sizes) != latent.size:
        raise ValueError(
            f"`rungs` must be positive sizes that add up to the {latent.size} dimensions of "
            f"`latent`. Received: rungs={rungs}"
        )
    names = [f"z{level}" for level in range(len(sizes), 0, -1)]
    return latent, sizes, tuple(names) if len(sizes) > 1 else ("z",)


def rung_sizes(rungs):
    """`rungs` as a tuple of positive sizes, empty if it is anything else."""
    try:
        return tuple(check_int("rungs", size) for size in listed(rungs))
    except (TypeError, ValueError):
        return ()


def dimension_names(sizes, names):
    """What each dimension is called: "z3·1" is the first of rung "z3", "z1" that of rung "z"."""
    separator = "·" if len(sizes) > 1 else ""
    return [
        f"{name}{separator}{dimension}"
        for name, size in zip(names, sizes, strict=True)
        for dimension in range(1, size + 1)
    ]


def sample_rungs(latent, sizes, num, seed):
    """Latents (rungs, num, d): in row l rung l is drawn from N(0, I), the others are `latent`."""
    latents = np.tile(latent, (len(sizes), num, 1))
    random = np.random.default_rng(seed)
    start = 0
    for row, size in enumerate(sizes):
        latents[row, :, start : start + size] = random.standard_normal((num, size))
        start += size
    return latents
