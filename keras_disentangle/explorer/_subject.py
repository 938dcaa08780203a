"""Any model as an explorer sees it: a space, a decoder, perhaps an encoder, perhaps labels."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents import Categorical, LatentSpace, as_space
from keras_disentangle.latents.labels import Labels

LARGEST = 1024  # pixels a side of an image that is shown
_VECTORS = "latents must be vectors, and decoded to images"


class Subject:
    """What is asked of a model.

    Attributes:
        space: its `LatentSpace`.
        image_shape: (h, w, c) of what it decodes.
        classes, num_attributes: as in `controls_of_labels`.
        directions: matrix (m, d) and largest step of learnt directions, or `None`.
        is_encoder: whether it encodes images.

    Raises:
        ValueError: if it has no decoder, its latents are not vectors, or its images are too large.
    """

    def __init__(self, model):
        self.model = model
        self._decode, width = _decoder(model)
        self.space = _space(model, width)
        self.classes, self.num_attributes = _labels(model)
        self.directions = None
        if hasattr(model, "directions") and hasattr(model, "path_size"):
            matrix = ops.convert_to_numpy(model.directions.matrix())
            self.directions = matrix, float(model.path_size)
        self.is_encoder = hasattr(model, "encode") and isinstance(self._decode, _Method)
        # Also tries whether it decodes at all.
        self.image_shape = self.images(np.zeros((1, self.space.dim)), self.first_label()).shape[1:]

    def first_label(self):
        """A label to begin with: the first class, attributes of 0, or `None`."""
        if self.num_attributes is not None:
            return np.zeros(self.num_attributes, "float32")
        return None if self.classes is None else self.classes[0]

    def decoded(self, codes, label=None):
        """Codes (n, d) to what the model makes of them, all with one label."""
        codes = np.asarray(codes, "float32")
        given = ()
        if label is not None:
            given = (np.tile(label, (len(codes), *[1] * np.ndim(label))),)
        return to_numpy("model.decode(z)", self._decode(codes, *given))

    def images(self, codes, label=None):
        """Codes (n, d) to uint8 images (n, h, w, c), clipped, all with one label."""
        images = self.decoded(codes, label)
        if images.ndim != 4 or len(images) != len(codes) or images.shape[-1] not in (1, 3):
            raise ValueError(
                f"`model`: {_VECTORS} (n, h, w, c) with 1 or 3 channels. "
                f"Received: codes {codes.shape} decoded to the shape {images.shape}"
            )
        if max(images.shape[1:3]) > LARGEST:
            raise ValueError(
                f"`model` must decode images of at most {LARGEST} pixels a side. "
                f"Received: images of {images.shape[1]}×{images.shape[2]} pixels"
            )
        # NaN of a model that diverged is drawn black.
        return np.rint(255 * np.nan_to_num(images).clip(0, 1)).astype("uint8")

    def codes(self, images, label, start):
        """The codes (n, d) of uint8 images (n, h, w, c).

        Args:
            images: the images.
            label: of all of them, for a model that needs it.
            start: code (d,), for the dimensions that the model does not infer.
        """
        x = np.divide(images, 255, dtype="float32")
        given = () if label is None or not self._encodes_labels() else (label,)
        if hasattr(self.model, "predict_codes"):
            codes = np.tile(start, (len(x), 1))
            for name, found in self.model.predict_codes(x, *given).items():
                found = ops.convert_to_numpy(found)
                if isinstance(self.space[name], Categorical):
                    # The most likely category: a generator never saw mixtures of them.
                    found = np.eye(found.shape[1])[found.argmax(axis=1)]
                codes[:, self.space.slices[name]] = found
            return codes
        encode = getattr(self.model, "represent", self.model.encode)
        found = encode(x, *given)
        found = found[0] if isinstance(found, (tuple, list)) else found
        return to_numpy("model.encode(x)", found).astype("float32")

    def network(self):
        """The decoder as a functional `keras.Model` that can be exported.

        Raises:
            ValueError: if the model is neither of this library nor a network.
        """
        if hasattr(self.model, "decoder_model"):
            return self.model.decoder_model()
        if isinstance(self._decode, _Method):
            raise ValueError(
                "`runtime` must be None for a model that has no `decoder_model`. "
                f"Received: {type(self.model).__name__}"
            )
        return self.model

    def _encodes_labels(self):
        networks = getattr(self.model, "inference_networks", ())
        return any(len(getattr(network, "inputs", ())) > 1 for network in networks)


class _Method:
    """`model.decode`, told apart from a network that is called."""

    def __init__(self, model):
        self.call = model.decode

    def __call__(self, z, *labels):
        return self.call(z, *labels)


def _decoder(model):
    """A function from codes to images, and the width of the codes, if a network says it."""
    if hasattr(model, "decode"):
        return _Method(model), None
    if not isinstance(model, keras.Model):
        raise ValueError(
            "`model` must have a method `decode`, or be a Keras model from codes (n, d) to images. "
            f"Received: model={model!r}"
        )
    try:
        given, made = model.input_shape, model.output_shape
    except AttributeError:
        given = made = None
    shapes = (given, made)
    if not all(isinstance(shape, tuple) for shape in shapes) or (len(given), len(made)) != (2, 4):
        raise ValueError(
            "`model` has no method `decode`, and is no network from codes (n, d) to images "
            f"(n, h, w, c): {_VECTORS}. Received: {type(model).__name__} from {given} to {made}"
        )
    return lambda z: model(z, training=False), given[1]


def _space(model, width):
    space = getattr(model, "space", None)
    if isinstance(space, LatentSpace):
        return space
    width = getattr(model, "latent_dim", width)
    if width is None:
        raise ValueError(
            "`model` must say how wide its codes are, by `space` (a `LatentSpace`) or `latent_dim` "
            f"(an integer). Received: {type(model).__name__} without them"
        )
    return as_space(width)


def _labels(model):
    labels = getattr(model, "labels", None)
    if isinstance(labels, Labels):
        classes = None if labels.num_classes is None else tuple(range(labels.num_classes))
        return classes, labels.num_attributes
    return (tuple(labels), None) if isinstance(labels, tuple) else (None, None)
