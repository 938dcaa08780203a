"""Which axis of images holds their channels: the last one, here."""

import keras


def check_channels_last(what):
    """Raises a ValueError if Keras builds layers for images with their channels first."""
    found = keras.config.image_data_format()
    if found != "channels_last":
        raise ValueError(
            f'Keras\'s `image_data_format` must be "channels_last" for {what}, which takes images '
            '(height, width, channels): keras.config.set_image_data_format("channels_last"). '
            f"Received: image_data_format={found!r}"
        )
