"""The inputs of a generator that may be class-conditional: latents and class labels."""

import keras
import numpy as np
from keras import ops


def inputs_of(generator, argument):
    """Width of the latent input (`None` if not known), its position, and the form of the labels.

    The form is 0 for a generator without labels, `None` for indices (batch,), 1 for indices
    (batch, 1), and otherwise the width of one-hot vectors.
    """
    inputs = getattr(generator, "inputs", None)
    if inputs is None:
        shape = getattr(generator, "input_shape", None)
        is_known = isinstance(shape, tuple) and len(shape) == 2
        if argument != 0:
            raise ValueError(
                "`argument` must be 0 for a generator that is not a functional model. "
                f"Received: argument={argument!r}"
            )
        return (shape[1] if is_known else None), 0, 0
    names = [x.name for x in inputs]
    index = names.index(argument) if argument in names else argument
    if index not in range(len(names)):
        raise ValueError(
            f"`argument` must be the index or the name of one of the inputs {names} of "
            f"`generator`. Received: argument={argument!r}"
        )
    shapes = [tuple(x.shape) for x in inputs]
    latent, others = inputs[index], [x for i, x in enumerate(inputs) if i != index]
    is_latent = len(latent.shape) == 2 and keras.backend.is_float_dtype(latent.dtype)
    if not is_latent or len(others) > 1:
        raise ValueError(
            "`generator` must take latents, a float input (batch, d), and at most one more input, "
            f"the class. Received: inputs {dict(zip(names, shapes, strict=True))}, of which "
            f"argument={argument!r} are the latents"
        )
    if not others:
        return latent.shape[1], 0, 0
    shape = tuple(others[0].shape)
    is_index = shape in ((None,), (None, 1))
    is_one_hot = keras.backend.is_float_dtype(others[0].dtype) and len(shape) == 2
    if not (is_index or is_one_hot):
        raise ValueError(
            "`generator` must take classes as indices (batch,) or (batch, 1), or as one-hot "
            f"vectors (batch, classes). Received: {others[0].name} of shape {shape} and type "
            f"{others[0].dtype}"
        )
    return latent.shape[1], index, None if len(shape) == 1 else shape[1]


def class_indices(labels, num_classes):
    """Labels as an integer array (n,); raises a ValueError if they are not classes."""
    found = np.atleast_1d(ops.convert_to_numpy(labels))
    is_right = found.ndim == 1 and found.size and np.issubdtype(found.dtype, np.integer)
    if not is_right or found.min() < 0 or found.max() >= (num_classes or np.inf):
        limit = "" if num_classes is None else f", below {num_classes}"
        raise ValueError(
            f"`labels` must be a class or a list of classes, integers >= 0{limit}. "
            f"Received: labels={labels!r}"
        )
    return found
