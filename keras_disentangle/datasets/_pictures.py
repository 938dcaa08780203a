"""Decodes image files, with checks of format and size, orientation and colours."""

import io
import sys

import numpy as np
from PIL import Image

_JPEG = (".jfif", ".jpe", ".jpeg", ".jpg")
_PPM = (".pbm", ".pgm", ".pnm", ".ppm")
SUFFIXES = (".bmp", ".gif", *_JPEG, ".png", *_PPM, ".tif", ".tiff", ".webp")
# Endings of image files that are not read.
_CAMERA = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".raw", ".rw2")
OTHERS = (".avif", ".exr", ".hdr", ".heic", ".heif", ".ico", ".jp2", ".jxl", ".pcx", ".psd")
OTHERS = (*OTHERS, ".svg", ".tga", *_CAMERA)
# Only these: Pillow decides by content, and would pass PostScript to another program.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

_FREE_PIXELS = 2**23
FREE_BYTES = 4 * _FREE_PIXELS + 2**12  # an uncompressed file with that many pixels
_PIXELS_A_BYTE = 250  # maximum for a larger image; photographs have fewer than 20

_ORIENTATION = 0x0112  # the tag of EXIF
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow keeps one byte of the two; decoding in the opposite order gives the other.
_OTHER_BYTE = {"16L": "16B", "16B": "16L", "16N": "16B" if sys.byteorder == "little" else "16L"}


def decode(content):
    """Decodes an image file as it is meant to be displayed.

    It is rotated according to its EXIF orientation, transparent pixels are drawn on white, 16 bits
    per channel are scaled to 8, and the first of several frames is used.

    Args:
        content: the bytes of the file.

    Returns:
        `(picture, is_animated)`: a Pillow image of mode "L" (if the file is grey) or "RGB", and
        whether it has several frames.

    Raises:
        ValueError, or another error of Pillow: if it is not an image, is damaged, has values of 32
            bits, or declares far more pixels than its bytes can hold.
    """
    picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    width, height = picture.size
    if width * height > max(_FREE_PIXELS, _PIXELS_A_BYTE * len(content)):
        raise ValueError(f"it declares {width}×{height} pixels in {len(content):,} bytes")
    # The further pictures of a photograph (MPO) are thumbnails and the like.
    is_animated = getattr(picture, "is_animated", False) and picture.format != "MPO"
    rawmode = _rawmode(picture)
    picture.load()
    orientation = _orientation(picture)  # None for TIFF, which Pillow rotates itself.
    # Pillow decodes grey of 16 bits with transparency as colour, with the upper bytes alone.
    is_grey = picture.mode in ("1", "L", "LA") or picture.mode[0] == "I" or rawmode[:2] == "LA"
    if picture.mode[0] == "I":
        # PNG and PPM of 16 bits have this mode too.
        if picture.mode == "I" and picture.format not in ("PNG", "PPM"):
            raise ValueError("its numbers have 32 bits, whose range is not known")
        picture = _eight_bits(np.asarray(picture), picture.info.get("transparency"))
    elif picture.mode == "F":
        raise ValueError("its numbers are floats, whose range is not known")
    elif rawmode[:-4] in ("RGB", "RGBA") and rawmode[-3:] in _OTHER_BYTE:
        colours = _both_bytes(content, picture, rawmode)
        picture = _eight_bits(colours, picture.info.get("transparency"))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = picture.convert("L" if is_grey else "RGB")
    if orientation in _UPRIGHT:
        picture = picture.transpose(_UPRIGHT[orientation])
    return picture, is_animated


def shape_of(picture):
    """(height, width, channels) of a picture from `decode`."""
    return picture.height, picture.width, len(picture.getbands())


def _orientation(picture):
    try:
        return picture.getexif().get(_ORIENTATION)
    except Exception:  # Pillow raises many kinds; cameras write invalid EXIF.
        return None


def _rawmode(picture):
    """The layout of channels in the file's bytes, such as "RGB;16B"; "" if it is not known."""
    if len(picture.tile) == 0:
        return ""
    options = picture.tile[0][3]
    rawmode = options[0] if isinstance(options, tuple) and options else options
    return rawmode if isinstance(rawmode, str) else ""


def _both_bytes(content, picture, rawmode):
    """A colour image with all 16 bits: uint16 (h, w, c)."""
    other = rawmode[:-3] + _OTHER_BYTE[rawmode[-3:]]
    again = Image.open(io.BytesIO(content), formats=_FORMATS)
    for i, tile in enumerate(again.tile):
        fields = (*tile[:3], (other, *tile[3][1:]) if isinstance(tile[3], tuple) else other)
        again.tile[i] = tile._make(fields) if hasattr(tile, "_make") else fields
    again.load()
    return np.asarray(picture).astype(np.uint16) << 8 | np.asarray(again)


def _eight_bits(values, transparent=None):
    """A Pillow image of numbers from 0 to 65535, white where they are the transparent colour."""
    out = np.rint(values.astype(np.float32) / 257).astype(np.uint8)
    if transparent is not None:
        same = values == np.asarray(transparent)
        out[same if values.ndim == 2 else same.all(axis=-1)] = 255
    return Image.fromarray(out)
