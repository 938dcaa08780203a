"""What models make of many inputs: as arrays, a batch at a time, and as pictures."""

import numpy as np
from keras import ops

from keras_disentangle.callbacks._pictures import displayable


def to_float(images):
    """Images in [0, 1], float32, of uint8 or such images."""
    images = np.asarray(images)
    return np.divide(images, 255 if images.dtype == np.uint8 else 1, dtype="float32")


def in_batches(call, inputs, batch_size=500):
    """What `call` makes of the rows of `inputs`, `batch_size` at once, as a NumPy array."""
    starts = range(0, len(inputs), batch_size)
    parts = [ops.convert_to_numpy(call(inputs[i : i + batch_size])) for i in starts]
    return np.concatenate(parts)


def as_pictures(decode):
    """A function from latents (n, d) to images as pictures show them: uint8."""
    return lambda z: displayable(decode(np.asarray(z, "float32")))
