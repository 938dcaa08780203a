import keras
import numpy as np


class BatchMean(keras.losses.Loss):
    """The (weighted) mean of per-example losses, scaled as Keras scales losses over replicas."""

    def __init__(self):
        super().__init__(reduction="sum_over_batch_size", dtype="float32")

    def call(self, y_true, y_pred):
        return y_pred


def check_images(name, data, image_shape, bounded):
    """Raises a ValueError unless `data` is images: all of an array, else the first batch.

    `bounded` says why they must lie in [0, 1], or is None.
    """
    x, whole = data, hasattr(data, "dtype")
    if isinstance(x, (tuple, list)) and len(x):
        x, whole = x[0], hasattr(x[0], "dtype")
    elif isinstance(x, keras.utils.PyDataset):
        if len(x) == 0:
            raise ValueError(f"`{name}` must hold at least one batch. Received: an empty data set")
        x = x[0]
    elif not whole:
        batches = iter(x) if hasattr(x, "__iter__") else x
        if batches is x:
            return  # A generator: looking at a batch would consume it.
        x = next(batches, None)
    x = x[0] if isinstance(x, (tuple, list)) and len(x) else x
    if not hasattr(x, "shape"):
        raise ValueError(f"`{name}` must hold arrays of images. Received: {name}={data!r}")
    x = keras.ops.convert_to_numpy(x)
    if x.shape[1:] != tuple(image_shape) or len(x) == 0:
        raise ValueError(
            f"`{name}` must hold images of the shape {('n', *image_shape)}, n > 0. "
            f"Received: {name}.shape={x.shape}"
        )
    low, high = np.min(x), np.max(x)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"`{name}` must hold finite numbers. Received: NaN or infinity")
    _check_range(name, low, high, bounded)
    if whole and len(x) > 1 and low == high:
        raise ValueError(f"`{name}` must not be constant. Received: {low} in every pixel")


def check_integer_range(name, x, bounded):
    """Raises a ValueError if `x` is a NumPy array of integers that do not lie in [0, 1].

    Such are uint8 images that were not divided by 255. What floats hold, on an accelerator
    perhaps, is not looked at, nor is anything if `bounded` (as in `check_images`) is None.
    """
    if isinstance(x, np.ndarray) and np.issubdtype(x.dtype, np.integer) and x.size:
        _check_range(name, np.min(x), np.max(x), bounded)


def _check_range(name, low, high, bounded):
    if bounded is not None and (low < 0 or high > 1):
        raise ValueError(
            f"`{name}` must lie in [0, 1] {bounded} (divide uint8 images by 255). "
            f"Received: values in [{low}, {high}]"
        )
