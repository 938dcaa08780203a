"""Properties of the networks given to models: shapes, outputs, the last activation."""

import keras
from keras import ops, saving

from keras_disentangle._image_format import check_channels_last
from keras_disentangle._keras_graph import all_layers, node_of
from keras_disentangle.layers import (
    ConditionalBatchNormalization,
    MinibatchStd,
    PixelNormalization,
    SelfAttention2D,
)
from keras_disentangle.layers.conditional_batch_normalization import BATCH_NORMALIZATIONS
from keras_disentangle.models._conditioning import call_network, check_label_input


def network_shapes(name, network, several=False, labels=None):
    """Input and output shape of a built network, without the batch axis.

    Of a network that takes labels as its second input, it is the shape of the first.

    Args:
        name: the argument's name.
        network: a Keras model or layer: functional, sequential, or of a user's class.
        several: whether it may have several outputs; their shapes are then a list.
        labels: the `Labels` that it may take as a second input, or `None`.

    Raises:
        ValueError: if it is not built, or does not have one input and one output.
    """
    if not isinstance(network, keras.layers.Layer):
        raise ValueError(
            f"`{name}` must be a built Keras model or layer. Received: {name}={network!r}"
        )
    if isinstance(network, keras.Sequential) and not network.built:
        raise ValueError(
            f"`{name}` must be a built Keras model: start it with a `keras.Input`. "
            f"Received: {network}"
        )
    check_order(name, network)
    try:
        shapes = network.input_shape, network.output_shape
    except AttributeError:
        shapes = _shapes_of_subclass(name, network)
    given, made = map(_without_batch, shapes)
    outputs = getattr(network, "output", None)
    if isinstance(outputs, dict):  # `output_shape` is a list nevertheless.
        made = {name: tuple(output.shape[1:]) for name, output in outputs.items()}
    if labels is not None and isinstance(given, list) and len(given) == 2:
        check_label_input(name, network, labels)
        given = given[0]
    if isinstance(given, (list, dict)):
        allowed = "a second one for labels only in a model made with `labels`"
        if labels is not None:
            allowed = "and labels as a second one, in a list"
        raise ValueError(
            f"`{name}` must have one input, {allowed}. Received: inputs of the shapes {given}"
        )
    if isinstance(made, dict) or (isinstance(made, list) and not several):
        expected = "one output, or a list of them" if several else "one output"
        raise ValueError(f"`{name}` must have {expected}. Received: outputs of the shapes {made}")
    return given, made


def check_order(name, network):
    """Raises a ValueError if a network has layers of this library that work on the last axis of
    images together with layers for images with channels first.

    Args:
        name: the argument's name.
        network: a Keras model or layer.
    """
    for layer in all_layers(network):
        if isinstance(layer, _OF_CHANNELS):
            check_channels_last(f"`{type(layer).__name__}` in `{name}`", network)


def _shapes_of_subclass(name, network):
    """Input and output shape of a built network of a user's class."""
    config = (network.get_build_config() or {}) if network.built else {}
    given = config.get("input_shape")
    if given is None:
        raise ValueError(
            f"`{name}` must be a built Keras model, so that its shapes are known: call it once on "
            f"zeros, (1, ...). Received: {name}={network}"
        )
    if isinstance(given[0], (tuple, list)):
        given = [tuple(shape) for shape in given]
    else:
        given = tuple(given)
    symbolic = keras.tree.map_shape_structure(
        lambda shape: keras.KerasTensor((None, *shape[1:]), network.input_dtype), given
    )
    made = network.compute_output_spec(symbolic)
    return given, keras.tree.map_structure(lambda x: tuple(x.shape), made)


def _without_batch(shapes):
    """A shape, or a list or dict of shapes, without the batch axis."""
    if isinstance(shapes, dict):
        return {key: _without_batch(shape) for key, shape in shapes.items()}
    if isinstance(shapes, list) or (shapes and isinstance(shapes[0], (tuple, list))):
        return [_without_batch(shape) for shape in shapes]
    return tuple(shapes[1:])


_OF_CHANNELS = (ConditionalBatchNormalization, MinibatchStd, PixelNormalization, SelfAttention2D)


def check_shape(what, expected, received):
    if tuple(expected) != tuple(received):
        raise ValueError(f"{what} must have the shape {expected}. Received: {received}")


