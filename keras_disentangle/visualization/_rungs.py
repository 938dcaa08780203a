"""Labels of a latent vector's codes and dimensions in pictures, and samples of each code."""

import numpy as np

from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents import Normal, Quantized
from keras_disentangle.latents.as_space import as_rungs
from keras_disentangle.visualization._labelled_grid import texts_of
from keras_disentangle.visualization._traverse import checked_values


def split_rungs(latent, rungs):
    """A latent vector (d,) as float32, and the `LatentSpace` into which `rungs` divides it.

    Args:
        latent: array (d,).
        rungs: sizes of consecutive groups of dimensions, most abstract first, a `LatentSpace`, or
            `None` for a single group.
    """
    latent = to_numpy("latent", latent).astype("float32")
    if latent.ndim != 1 or not latent.size:
        raise ValueError(f"`latent` must be of shape (d,), d > 0. Received: shape {latent.shape}")
    if not np.isfinite(latent).all():
        raise ValueError(f"`latent` must hold finite numbers. Received: latent={latent}")
    return latent, as_rungs(rungs, latent.size)


def default_values(space, values, span, steps):
    """The values that a traversal of each dimension visits, (steps,) or (d, steps).

    Args:
        space: the `LatentSpace`.
        values, span, steps: as in `checked_values`. Without `values`, each dimension of a quantised
            space visits its own values, in increasing order, whatever `span` and `steps` are.
    """
    codes = space.codes
    is_quantized = all(isinstance(code, Quantized) for code in codes)
    if values is None and is_quantized and len({code.num_values for code in codes}) == 1:
        return np.stack([code.values_of(dim) for code in codes for dim in range(code.dim)])
    return checked_values(values, span, steps)


def code_labels(space):
    """The label of each code, as a dict by name: "z3" for the rung "3", "z" for a single one."""
    if _is_plain(space):
        return {space.names[0]: "z"}
    return {name: f"z{name}" if name.isdigit() else name for name in space.names}


def dimension_labels(space, number="dim"):
    """The labels of the dimensions of each code, as a dict of lists by name.

    "z3·1" is the first dimension of the rung "3", "z1" the first of a vector of one group, and
    "uniform·1" the first of another code; a code of one dimension is labelled by its name alone.

    Args:
        number: the attribute of a code with their number: `dim` or `num_traversals`.
    """
    separator, found = "" if _is_plain(space) else "·", {}
    for code, label in zip(space.codes, code_labels(space).values(), strict=True):
        numbers = range(1, getattr(code, number) + 1)
        is_single = len(numbers) == 1 and label == code.name
        found[code.name] = [label] if is_single else [f"{label}{separator}{n}" for n in numbers]
    return found


def texts_of_code(space, name, dim, latents):
    """Texts of the values of a code in its traversal `latents` (n, d), or of its categories."""
    code = space[name]
    # The values of a categorical code are one-hot vectors.
    if code.num_traversals == 1 < code.dim:
        return [str(index) for index in range(len(latents))]
    return texts_of(latents[:, space.slices[name].start + dim])


def sample_rungs(latent, space, num, seed):
    """Latents (codes, num, d): in row l, code l is drawn from its prior, the rest is `latent`.

    That of all but quantised codes is taken to be N(0, I).
    """
    latents = np.tile(latent, (len(space.codes), num, 1))
    random = np.random.default_rng(seed)
    for row, code in zip(latents, space.codes, strict=True):
        part = space.slices[code.name]
        if isinstance(code, Quantized):
            row[:, part] = to_numpy("code.sample(n)", code.sample(num, seed))
        else:
            row[:, part] = random.standard_normal(row[:, part].shape)
    return latents


def _is_plain(space):
    """Whether it is a single group of dimensions without a name."""
    (first, *others) = space.codes
    is_plain = isinstance(first, (Normal, Quantized)) and first.name == first.default_name
    return not others and is_plain
