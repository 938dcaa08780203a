"""Latent spaces from a width or from the sizes of rungs."""

import numbers

from keras_disentangle._arguments import check_int, listed
from keras_disentangle.latents.latent_space import LatentSpace
from keras_disentangle.latents.normal import Normal


def as_space(space, width=None):
    """The latent space of an argument `space`.

    Args:
        space: a `LatentSpace`, which is returned; `None`, for `width` standard normal dimensions;
            or, if `width` is `None`, their number.
        width: number of dimensions of a network's input, or `None`.

    Returns:
        A `LatentSpace`, which may have another width.

    Raises:
        ValueError: if `space` is none of these.

    Example:

    >>> kd.latents.as_space(3).dim
    3
    >>> kd.latents.as_space(model.space) is model.space
    True
    """
    if isinstance(space, LatentSpace):
        return space
    if space is None and width is not None:
        return LatentSpace([Normal(width)])
    if width is None and isinstance(space, numbers.Integral) and not isinstance(space, bool):
        return LatentSpace([Normal(check_int("space", space))])
    others = " or the number of standard normal dimensions" if width is None else ""
    raise ValueError(f"`space` must be a `LatentSpace`{others}. Received: space={space!r}")


def space_of_rungs(name, sizes, names=None):
    """A standard normal code of each rung, the most abstract first.

    Args:
        name: name of the argument `sizes` in errors.
        sizes: number of dimensions of each rung.
        names: the codes' names; by default "3", "2", "1", counted from the data up, as in the
            paper, or the default name of a code ("normal") for a single rung.

    Raises:
        ValueError: if `sizes` are not positive integers, or `names` are not as many.
    """
    try:
        found = [check_int(name, size) for size in listed(sizes)]
    except TypeError:
        found = []
    if not found:
        raise ValueError(f"`{name}` must be positive integers. Received: {name}={sizes!r}")
    if names is None:
        names = range(len(found), 0, -1) if len(found) > 1 else [None]
    elif len(set(map(str, names))) != len(found):
        raise ValueError(
            f"`rung_names` must be {len(found)} different names, one of each rung. "
            f"Received: rung_names={names!r}"
        )
    # Informative, because an encoder is a recognition network that infers each of them.
    codes = [
        Normal(size, informative=True, name=None if label is None else str(label))
        for size, label in zip(found, names, strict=True)
    ]
    return LatentSpace(codes)


def as_rungs(rungs, width):
    """The latent space of an argument `rungs`, which divides `width` dimensions into rungs.

    Args:
        rungs: sizes of consecutive groups, a `LatentSpace`, or `None` for a single group.
        width: number of dimensions.

    Raises:
        ValueError: if `rungs` is none of these, or of another width.
    """
    found = rungs
    if not isinstance(rungs, LatentSpace):
        try:
            found = space_of_rungs("rungs", [width] if rungs is None else rungs)
        except ValueError:
            found = None
    if found is None or found.dim != width:
        raise ValueError(
            f"`rungs` must be positive integers that sum to the {width} latent dimensions, or a "
            f"`LatentSpace` of that width. Received: rungs={rungs!r}"
        )
    return found
