"""The one place where image files are decoded: by format, size, orientation and colours."""

import io
import sys

import numpy as np
from PIL import Image

_JPEG = (".jfif", ".jpe", ".jpeg", ".jpg")
_PPM = (".pbm", ".pgm", ".pnm", ".ppm")
SUFFIXES = (".bmp", ".gif", *_JPEG, ".png", *_PPM, ".tif", ".tiff", ".webp")
# Endings of other images, which are not read.
_CAMERA = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".raw", ".rw2")
OTHERS = (".avif", ".exr", ".hdr", ".heic", ".heif", ".ico", ".jp2", ".jxl", ".pcx", ".psd")
OTHERS = (*OTHERS, ".svg", ".tga", *_CAMERA)
# By these alone: Pillow goes by content, and would hand PostScript to another program.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

_FREE_PIXELS = 2**23
FREE_BYTES = 4 * _FREE_PIXELS + 2**12  # of a file of so many pixels, not compressed at all
_PIXELS_A_BYTE = 250  # at most, in a larger image; photographs have fewer than 20

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
# Pillow keeps one byte of the two; the other one comes by the opposite order.
_OTHER_BYTE = {"16L": "16B", "16B": "16L", "16N": "16B" if sys.byteorder == "little" else "16L"}


def decode(content):
    """The picture in a file's bytes, as it is meant to be seen.

    It is turned as its EXIF orientation says, transparent pixels are laid on white, 16 bits a
    channel are scaled to 8, and of several frames it is the first.

    Returns:
        `(picture, is_animated)`: a Pillow image of mode "L" (if the file's is grey) or "RGB".

    Raises:
        ValueError, or what else Pillow raises: if it is none, is damaged, has numbers of 32 bits,
            or declares far more pixels than its bytes can hold.
    """
    picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    width, height = picture.size
    if width * height > max(_FREE_PIXELS, _PIXELS_A_BYTE * len(content)):
        raise ValueError(f"it declares {width}×{height} pixels in {len(content):,} bytes")
    # The further pictures of a photograph (MPO) are thumbnails and the like.
    is_animated = getattr(picture, "is_animated", False) and picture.format != "MPO"
    rawmode = _rawmode(picture)
    picture.load()
    orientation = _orientation(picture)  # TIFF has none left: Pillow turns these itself.
    # Grey of 16 bits with transparency comes as colour, and only with its upper bytes.
    is_grey = picture.mode in ("1", "L", "LA") or picture.mode[0] == "I" or rawmode[:2] == "LA"
    if picture.mode[0] == "I":
        # PNG and PPM give 16 bits in this mode as well.
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
    """(height, width, channels) of what `decode` gives."""
    return picture.height, picture.width, len(picture.getbands())


def _orientation(picture):
    try:
        return picture.getexif().get(_ORIENTATION)
    except Exception:  # Pillow raises many kinds; cameras write EXIF that is none.
        return None


def _rawmode(picture):
    """How the bytes of the file hold the channels: "RGB;16B"; "" if Pillow does not tell."""
    if len(picture.tile) == 0:
        return ""
    options = picture.tile[0][3]
    rawmode = options[0] if isinstance(options, tuple) and options else options
    return rawmode if isinstance(rawmode, str) else ""


def _both_bytes(content, picture, rawmode):
    """All 16 bits of an image in colour: uint16 (h, w, c)."""
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
