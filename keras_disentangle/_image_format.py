"""The format of images: channels on the last axis, values in [0, 1]."""

import keras

from keras_disentangle._keras_graph import all_layers

TOLERANCE = 1e-4  # how far values may lie outside, since resizing and rounding overshoot


def check_channels_last(what, *networks):
    """Raises a ValueError if Keras's default is channels first, or that of a layer in `networks`.

    Args:
        what: what needs channels last, as named in the error.
        *networks: models whose layers are checked.
    """
    for layer in all_layers(*networks):
        if getattr(layer, "data_format", None) == "channels_first":
            raise ValueError(
                f'The layers must have `data_format="channels_last"` for {what}, which takes '
                f"images (height, width, channels). Received: the layer {layer.name!r} with "
                'data_format="channels_first"'
            )
    found = keras.config.image_data_format()
    if found != "channels_last":
        raise ValueError(
            f'Keras\'s `image_data_format` must be "channels_last" for {what}, which takes images '
            '(height, width, channels): keras.config.set_image_data_format("channels_last"). '
            f"Received: image_data_format={found!r}"
        )
