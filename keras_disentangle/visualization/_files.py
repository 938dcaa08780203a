"""Pictures as bytes and as files."""

import io
import os

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


def write_whole(path, content):
    """Writes bytes to `path` at once: a reader finds the old file or the new, never half of one."""
    path = os.fspath(path)
    if os.path.isdir(path):
        raise ValueError(f"`path` must be a file, not a folder. Received: path={path!r}")
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    # In the same folder, since a rename is atomic only within one file system.
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
