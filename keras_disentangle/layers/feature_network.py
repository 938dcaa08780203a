"""Activations of chosen layers of a frozen network."""

import inspect

import keras
from keras import ops, saving

from keras_disentangle._image_format import check_channels_last
from keras_disentangle.layers import _feature_sources as sources
from keras_disentangle.layers._feature_layers import (
    check_network,
    first_that_fails,
    layer_outputs,
)
from keras_disentangle.layers._image_preprocessing import (
    COLOURED,
    PREPROCESSING,
    as_size,
    prepared,
    resize,
)


@saving.register_keras_serializable("keras_disentangle")
class FeatureNetwork(keras.layers.Layer):
    r"""Images in [0, 1] to the activations $d_1(x), ..., d_L(x)$ of a frozen network's layers.

    It shares the layers of the given network, up to the deepest chosen one; deeper layers are
    neither computed nor saved. It is called as at inference, so that neither its weights nor its
    statistics ever change, and stays frozen if `trainable` is set on a model that contains it.

    The preprocessing must be the one with which the network was trained:

    | `preprocessing` | images x in [0, 1] become | default of |
    |---|---|---|
    | `None` | x | your own classifier; KerasCV, without rescaling |
    | `"rescale"` | 255 x | KerasCV, with rescaling; EfficientNet, ConvNeXt, MobileNetV3 |
    | `"tf"` | 2 x - 1 | InceptionV3, MobileNet, ResNetV2, Xception |
    | `"torch"` | (x - mean) / std of ImageNet's channels | DenseNet |
    | `"caffe"` | 255 x with blue first, less ImageNet's means | VGG16, VGG19, ResNet |
    | a layer | the layer's output | presets of KerasHub, with their own numbers |

    Architectures without a source are those of `keras.applications`. The constructors `from_...`
    use the default of their source for `"auto"`. With a named preprocessing, images in another
    range are refused if their values are available, which is not the case in a compiled step.

    Attributes:
        network: `keras.Model` from prepared images to a dict of the layers' outputs.
        layer_names: tuple of the names of the layers, in the order of `layers`.

    Args:
        network: functional or `Sequential` model of one input (h, w, c), frozen.
        layers: layers of `network`, or names of layers, of levels of a backbone's pyramid, such as
            "P3", or of outputs, if these are a dict. A layer's output includes its activation: the
            convolutions of VGG include their ReLU, whereas the paper's own features are outputs of
            batch normalisations before the activation.
        preprocessing: `None`, a name as above, or a Keras layer without trainable weights.
        image_size: side, or (height, width), to which images are resized, bilinearly and with
            antialiasing; `None` for no resizing.
        repeat_grey: whether grey images are repeated for a network with three channels.

    Call arguments:
        images: float tensor (batch, h, w, c), in [0, 1] unless `preprocessing` is `None` or a
            layer.

    Returns:
        List of float32 tensors (batch, ...), whatever the network's compute dtype.

    Raises:
        ValueError: if the network is not frozen, or lacks a layer; images do not fit a layer, which
            the error names, or are in the wrong range; an argument is not as described.

    Example:

    >>> conv = keras.layers.Conv2D(4, 3, name="conv")
    >>> classifier = keras.Sequential([keras.Input((8, 8, 1)), conv, keras.layers.Flatten()])
    >>> classifier.trainable = False
    >>> features = kd.layers.FeatureNetwork(classifier, ["conv"])
    >>> [x.shape for x in features(np.zeros((2, 8, 8, 1)))]

    Reference: Lamb et al., 2016 (Discriminative regularization), section 3.
    """

    def __init__(
        self, network, layers, preprocessing=None, image_size=None, repeat_grey=False, **kwargs
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        check_network(network)
        check_channels_last("`FeatureNetwork`", network)
        outputs = layer_outputs(network, layers)
        self.layer_names = tuple(outputs)
        self.network = keras.Model(network.inputs[0], outputs, name="activations")
        if len(self.network.inputs[0].shape) != 4:
            raise ValueError(
                "`network` must take images (batch, h, w, c). "
                f"Received: network={network}, which takes {network.inputs[0].shape}"
            )
        *self._size, self._channels = self.network.inputs[0].shape[1:]
        self.preprocessing = _checked_preprocessing(preprocessing, self._channels)
        self.image_size = as_size(image_size)
        self.repeat_grey = bool(repeat_grey)
        self._check_frozen()

    # Sources

    @classmethod
    def from_applications(cls, network, layers, weights=None, *, preprocessing="auto", **kwargs):
        """An architecture of `keras.applications`, without its classifier.

        Args:
            network: its name, such as "VGG16".
            layers: as above; of VGG such as "block1_conv2".
            weights: path to weights; "imagenet" for the published ones, which Keras downloads; or
                `None` for random ones.
            preprocessing: "auto" for the preprocessing of the published weights, or as above.
            **kwargs: `image_size`, `repeat_grey` and those of a Keras layer.

        Raises:
            ValueError: if there is no such architecture or file, and as above.

        Warns:
            UserWarning: if the weights are random.

        Example:

        >>> layers = ["block1_conv2", "block2_conv2"]
        >>> features = kd.layers.FeatureNetwork.from_applications("VGG16", layers, image_size=32)
        """
        sources.check_weights(weights, "imagenet")
        network, own = sources.from_applications(network, weights)
        return cls._of_source(network, layers, preprocessing, own, kwargs)

    @classmethod
    def from_keras_cv(
        cls, network, layers, weights=None, *, preprocessing="auto", arguments=None, **kwargs
    ):
        """A backbone of KerasCV: the extra `cv`.

        Args:
            network: a frozen backbone, or the name of a class in `keras_cv.models`, such as
                "VGG16Backbone".
            layers: as above; many backbones have a pyramid, "P2" to "P5".
            weights: path to weights for the backbone. `None`: a class gets random ones.
            preprocessing: "auto" for 255 x if the backbone begins with a `Rescaling`, otherwise
                none; or as above.
            arguments: dict of the class's arguments; by default with rescaling and without a
                classifier.
            **kwargs: `image_size`, `repeat_grey` and those of a Keras layer.

        Raises:
            ImportError: if KerasCV is not installed.
            ValueError: if there is no such class or file, and as above.

        Warns:
            UserWarning: if the weights are random.

        Example:

        >>> size = {"input_shape": (64, 64, 3)}
        >>> features = kd.layers.FeatureNetwork.from_keras_cv(
        ...     "VGG16Backbone", "block2_conv2", "vgg.weights.h5", arguments=size
        ... )
        """
        sources.check_weights(weights)
        network, own = sources.from_keras_cv(network, weights, arguments)
        return cls._of_source(network, layers, preprocessing, own, kwargs)

    @classmethod
    def from_keras_hub(
        cls, network, layers, weights=None, *, preprocessing="auto", arguments=None, **kwargs
    ):
        """A backbone of KerasHub: the extra `hub`.

        Args:
            network: a frozen backbone; the name of a class in `keras_hub.models`, such as
                "VGGBackbone"; or a preset, by its name (which KerasHub downloads) or its folder.
            layers: as above; many backbones have a pyramid, "P2" to "P5".
            weights: path to weights for the backbone. `None`: a preset has its own, a class gets
                random ones.
            preprocessing: "auto" for scale and offset of the preset's `ImageConverter`, which
                backbones and classes do not have; such a converter, of which only scale and offset
                are used; or as above.
            arguments: dict of the class's arguments.
            **kwargs: `image_size`, `repeat_grey` and those of a Keras layer.

        Raises:
            ImportError: if KerasHub is not installed.
            ValueError: if there is no such class, preset or file; "auto" where there is no
                `ImageConverter`; and as above.

        Warns:
            UserWarning: if the weights are random.

        Example:

        >>> kd.layers.FeatureNetwork.from_keras_hub("resnet_18_imagenet", ["P2", "P3"])
        """
        sources.check_weights(weights)
        network, own = sources.from_keras_hub(network, weights, arguments)
        preprocessing = sources.without_converter(preprocessing)
        return cls._of_source(network, layers, preprocessing, own, kwargs)

    @classmethod
    def _of_source(cls, network, layers, preprocessing, own, kwargs):
        if preprocessing == "auto":
            preprocessing = own
        if preprocessing is sources.UNKNOWN:
            raise ValueError(
                "`preprocessing` must be given for a backbone of KerasHub without a preset: as its "
                "weights were trained with (presets have an `ImageConverter` for it). "
                'Received: preprocessing="auto"'
            )
        return cls(network, layers, preprocessing, **kwargs)

    # Features

    def build(self, input_shape):
        self._check_frozen()
        shape = self._prepared_shape(input_shape)
        try:
            self.network.compute_output_shape(shape)
        except Exception as error:
            layer = first_that_fails(self.network, shape)
            raise ValueError(
                f"Images must fit the layers of `network`. Received: images {tuple(input_shape)}, "
                f"prepared as {shape}, which the layer {layer!r} cannot take ({error}). Resize "
                "them with `image_size`, or choose layers before that one"
            ) from error
        self.built = True

    def call(self, images):
        self.check_images(images)
        return list(self.activations(images).values())

    def activations(self, images):
        """The same features, as a dict by layer name, without a check of the images' range.

        For generated images, which may leave the range if the decoder is linear.
        """
        self._check_frozen()
        images = ops.cast(images, "float32")
        shape = tuple(images.shape)
        self._prepared_shape(shape)
        if self._repeats(shape):
            images = ops.repeat(images, self._channels, axis=-1)
        if self.image_size not in (None, shape[1:3]):
            images = resize(images, self.image_size)
        if isinstance(self.preprocessing, str):
            images = prepared(images, self.preprocessing)
        elif self.preprocessing is not None:
            images = self.preprocessing(images, **_at_inference(self.preprocessing))
        found = self.network(images, training=False)
        return {name: ops.cast(found[name], "float32") for name in self.layer_names}

    def check_images(self, images):
        """Raises a ValueError if images are out of the range of the preprocessing.

        Copies two numbers to the host. Returns whether the values were available.
        """
        if not isinstance(self.preprocessing, str):
            return True
        if not isinstance(images, keras.KerasTensor):
            images = ops.convert_to_tensor(images)
        dtype = keras.backend.standardize_dtype(images.dtype)
        if not keras.backend.is_float_dtype(dtype):
            raise ValueError(
                "`images` must be floats in [0, 1], for "
                f"preprocessing={self.preprocessing!r}. Received: images of the type {dtype}"
            )
        if isinstance(images, keras.KerasTensor):
            return False
        try:
            low, high = (float(ops.convert_to_numpy(x)) for x in (ops.min(images), ops.max(images)))
        except Exception:  # The type for values that are being traced depends on the backend.
            return False
        # Written so that NaN fails the comparison too.
        if not (low >= -1e-3 and high <= 1 + 1e-3):
            raise ValueError(
                f"`images` must be in [0, 1], for preprocessing={self.preprocessing!r}. "
                f"Received: numbers from {low} to {high}"
            )
        return True

    def compute_output_shape(self, input_shape):
        found = self.network.compute_output_shape(self._prepared_shape(input_shape))
        return [tuple(found[name]) for name in self.layer_names]

    def _prepared_shape(self, shape):
        """The shape in which images of a given shape enter the network, or a ValueError."""
        shape = tuple(shape)
        if len(shape) != 4:
            raise ValueError(
                f"`images` must have the shape (batch, h, w, c). Received: images.shape={shape}"
            )
        batch, *size, channels = shape
        if self._repeats(shape):
            channels = self._channels
        if self.image_size is not None:
            if None in size:
                raise ValueError(
                    "`images` must have a known height and width to be resized to "
                    f"image_size={self.image_size}. Received: images.shape={shape}"
                )
            size = self.image_size
        found = (batch, *size, channels)
        if isinstance(self.preprocessing, keras.layers.Layer):
            found = tuple(self.preprocessing.compute_output_shape(found))
        if found[-1] != self._channels and None not in (found[-1], self._channels):
            grey = " Grey images can be repeated: repeat_grey=True." if channels == 1 else ""
            raise ValueError(
                f"`images` must have {self._channels} channels, as `network` takes.{grey} "
                f"Received: images.shape={shape}"
            )
        for side, expected in zip(found[1:3], self._size, strict=True):
            if side != expected and None not in (side, expected):
                raise ValueError(
                    f"`images` must be {tuple(self._size)} when they enter `network`, at the layer "
                    f"{self.network.layers[0].name!r}. They can be resized: "
                    f"image_size={tuple(self._size)}. Received: images.shape={shape}, "
                    f"image_size={self.image_size}"
                )
        return found

    def _repeats(self, shape):
        return self.repeat_grey and shape[-1] == 1 and self._channels == 3

    def _check_frozen(self):
        parts = {"network": self.network, "preprocessing": self.preprocessing}
        for name, part in parts.items():
            variables = getattr(part, "trainable_variables", [])
            if variables:
                raise ValueError(
                    f"`{name}` must be frozen: set `{name}.trainable = False`, and give a copy "
                    "(`keras.models.clone_model`, then `set_weights`) if it is to be trained "
                    f"elsewhere. Received: {len(variables)} trainable variables, such as "
                    f"{variables[0].path}"
                )

    # Setting `trainable` on a model sets it on the model's layers too.

    @property
    def trainable(self):
        return False

    @trainable.setter
    def trainable(self, value):
        pass

    # Saving

    @classmethod
    def from_config(cls, config):
        config = {k: saving.deserialize_keras_object(v) for k, v in config.items()}
        config["network"].trainable = False
        return cls(**config)

    def get_config(self):
        config = super().get_config()
        del config["dtype"]
        return {
            **config,
            "network": saving.serialize_keras_object(self.network),
            "layers": list(self.layer_names),
            "preprocessing": saving.serialize_keras_object(self.preprocessing),
            "image_size": self.image_size,
            "repeat_grey": self.repeat_grey,
        }


def _at_inference(layer):
    takes_training = "training" in inspect.signature(layer.call).parameters
    return {"training": False} if takes_training else {}


def _checked_preprocessing(preprocessing, channels):
    is_named = isinstance(preprocessing, str) and preprocessing in PREPROCESSING
    if not (preprocessing is None or is_named or isinstance(preprocessing, keras.layers.Layer)):
        raise ValueError(
            f"`preprocessing` must be None, one of {list(PREPROCESSING)} or a Keras layer. "
            f"Received: preprocessing={preprocessing!r}"
        )
    if is_named and preprocessing in COLOURED and channels not in (None, 3):
        raise ValueError(
            f"`preprocessing` must not be one of {list(COLOURED)}, which are for three channels, "
            f"for a network of {channels}. Received: preprocessing={preprocessing!r}"
        )
    return preprocessing
