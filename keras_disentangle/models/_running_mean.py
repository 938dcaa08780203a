"""The running mean of a network's weights."""

from keras import ops


def frozen_copy(network):
    """A network of its own with the same weights, which is not trained."""
    # Not by way of serialisation, with which Keras imports TensorFlow wherever it is installed.
    copy = type(network).from_config(network.get_config())
    if not copy.built:
        copy.build_from_config(network.get_build_config())
        copy.built = True  # Where a class has no `build`, Keras calls it and leaves this as it was.
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def check_copy(copy, network):
    """Raises a ValueError if the network has other weights than the copy of it."""
    mean, now = ([tuple(w.shape) for w in x.weights] for x in (copy, network))
    if mean != now:
        raise ValueError(
            "With `ema_decay`, the generator must keep the weights that it had when the model "
            "was made. Make the model after `enable_lora`, `quantize` and the like. "
            f"Received: {len(now)} weights, {len(mean)} of them then"
        )


def follow(copy, network, decay):
    """Moves the weights of the copy towards the network's, of which it keeps the part `decay`."""
    for mean, weight in zip(copy.weights, network.weights, strict=True):
        # Moving statistics are running means already.
        keep = ops.cast(decay if weight.trainable else 0.0, mean.dtype)
        value = ops.cast(weight, mean.dtype)
        mean.assign(value + keep * (ops.convert_to_tensor(mean) - value))
