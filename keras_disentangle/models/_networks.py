import keras
from keras import saving

from keras_disentangle.layers.conditional_batch_normalization import BATCH_NORMALIZATIONS


def network_shapes(name, network):
    """Input and output shape of a built network with one of each, without the batch axis."""
    try:
        shapes = network.input_shape, network.output_shape
    except AttributeError as error:
        raise ValueError(
            f"`{name}` must be a built Keras model or layer with one input and one output. "
            f"Received: {name}={network}"
        ) from error
    if any(isinstance(shape, (list, dict)) or shape is None for shape in shapes):
        raise ValueError(f"`{name}` must have one input and one output. Received: {shapes}")
    return tuple(tuple(shape[1:]) for shape in shapes)


def check_shape(what, expected, received):
    if tuple(expected) != tuple(received):
        raise ValueError(f"{what} must have the shape {expected}. Received: {received}")


def posterior_size(name, shape):
    """d of a network that gives mean and log variance concatenated, (batch, 2d)."""
    if len(shape) != 1 or shape[0] is None or shape[0] % 2 or shape[0] < 2:
        raise ValueError(
            f"`{name}` must give mean and log variance concatenated, (batch, 2d). "
            f"Received: an output of shape (batch, {', '.join(map(str, shape))})"
        )
    return shape[0] // 2


def serialize(networks):
    if isinstance(networks, (list, tuple)):
        return [saving.serialize_keras_object(network) for network in networks]
    return saving.serialize_keras_object(networks)


def output_activation(network):
    """The name of the activation that a built network ends in, or None if it cannot be told.

    Layers after it that give what they are given, such as `Reshape`, are passed over.
    """
    if not getattr(network, "outputs", None):
        return _activation_name(network)
    tensor = network.outputs[0]
    while True:
        layer, node, _ = tensor._keras_history
        if isinstance(layer, keras.Model):
            return output_activation(layer)
        if not isinstance(layer, _VALUES_KEPT):
            return _activation_name(layer)
        tensor = layer._inbound_nodes[node].input_tensors[0]


_VALUES_KEPT = (
    keras.layers.Cropping2D,
    keras.layers.Identity,
    keras.layers.Permute,
    keras.layers.Reshape,
)


def _activation_name(layer):
    return getattr(getattr(layer, "activation", None), "__name__", None)


def batch_normalizations(*networks):
    """The layers that normalise by the batch, anywhere in the networks."""
    layers = [layer for network in networks for layer in network._flatten_layers()]
    return [layer for layer in layers if isinstance(layer, BATCH_NORMALIZATIONS)]
