import keras
import numpy as np


class BatchMean(keras.losses.Loss):
    """The (weighted) mean of per-example losses, scaled as Keras scales losses over replicas."""

    def __init__(self):
        super().__init__(reduction="sum_over_batch_size", dtype="float32")

    def call(self, y_true, y_pred):
        return y_pred


class PresentValue(keras.metrics.Mean):
    """The value of the last update, not the mean of the epoch: for ramps."""

    def update_state(self, value):
        # A quotient, so that summing the variables over replicas leaves the value as it is.
        self.total.assign(value)
        self.count.assign(1.0)


def checked_weight(name, value):
    if not 0 <= value < float("inf"):
        raise ValueError(f"`{name}` must be a finite number >= 0. Received: {name}={value}")
    return float(value)


def check_images(x, image_shape, bounded):
    """Raises a ValueError unless `x` (an array, or the first batch of a data set) is images."""
    if isinstance(x, keras.utils.PyDataset):
        if len(x) == 0:
            raise ValueError("`x` must hold at least one batch. Received: an empty data set")
        x = x[0]
    x = x[0] if isinstance(x, (tuple, list)) and len(x) else x
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        return  # A pipeline whose batches cannot be looked at without consuming them.
    x = keras.ops.convert_to_numpy(x)
    if x.shape[1:] != tuple(image_shape) or len(x) == 0:
        raise ValueError(
            f"`x` must hold images of the shape {('n', *image_shape)}, n > 0. "
            f"Received: x.shape={x.shape}"
        )
    low, high = np.min(x), np.max(x)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("`x` must hold finite numbers. Received: NaN or infinity in `x`")
    if bounded and (low < 0 or high > 1):
        raise ValueError(
            "`x` must lie in [0, 1] for Bernoulli observations (divide uint8 images by 255). "
            f"Received: values in [{low}, {high}]"
        )
