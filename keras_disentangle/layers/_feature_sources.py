"""Sources of feature networks: `keras.applications`, KerasCV, KerasHub, and weights files."""

import importlib
import inspect
import os
import sys
import warnings

import keras
import numpy as np

from keras_disentangle._extras import install
from keras_disentangle._weights_files import check_weights_file
from keras_disentangle.layers._feature_layers import check_network
from keras_disentangle.layers._image_preprocessing import preprocessing_of

# The preprocessing of a network that does not declare it.
UNKNOWN = object()


def from_applications(network, weights):
    """A named architecture of `keras.applications`, without its classifier.

    Returns:
        The network, frozen, and the name of the preprocessing that it was trained with.
    """
    build = getattr(keras.applications, network, None) if isinstance(network, str) else None
    if not callable(build):
        raise ValueError(
            "`network` must be the name of an architecture in `keras.applications`, such as "
            f'"VGG16". Received: network={network!r}'
        )
    if weights is None:
        warn_of_random_weights(network, stacklevel=4)
    is_file = weights is not None and weights != "imagenet"
    built = build(include_top=False, weights=None if is_file else weights)
    if is_file:
        load_weights(built, weights)
    built.trainable = False
    return built, preprocessing_of(sys.modules[build.__module__].preprocess_input)


def from_keras_cv(network, weights, arguments):
    """A backbone, given or built from the name of its class, and its preprocessing."""
    package = optional_package("keras_cv", "cv")
    if isinstance(network, str):
        backbone = _class(package, network)
        if backbone is None:
            raise ValueError(
                "`network` must be a backbone or the name of one in `keras_cv.models`, such as "
                f'"VGG16Backbone". Received: network={network!r}'
            )
        taken = inspect.signature(backbone.__init__).parameters
        defaults = {"include_rescaling": True, "include_top": False}
        defaults = {name: value for name, value in defaults.items() if name in taken}
        network = _built(backbone, {**defaults, **(arguments or {})}, weights)
    else:
        _check_given(network, weights, arguments)
    rescales = any(isinstance(layer, keras.layers.Rescaling) for layer in network.layers)
    return network, "rescale" if rescales else None


def from_keras_hub(network, weights, arguments):
    """A backbone, given or from the name of a class or preset; its preprocessing, if known."""
    package = optional_package("keras_hub", "hub")
    own = UNKNOWN
    if not isinstance(network, str):
        _check_given(network, weights, arguments)
    elif _class(package, network):
        network = _built(_class(package, network), arguments or {}, weights)
    else:
        network, own = _preset(package, network, weights, arguments or {})
    return network, own


def without_converter(preprocessing):
    """An `ImageConverter` of KerasHub as a layer for images in [0, 1]; anything else unchanged.

    The converter itself would run on the host, and would resize images.
    """
    package = sys.modules.get("keras_hub")
    if package is None or not isinstance(preprocessing, package.layers.ImageConverter):
        return preprocessing
    scale = 1.0 if preprocessing.scale is None else preprocessing.scale
    offset = 0.0 if preprocessing.offset is None else preprocessing.offset
    return keras.layers.Rescaling(
        (255 * np.asarray(scale, float)).tolist(), np.asarray(offset, float).tolist()
    )


def _class(package, name):
    found = getattr(package.models, name, None)
    is_backbone = isinstance(found, type) and issubclass(found, package.models.Backbone)
    return found if is_backbone else None


def _built(backbone, arguments, weights):
    if weights is None:
        warn_of_random_weights(backbone.__name__, stacklevel=5)
    network = backbone(**arguments)
    if weights is not None:
        load_weights(network, weights)
    network.trainable = False
    return network


def _preset(package, name, weights, arguments):
    try:
        network = package.models.Backbone.from_preset(
            name, load_weights=weights is None, **arguments
        )
    except ValueError as error:
        raise ValueError(
            "`network` must be a backbone, the name of one in `keras_hub.models`, such as "
            f'"VGGBackbone", or a preset. Received: network={name!r} ({error})'
        ) from error
    if weights is not None:
        load_weights(network, weights)
    network.trainable = False
    try:
        own = without_converter(package.layers.ImageConverter.from_preset(name))
    except (FileNotFoundError, ValueError):
        own = UNKNOWN
    return network, own


def _check_given(network, weights, arguments):
    check_network(network, also=", or the name of a backbone")
    if arguments is not None:
        raise ValueError(
            "`arguments` must be None if `network` is already built. "
            f"Received: arguments={arguments}"
        )
    if weights is not None:
        load_weights(network, weights)


def check_weights(weights, *names):
    """Raises a ValueError unless `weights` is `None`, in `names` or the path of a file."""
    is_path = isinstance(weights, (str, os.PathLike))
    if weights is None or is_path and (weights in names or os.path.isfile(weights)):
        return
    expected = ", ".join(["None", *map(repr, names)])
    raise ValueError(
        f"`weights` must be {expected} or the path of a file. Received: weights={weights!r}"
        + (", and there is no such file" if is_path else "")
    )


def load_weights(network, path):
    """Loads weights from a file that is intact, self-contained and finite.

    Raises:
        ValueError: if it is not, or its weights belong to another network.
    """
    try:
        check_weights_file(path)
        network.load_weights(path)
    except Exception as error:  # h5py, zipfile and Keras each raise their own kinds.
        raise ValueError(
            "`weights` must be a whole weights file of this network. "
            f"Received: weights={os.fspath(path)!r} ({type(error).__name__}: {error})"
        ) from error


def warn_of_random_weights(name, stacklevel):
    warnings.warn(
        f"The weights of {name} are random, and so are its features: values are only comparable "
        "if they come from the same network. Give `weights`.",
        stacklevel=stacklevel,
    )


def optional_package(name, extra):
    """Imports an optional package.

    Raises:
        ImportError: if it is missing; the error names the extra to install.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"`FeatureNetwork.from_{name}` needs the package {name} ({error}). Install it with: "
            f"{install(extra)}"
        ) from error
