"""Features of images in a Keras network, usually a trained classifier."""

import functools

import keras
import numpy as np

from keras_disentangle._arguments import check_callable, check_int
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._progress import progress
from keras_disentangle._tensors import as_rows, to_numpy
from keras_disentangle.layers._feature_layers import check_network, layer_outputs
from keras_disentangle.layers._feature_sources import (
    check_weights,
    from_applications,
    load_weights,
)
from keras_disentangle.layers._image_preprocessing import as_size, prepared, resize


class ImageFeatures:
    """Features of images: the activations of some layers of any Keras network.

    Called with images, it returns a vector for each: the layers' activations, averaged over
    positions and concatenated. These are the features of a Fréchet distance.

    Args:
        network: a `keras.Model` of one input (of your own, `keras.applications`, KerasHub,
            KerasCV), or the name of an architecture in `keras.applications`, such as "VGG16", which
            is built without its classifier.
        layers: the layers whose outputs are the features, as names or objects; `None` for the
            network's own output.
        weights: a path to weights, which are loaded into `network`. `None` leaves a model as it is,
            and a named architecture with random weights. "imagenet", for a named architecture,
            downloads the published ones.
        image_size: side, or (height, width), that images are resized to, bilinearly and with
            antialiasing. `None`: the size of the network's input if that is fixed, else the images'
            own.
        preprocess: callable from images in [0, 1], a float32 array (n, h, w, c), to the input of
            the network. `None`: none for a model; for a named architecture, its own.
        batch_size: the number of images that go through the network at once.

    Attributes:
        network: a `keras.Model` from prepared images to the list of layers' outputs.

    Raises:
        ValueError: if `network` is not an architecture of `keras.applications` or lacks a layer, or
            if `weights`, `image_size` or `batch_size` is not as described.

    Warns:
        UserWarning: if a named architecture has random weights. For a model this cannot be
            detected.

    Example:

    >>> inception = kd.metrics.ImageFeatures("InceptionV3", weights="imagenet", image_size=299)
    >>> kd.metrics.frechet_distance(inception(images), inception(samples))
    """

    def __init__(
        self,
        network,
        layers=None,
        *,
        weights=None,
        image_size=None,
        preprocess=None,
        batch_size=64,
    ):
        self.batch_size = check_int("batch_size", batch_size)
        self.preprocess = None if preprocess is None else check_callable("preprocess", preprocess)
        named = isinstance(network, str)
        check_weights(weights, *["imagenet"] * named)
        if named:
            network, own = from_applications(network, weights)
            if self.preprocess is None:
                self.preprocess = functools.partial(prepared, name=own)
        else:
            check_network(network, also=", or the name of an architecture")
            if weights is not None:
                load_weights(network, weights)
        check_channels_last("`ImageFeatures`", network)
        outputs = network.outputs if layers is None else layer_outputs(network, layers).values()
        self.network = keras.Model(network.inputs[0], list(outputs))
        *size, self._channels = network.inputs[0].shape[1:]
        self.image_size = as_size(image_size) or (None if None in size else tuple(size))

    def __call__(self, images):
        """Features (n, d) of `images` (n, h, w, c), floats in [0, 1] or uint8, float32."""
        features = []
        images = as_rows("images", images)
        for start in progress(range(0, images.shape[0], self.batch_size), "batches of images"):
            prepared = self.prepare(images[start : start + self.batch_size])
            maps = self.network.predict_on_batch(prepared)
            # Keras takes a single output out of its list.
            maps = maps if isinstance(maps, list) else [maps]
            means = [x.mean(axis=tuple(range(1, x.ndim - 1)), dtype=np.float64) for x in maps]
            features.append(np.concatenate(means, axis=1).astype(np.float32))
        return np.concatenate(features)

    def prepare(self, images):
        """The network's input, a float32 array, for `images` in [0, 1] or of uint8.

        Grey images are repeated where the network takes colours.
        """
        images = to_numpy("images", images)
        if images.ndim != 4 or not images.size:
            raise ValueError(
                "`images` must be a non-empty array of shape (n, h, w, c). "
                f"Received: images.shape={images.shape}"
            )
        images = images.astype(np.float32) / (255 if images.dtype == np.uint8 else 1)
        # Written so that NaN fails the comparison too.
        if not (images.min() >= -1e-3 and images.max() <= 1 + 1e-3):
            raise ValueError(
                "`images` must be uint8 or hold numbers in [0, 1]. "
                f"Received: numbers from {images.min()} to {images.max()}"
            )
        if images.shape[-1] == 1 and self._channels == 3:
            images = images.repeat(3, axis=-1)
        if self._channels not in (None, images.shape[-1]):
            raise ValueError(
                f"`images` must have {self._channels} channels, as the network. "
                f"Received: images.shape={images.shape}"
            )
        if self.image_size not in (None, images.shape[1:3]):
            images = resize(images, self.image_size)
        if self.preprocess is not None:
            images = self.preprocess(to_numpy("images", images))
        return to_numpy("preprocess(images)", images)
