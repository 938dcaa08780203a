"""Pictures as bytes."""

import io

from PIL import Image

from keras_disentangle.visualization._pixels import check_picture


def to_pillow(image, name="image"):
    """Wraps a uint8 array (h, w, c) as a Pillow image."""
    image = check_picture(image, name)
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def encode_png(image):
    """Returns the PNG file of a uint8 array (h, w, c) as bytes."""
    buffer = io.BytesIO()
    to_pillow(image).save(buffer, format="PNG")
    return buffer.getvalue()
