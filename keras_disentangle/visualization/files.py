"""Pictures as bytes and as files."""

import io

import numpy as np
from PIL import Image

from keras_disentangle._arguments import check_int
from keras_disentangle._files import write_whole
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


def save_png(path, image):
    """Writes an image as a PNG file, whole or not at all.

    Args:
        path: the file to write; missing folders are created.
        image: uint8 array (h, w, c), c one of 1, 3, 4.

    Raises:
        ValueError: if `image` is not such an array.

    Example:

    >>> save_png("pictures/grid.png", kd.visualization.image_grid(images, columns=8))
    """
    write_whole(path, encode_png(image))


def save_gif(path, frames, duration=80):
    """Writes frames as a GIF that loops forever, whole or not at all.

    Args:
        path: the file to write; missing folders are created.
        frames: sequence of uint8 arrays (h, w, c) of one shape, c one of 1, 3, 4.
        duration: time that each frame is shown, in milliseconds (rounded to tens by the format).

    Raises:
        ValueError: if there are no frames, their shapes differ, one is not such an array, or
            `duration` is not a positive integer.

    Example:

    >>> frames = kd.visualization.traversal_frames(model.decode, np.zeros(4))
    >>> save_gif("pictures/traversal.gif", frames)
    """
    write_whole(path, encode_gif(frames, duration))


def encode_gif(frames, duration=80):
    """Returns the file that `save_gif` writes as bytes."""
    frames = [check_picture(frame, "frames") for frame in frames] if np.iterable(frames) else []
    duration, shapes = check_int("duration", duration), {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ValueError(
            f"`frames` must be one or more images of one shape. Received: shapes {sorted(shapes)}"
        )
    first, *others = (to_pillow(frame) for frame in frames)
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=others, duration=duration, loop=0)
    return buffer.getvalue()
