"""The aggregate posterior: a mixture of diagonal Gaussians, one for each example."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

# A block of this many latents by components stays in the processor's cache (float64).
_BLOCK = (64, 1024)


def kl_of_dimensions(mean, log_var):
    """The KL divergence (d,), in nats, of each dimension from the standard normal prior, averaged
    over the posteriors (n, d)."""
    return 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).mean(axis=0)


def draw_latents(mean, log_var, num_samples, rng):
    """Draws latents from the aggregate posterior.

    The posteriors are visited in random order, each once before any is visited again.

    Args:
        mean, log_var: arrays of shape (n, d), the posteriors.
        num_samples: the number of latents, S.
        rng: a `numpy.random.Generator`.

    Returns:
        rows: integer array (S,), the index of the posterior from which each latent is drawn.
        z: array (S, d), the latents.
    """
    rows = rng.permutation(len(mean))[np.arange(num_samples) % len(mean)]
    noise = rng.standard_normal((num_samples, mean.shape[1]))
    return rows, mean[rows] + np.exp(0.5 * log_var[rows]) * noise


def log_mixture_ratio(z, rows, mean, log_var, groups, joint=False):
    """`log q(z_g) - log q(z_g | x)` of each latent and each group of dimensions.

    `q(z_g)` is the mixture of all the posteriors given, `x` the example from whose posterior `z`
    was drawn. For that reason the ratios `q(z_g | x_n) / q(z_g | x)` can be summed without first
    subtracting their maximum: the term of x itself is 1, so the sum does not vanish, and the
    expectation of each term is at most 1, so that one exceeds t with probability below 1 / t.

    Args:
        z: array (S, d), the latents.
        rows: integer array (S,), the index of the posterior that each was drawn from.
        mean, log_var: float64 arrays of shape (n, d), the mixture's components.
        groups: list of `slice`s, disjoint sets of dimensions.
        joint: whether to add a last column, for the union of all the groups.

    Returns:
        Array (S, len(groups)), or one column more, in nats, at least `-log(n)`.
    """
    num_components = len(mean)
    # Scaled by sqrt(1/2), so that a squared residual is the exponent itself. Components are last,
    # and contiguous: the loops below run along them.
    mean_t = np.ascontiguousarray(mean.T)
    scale_t = np.ascontiguousarray(np.exp(-0.5 * log_var.T) * np.sqrt(0.5))
    log_std = np.stack([0.5 * log_var[:, group].sum(axis=1) for group in groups])
    # From z, not from the noise, so that the rounding of z is the same in all densities.
    residual = ((z - mean[rows]) * scale_t[:, rows].T) ** 2
    own = np.stack([residual[:, group].sum(axis=1) for group in groups]) + log_std[:, rows]

    dimensions = [range(mean.shape[1])[group] for group in groups]

    def sum_ratios(start):
        """The ratios of one block of latents, summed over all components."""
        latents = slice(start, min(start + _BLOCK[0], len(z)))
        sums = np.zeros((len(groups) + joint, latents.stop - start))
        workspace = np.empty((3, sums.shape[1], _BLOCK[1]))
        for n in range(0, num_components, _BLOCK[1]):
            components = slice(n, min(n + _BLOCK[1], num_components))
            square, ratio, product = workspace[:, :, : components.stop - n]
            product[...] = 1.0
            for g, group in enumerate(dimensions):
                np.subtract(own[g, latents, None], log_std[g, None, components], out=ratio)
                for j in group:
                    np.subtract(z[latents, j, None], mean_t[j, None, components], out=square)
                    np.multiply(square, scale_t[j, components], out=square)
                    np.multiply(square, square, out=square)
                    np.subtract(ratio, square, out=ratio)
                np.exp(ratio, out=ratio)
                sums[g] += ratio.sum(axis=1)
                if joint:
                    # The posteriors are factorised: their joint density is the product.
                    np.multiply(product, ratio, out=product)
            if joint:
                sums[-1] += product.sum(axis=1)
        return sums

    # NumPy leaves the interpreter to other threads while it works on a block.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sums = np.concatenate(list(pool.map(sum_ratios, range(0, len(z), _BLOCK[0]))), axis=1)
    return np.log(sums.T / num_components)