def posterior_size(name, shape):
    """d of a network from which mean and log variance come as (batch, 2d) or as a list of two."""
    advice = f"`{name}` must give mean and log variance, concatenated, (batch, 2d), or as a list"
    if isinstance(shape, list):
        if len(shape) != 2 or shape[0] != shape[1] or len(shape[0]) != 1 or not shape[0][0]:
            more = "; the model itself draws the samples" if len(shape) == 3 else ""
            raise ValueError(
                f"{advice} [(batch, d), (batch, d)]{more}. Received: outputs of the shapes "
                f"{[('batch', *part) for part in shape]}"
            )
        return shape[0][0]
    if len(shape) != 1 or shape[0] is None or shape[0] % 2 or shape[0] < 2:
        raise ValueError(
            f"{advice}. Received: an output of shape (batch, {', '.join(map(str, shape))})"
        )
    return shape[0] // 2


def posterior(network, x, training, labels=None):
    """(mean, log_var), each (batch, d), of a network that `posterior_size` accepts."""
    outputs = call_network(network, x, labels, training=training)
    is_pair = isinstance(outputs, (list, tuple))
    return tuple(outputs) if is_pair else tuple(ops.split(outputs, 2, axis=-1))


def serialize(networks):
    if isinstance(networks, (list, tuple)):
        return [saving.serialize_keras_object(network) for network in networks]
    return saving.serialize_keras_object(networks)


def check_apart(**networks):
    """Raises a ValueError if a layer is part of two networks: a file would save it for one only.

    Args:
        **networks: by the argument's name, a network or a list of them.
    """
    owners = {}
    for name, given in networks.items():
        listed = isinstance(given, (list, tuple))
        for i, network in enumerate(given if listed else [given]):
            owner = f"{name}[{i}]" if listed else name
            for layer in all_layers(network):
                if not layer.weights or owners.setdefault(id(layer), owner) == owner:
                    continue
                raise ValueError(
                    "Networks must not share layers: a saved model could not be loaded. Give each "
                    f"a layer of its own. Received: {layer.name!r} in `{owners[id(layer)]}` and "
                    f"`{owner}`"
                )


def output_activation(network):
    """The name of the last activation of a built network, or `None` if it is not known.

    If there are several outputs, it is that of the first. Later layers and operations that keep
    the range of their input, such as `Reshape`, are skipped.
    """
    if not getattr(network, "outputs", None):
        return _activation_name(network)
    tensor = network.outputs[0]
    while True:
        node = node_of(tensor)
        operation, inputs = node.operation, node.input_tensors
        if isinstance(operation, keras.Model):
            found = output_activation(operation)
        else:
            found = _activation_name(operation)
        if found not in (None, "linear") or len(inputs) != 1 or not _keeps_range(operation):
            return found
        tensor = inputs[0]


_RANGE_KEPT = (
    keras.layers.AveragePooling2D,
    keras.layers.Cropping2D,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.MaxPooling2D,
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.ZeroPadding2D,
)
# Operations of `keras.ops` have classes of these names in a functional graph.
_KEPT_BY_NAME = {"Cast", "ExpandDims", "Flip", "GetItem", "Identity", "MoveAxis", "Reshape"}
_KEPT_BY_NAME |= {"Squeeze", "StopGradient", "SwapAxes", "Transpose"}
_ACTIVATIONS = {
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
    "Tanh": "tanh",
    "HardTanh": "hard_tanh",
    "Softmax": "softmax",
    "Relu": "relu",
    "ReLU": "relu",
    "LeakyRelu": "leaky_relu",
    "LeakyReLU": "leaky_relu",
}


def _keeps_range(operation):
    if isinstance(operation, (keras.layers.UpSampling2D, keras.layers.Resizing)):
        return operation.interpolation in ("nearest", "bilinear")
    if isinstance(operation, keras.layers.Activation):
        return _activation_name(operation) == "linear"
    return isinstance(operation, _RANGE_KEPT) or type(operation).__name__ in _KEPT_BY_NAME


def _activation_name(operation):
    if isinstance(operation, keras.layers.Wrapper):
        return _activation_name(operation.layer)
    # `ops.tanh(x)`, or a layer such as `ReLU`.
    named = _ACTIVATIONS.get(type(operation).__name__)
    if named is None and getattr(operation, "activation", "") is None:
        return "linear"
    return named or getattr(getattr(operation, "activation", None), "__name__", None)


def batch_normalizations(*networks):
    """The batch normalisations anywhere in the networks."""
    return [layer for layer in all_layers(*networks) if isinstance(layer, BATCH_NORMALIZATIONS)]


def discriminator_shapes(discriminator, labels=None):
    """Shapes of the image and of the features (or `None`), without the batch axis."""
    image, outputs = network_shapes("discriminator", discriminator, several=True, labels=labels)
    if not isinstance(outputs, list):
        return image, None
    if len(outputs) != 2:
        raise ValueError(
            "`discriminator` must give logits, or [logits, features]. "
            f"Received: outputs of the shapes {outputs}"
        )
    return image, outputs[1]
