"""The running mean of a network's weights."""

from keras import ops


def frozen_copy(network):
    """A separate copy of a network with the same weights, which is not trained."""
    # Without serialisation, in which Keras imports TensorFlow if it is installed.
    copy = type(network).from_config(network.get_config())
    if not copy.built:
        copy.build_from_config(network.get_build_config())
        copy.built = True  # Keras leaves this False for a class without `build`.
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def check_copy(copy, network):
    """Raises a ValueError if the network's weights have other shapes than those of its copy."""
    mean, now = ([tuple(w.shape) for w in x.weights] for x in (copy, network))
    if mean != now:
        raise ValueError(
            "With `ema_decay`, the generator must keep the weights that it had when the model "
            "was made. Make the model after `enable_lora`, `quantize` and the like. "
            f"Received: {len(now)} weights now, {len(mean)} then"
        )


def follow(copy, network, decay):
    """Updates the copy's weights to `decay` times themselves plus (1 - `decay`) the network's."""
    for mean, weight in zip(copy.weights, network.weights, strict=True):
        # Moving statistics are running means already.
        keep = ops.cast(decay if weight.trainable else 0.0, mean.dtype)
        value = ops.cast(weight, mean.dtype)
        mean.assign(value + keep * (ops.convert_to_tensor(mean) - value))
