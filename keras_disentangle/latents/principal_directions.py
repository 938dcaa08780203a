"""Directions in a generator's latent space by the principal components of its activations."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_callable, check_int, check_seed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents.as_space import as_space
from keras_disentangle.latents.closed_form_directions import with_sense

_OVERSAMPLING, _ITERATIONS = 10, 4


def principal_directions(
    generator,
    layer=None,
    num=None,
    *,
    space=None,
    num_samples=10_000,
    batch_size=250,
    seed=0,
):
    r"""Directions that move a layer along its principal components (GANSpace): rows of length 1.

    Activations of the layer at random latents $z$ have the principal components $V$, and the
    coordinates $x = V (a - \bar a)$, of variances $\sigma^2$. The directions are the least-squares
    solution $M$ of $(x / \sigma) M = z$: what the latents are where one coordinate is large. They
    are not orthogonal in general. The component of the largest variance comes first.

    The components are found by subspace iteration over batches, in which the activations are
    computed 6 times. It needs memory for a batch and for `num` + 10 vectors of activations. Those
    that vary least may be approximate.

    Args:
        generator: built Keras model with latents (n, d) as its only input; or, with `layer=None`,
            any function from float32 latents (n, d) to activations (n, ...).
        layer: name of a layer of a functional or `Sequential` model, at best an early one; `None`
            for what `generator` returns.
        num: number of directions, from 1 to d; all d by default.
        space: the `LatentSpace`, or the number of standard normal dimensions; by default as many as
            the input of `generator` has. Directions of latents that are not continuous mean little.
        num_samples: number of latents, > d.
        batch_size: number of latents at once.
        seed: integer seed of the latents and of the iteration.

    Returns:
        Float32 array (num, d). The largest component of each row is positive. With
        `LatentDirections.from_matrix`, which makes them orthonormal, models and callbacks can use
        them.

    Raises:
        ValueError: if the model has no such layer, `space` is needed or does not fit, activations
            are not finite or vary in fewer than `num` ways, or a number is out of range.

    Example:

    >>> kd.latents.principal_directions(lambda z: z * [1.0, 3.0], space=2).round(2) + 0.0
    array([[0., 1.],
           [1., 0.]], dtype=float32)

    Reference: Härkönen et al., 2020 (GANSpace).
    """
    fn, width = _activations(generator, layer)
    if space is None and width is None:
        raise ValueError(
            "`space` must be given where `generator` does not say how wide its latents are. "
            "Received: space=None"
        )
    space = as_space(space, width)
    if width not in (None, space.dim):
        raise ValueError(
            f"`space` must be as wide as the input of `generator`, {width}. Received: {space!r}"
        )
    num = check_int("num", space.dim if num is None else num, maximum=space.dim)
    num_samples = check_int("num_samples", num_samples, minimum=space.dim + 1)
    batch_size = check_int("batch_size", batch_size)
    seed = check_seed("seed", seed, optional=False)
    z = ops.convert_to_numpy(space.sample(num_samples, seed=seed)).astype("float64")

    def batches():
        for start in range(0, len(z), batch_size):
            rows = slice(start, start + batch_size)
            yield rows, _checked(fn(z[rows].astype("float32")))

    mean = sum(part.sum(axis=0) for _, part in batches()) / len(z)
    count = min(num + _OVERSAMPLING, len(mean))
    basis = np.random.default_rng(seed).normal(size=(len(mean), count))
    for _ in range(_ITERATIONS):
        basis, _ = np.linalg.qr(basis)
        basis = sum((part - mean).T @ ((part - mean) @ basis) for _, part in batches())
    basis, _ = np.linalg.qr(basis)
    coordinates = np.empty((len(z), count))
    for rows, part in batches():
        coordinates[rows] = (part - mean) @ basis
    variances, vectors = np.linalg.eigh(coordinates.T @ coordinates / len(z))
    order = np.argsort(-variances, kind="stable")[:num]
    varying = np.count_nonzero(variances > 1e-12 * max(variances.max(), 1e-300))
    if varying < num:
        raise ValueError(
            f"`num` must be at most {varying}, the number of components in which activations vary. "
            f"Received: num={num}"
        )
    coordinates = coordinates @ vectors[:, order] / np.sqrt(variances[order])
    # Coordinates are uncorrelated, of mean 0 and variance 1: this is their least-squares solution.
    found = coordinates.T @ (z - z.mean(axis=0)) / len(z)
    return with_sense(found / np.linalg.norm(found, axis=1, keepdims=True))


def _activations(generator, layer):
    """A function from latents to activations (n, ...), and the width of the latents or `None`."""
    if layer is None:
        check_callable("generator", generator)
        inputs = getattr(generator, "inputs", None) if isinstance(generator, keras.Layer) else None
        width = inputs[0].shape[-1] if inputs is not None and len(inputs) == 1 else None
        return generator, width
    inputs = getattr(generator, "inputs", None)
    names = [part.name for part in getattr(generator, "layers", [])]
    if inputs is None or len(inputs) != 1 or layer not in names:
        raise ValueError(
            "`layer` must be None or the name of a layer of a functional or `Sequential` model "
            f"with one input, one of {names}. Received: layer={layer!r}"
        )
    found = keras.Model(inputs, generator.get_layer(layer).output)
    return lambda z: found(z, training=False), inputs[0].shape[-1]


def _checked(activations):
    """Activations as a float64 matrix."""
    found = to_numpy("generator(z)", activations).astype("float64")
    if found.ndim < 2 or not found.size or not np.isfinite(found).all():
        raise ValueError(
            "`generator` must give finite activations (n, ...). "
            f"Received: shape {found.shape}, or values that are not finite"
        )
    return found.reshape(len(found), -1)
