from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle.visualization._labelled_grid import labelled_grid
from keras_disentangle.visualization._rungs import sample_rungs, split_rungs
from keras_disentangle.visualization._traverse import decoded


def rung_samples(decode, latent, rungs=None, *, num=10, seed=0, padding=1):
    """Draws what each rung does: in its row, that rung is sampled and the others stay fixed.

    All dimensions of the rung come from the prior N(0, I) at once, as in Figures 5 and 6 of Li et
    al. (2020); this is not a traversal. Rows are labelled "z3", "z2", "z1".

    Args:
        decode: Function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which
            they are clipped with a warning; called once, with n = number of rungs * `num`.
        latent: Array (d,), whose values the other rungs keep.
        rungs: Sizes of consecutive groups of dimensions, most abstract first; they add up to d.
            By default all dimensions are one rung, "z".
        num: Images in a row.
        seed: Seed of the samples.
        padding: White pixels around each image.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: If an argument, or what `decode` returns, has another shape or range.

    Example:

    >>> decode = lambda z: np.broadcast_to(z[:, :1, None, None] / 9 + 0.5, (len(z), 28, 28, 1))
    >>> picture = rung_samples(decode, np.zeros(4), rungs=(2, 2))

    Reference:
        Li et al., Progressive learning and disentanglement of hierarchical representations, 2020.
    """
    latent, sizes, names = split_rungs(latent, rungs)
    num, seed = check_int("num", num), check_seed("seed", seed)
    images = decoded(decode, sample_rungs(latent, sizes, num, seed), "decode(latent)")
    return labelled_grid(images, [1] * len(sizes), names, padding)
