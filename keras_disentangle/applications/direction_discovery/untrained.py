"""Directions of trained generators that need no training: SeFa and GANSpace."""

import keras
import numpy as np
from keras import ops

from keras_disentangle.latents import LatentSpace, closed_form_directions, principal_directions


def sefa(generator, space, block, seed):
    """Directions of the layer that the latents enter, as rows (N, d)."""
    start, stop = block or (0, space.dim)
    kernel = ops.convert_to_numpy(_weighted(generator, space)[0].kernel)
    return _padded(closed_form_directions(kernel[start:stop]), start, space)


def ganspace(generator, space, block, seed):
    """Directions of what enters the second layer with weights, as rows (N, d).

    Latents outside of `block` are those of one random code.
    """
    start, stop = block or (0, space.dim)
    activations = _before_second_layer(generator, space)
    codes = [c for c in space.codes if start <= space.slices[c.name].start < stop]
    fixed = ops.convert_to_numpy(space.sample(1, seed=seed))

    def of_block(z):
        whole = np.repeat(fixed, len(z), axis=0)
        whole[:, start:stop] = z
        return activations(whole)

    return _padded(
        principal_directions(of_block, space=LatentSpace(codes), seed=seed), start, space
    )


FOUND = {"sefa": sefa, "ganspace": ganspace}


def _weighted(generator, space):
    """The layers with a kernel, of which the first takes the latents.

    Raises:
        ValueError: if there is none that does.
    """
    layers = getattr(generator, "hidden", None) or generator.layers
    found = [layer for layer in layers if getattr(layer, "kernel", None) is not None]
    if not found or tuple(found[0].kernel.shape)[0] != space.dim:
        raise ValueError(
            "`model` must be a method that trains, for a generator without a first layer that "
            f"takes all {space.dim} latents. Received: {generator.name}"
        )
    return found


def _before_second_layer(generator, space):
    """A function from latents to what enters the second layer with weights."""
    first, *later = _weighted(generator, space)
    if hasattr(generator, "activations"):  # A progressive one.
        return lambda z: generator.activations(ops.convert_to_tensor(z), num_layers=1)[0][1]
    layers = generator.layers
    last = layers[layers.index(later[0]) - 1] if later else first
    network = keras.Model(generator.inputs[0], last.output)
    return lambda z: network(ops.convert_to_tensor(z), training=False)


def _padded(rows, start, space):
    """Directions in a block as directions in the whole space."""
    return np.pad(rows, [(0, 0), (start, space.dim - start - rows.shape[1])])
