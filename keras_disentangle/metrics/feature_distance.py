"""A perceptual distance between images, in the features of a trained network."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import as_rows, to_numpy
from keras_disentangle.metrics.image_features import ImageFeatures

# Added to a vector's length before the division by it: the value of LPIPS.
_EPSILON = 1e-10


def feature_distance(network, layers=None, *, channel_weights=None, batch_size=16, **arguments):
    """A distance between images in the manner of LPIPS, with any network.

    At each position of each layer, the vector of activations is scaled to unit length; the squared
    differences are summed over channels, averaged over positions and summed over layers.

    LPIPS itself uses the layers `block1_conv2`, `block2_conv2`, `block3_conv3`, `block4_conv3` and
    `block5_conv3` of VGG16, with its published weights for each channel; neither these nor trained
    weights of a network are included in this package.

    Args:
        network, layers: as for `ImageFeatures`.
        channel_weights: `None`, or for each layer an array (c,) that multiplies the squared
            differences: those of LPIPS were fitted to people's judgements.
        batch_size: the number of pairs that go through the network at once.
        **arguments: `weights`, `image_size` and `preprocess`, as for `ImageFeatures`. The paper
            resizes images to 256 x 256.

    Returns:
        A function from two arrays of images (n, h, w, c), floats in [0, 1] or uint8, to a float32
        array (n,), which raises a ValueError if they differ in shape.

    Raises:
        ValueError: as `ImageFeatures`, and if `channel_weights` do not fit the layers.

    Warns:
        UserWarning: if a named architecture has random weights.

    Example:

    >>> blocks = [f"block{i}_conv{j}" for i, j in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))]
    >>> distance = kd.metrics.feature_distance("VGG16", blocks, weights="imagenet", image_size=256)
    >>> kd.metrics.perceptual_path_length(generator, 12, distance)

    Reference: Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric,
    2018, equation 1.
    """
    batch_size = check_int("batch_size", batch_size)
    features = ImageFeatures(network, layers, batch_size=batch_size, **arguments)
    channels = [output.shape[-1] for output in features.network.outputs]
    if channel_weights is None:
        channel_weights = [np.ones(number) for number in channels]
    if not isinstance(channel_weights, (list, tuple)):
        raise ValueError(
            "`channel_weights` must be None or a list of arrays, one for each layer. "
            f"Received: channel_weights={channel_weights!r}"
        )
    channel_weights = [to_numpy("channel_weights", weights) for weights in channel_weights]
    if [np.shape(weights) for weights in channel_weights] != [(number,) for number in channels]:
        raise ValueError(
            f"`channel_weights` must be arrays of {channels} numbers, one for each channel of "
            f"each layer. Received: shapes {[np.shape(weights) for weights in channel_weights]}"
        )
    # One network for both images of a pair, so that no feature leaves the device.
    shape = (*(features.image_size or (None, None)), features.network.inputs[0].shape[-1])
    pair = [keras.Input(shape), keras.Input(shape)]
    total = 0.0
    maps = [_unit(features.network(images)) for images in pair]
    for a, b, weights in zip(*maps, channel_weights, strict=True):
        distance = ops.sum(ops.square(a - b) * ops.cast(weights, a.dtype), axis=-1)
        while len(distance.shape) > 1:
            distance = ops.mean(distance, axis=-1)
        total = total + distance
    model = keras.Model(pair, total)

    def distance(images_a, images_b):
        images_a, images_b = as_rows("images_a", images_a), as_rows("images_b", images_b)
        if np.shape(images_a) != np.shape(images_b):
            raise ValueError(
                "`images_a` and `images_b` must have one shape. "
                f"Received: {np.shape(images_a)} and {np.shape(images_b)}"
            )
        values = []
        for start in range(0, images_a.shape[0], batch_size):
            rows = slice(start, start + batch_size)
            values.append(
                model.predict_on_batch(
                    [features.prepare(images_a[rows]), features.prepare(images_b[rows])]
                )
            )
        return np.concatenate(values)

    return distance


def _unit(maps):
    """Each vector along the last axis divided by its length."""
    maps = maps if isinstance(maps, (list, tuple)) else [maps]
    lengths = [ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True)) for x in maps]
    return [x / (length + _EPSILON) for x, length in zip(maps, lengths, strict=True)]
