"""Pictures are read as they are meant to be seen, and from no file that lies about itself."""

import io
import os
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_disentangle.datasets import DSpritesVariant, load_images, load_paired_images

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, size=(6, 8, 3), dtype=np.uint8)
READERS = {
    "load_images": lambda folder: load_images(folder)[0],
    "load_paired_images": lambda folder: np.concatenate(load_paired_images(folder), axis=2),
}


@pytest.fixture(params=READERS)
def read(request, tmp_path):
    """A picture as each of the readers gives it, from its file's bytes."""

    def read(content, name="1.png"):
        (tmp_path / name).write_bytes(content)
        return READERS[request.param](tmp_path)[0]

    return read


def encoded(picture, kind="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
    )


def png(values, kind, size=None, extra=b""):
    """A PNG of big-endian numbers of 16 bits (h, w, c): kind 0 grey, 2 colour, 6 with alpha."""
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", *(size or (width, height)), 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    "orientation, upright",
    [
        (1, lambda x: x),
        (2, lambda x: x[:, ::-1]),
        (3, lambda x: x[::-1, ::-1]),
        (4, lambda x: x[::-1]),
        (5, lambda x: x.swapaxes(0, 1)),
        (6, lambda x: x.swapaxes(0, 1)[:, ::-1]),  # a phone held upright
        (7, lambda x: x.swapaxes(0, 1)[::-1, ::-1]),
        (8, lambda x: x.swapaxes(0, 1)[::-1]),
        (99, lambda x: x),
    ],
)
def test_orientation(read, kind, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(Image.fromarray(COLOUR), kind, exif=exif, **options)
    np.testing.assert_array_equal(read(content), upright(COLOUR))


def test_exif_that_is_none(read):
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"
    content = encoded(Image.fromarray(COLOUR), exif=exif)
    np.testing.assert_array_equal(read(content), COLOUR)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_are_white(read, kind):
    alpha = np.zeros((6, 8, 1), np.uint8)
    alpha[:3], alpha[0, 0] = 255, 51
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    content = encoded(Image.fromarray(np.concatenate([COLOUR, alpha], axis=-1)), kind, **options)
    found = read(content)
    np.testing.assert_array_equal(found[3:], 255)
    np.testing.assert_array_equal(found[1:3], COLOUR[1:3])
    np.testing.assert_allclose(found[0, 0], 0.2 * COLOUR[0, 0] + 0.8 * 255, atol=1)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_entry_of_a_palette_is_white(read, kind):
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).convert("P")
    found = read(encoded(picture, kind, transparency=3))
    expected = np.arange(48).reshape(6, 8, 1).repeat(3, axis=-1)
    expected[0, 3] = 255
    np.testing.assert_array_equal(found, expected)


def test_transparent_grey_stays_grey(read):
    values = np.stack([COLOUR[..., 0], 255 * (COLOUR[..., 1] > 100)], axis=-1).astype(np.uint8)
    found = read(encoded(Image.fromarray(values)))
    np.testing.assert_array_equal(found[..., 0], np.where(values[..., 1], values[..., 0], 255))
    assert found.shape == (6, 8, 1)


@pytest.mark.parametrize("kind, channels", [(0, 1), (2, 3), (6, 4)])
def test_sixteen_bits_are_scaled(read, kind, channels):
    values = RNG.integers(0, 2**16, size=(6, 8, channels))
    values[0, 0] = 65535
    values[..., 3:] = 65535
    found = read(png(values, kind))
    np.testing.assert_array_equal(found, np.rint(values[..., :3] * 255 / 65535))


def test_sixteen_bits_with_a_transparent_colour(read):
    values = RNG.integers(0, 2**16, size=(6, 8, 3))
    extra = chunk(b"tRNS", struct.pack(">HHH", *values[2, 1]))
    expected = np.rint(values * 255 / 65535)
    expected[2, 1] = 255
    np.testing.assert_array_equal(read(png(values, 2, extra=extra)), expected)


@pytest.mark.parametrize("kind, channels", [(b"P5", 1), (b"P6", 3)])
def test_sixteen_bits_of_a_portable_pixmap(read, kind, channels):
    values = RNG.integers(0, 2**16, size=(6, 8, channels))
    content = kind + b" 8 6 65535\n" + values.astype(">u2").tobytes()
    np.testing.assert_array_equal(read(content, "1.ppm"), np.rint(values * 255 / 65535))


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_sixteen_bits_of_a_tiff(read, compression):
    values = RNG.integers(0, 2**16, size=(6, 8), dtype=np.uint16)
    content = encoded(Image.fromarray(values), "TIFF", compression=compression)
    np.testing.assert_array_equal(read(content, "1.tif")[..., 0], np.rint(values / 257))


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_numbers_of_unknown_range_are_refused(read, dtype):
    with pytest.raises(ValueError, match=r"1\.tif.*range is not known"):
        read(encoded(Image.fromarray(COLOUR[..., 0].astype(dtype)), "TIFF"), "1.tif")


def test_cmyk_becomes_colour(read):
    ink = np.zeros((6, 8, 4), np.uint8)
    ink[:, ::2, 0] = 255
    found = read(encoded(Image.fromarray(ink, "CMYK"), "TIFF"))
    np.testing.assert_array_equal(found[:, ::2], np.broadcast_to([0, 255, 255], (6, 4, 3)))
    np.testing.assert_array_equal(found[:, 1::2], 255)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_animations_are_told(read, kind):
    frames = [Image.fromarray(COLOUR[..., i]).convert("L") for i in range(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    with pytest.warns(
        UserWarning, match=r"1 of 1 images have several frames.*first.*1\.png"
    ) as told:
        found = read(content)
    np.testing.assert_array_equal(found[..., 0], COLOUR[..., 0])
    assert told[0].filename == __file__


@pytest.mark.parametrize("name, kind", [("1.jfif", "JPEG"), ("1.JPE", "JPEG"), ("1.pgm", "PPM")])
def test_further_names_of_the_formats(read, name, kind):
    options, atol = ({"quality": 100}, 3) if kind == "JPEG" else ({}, 0)
    found = read(encoded(Image.fromarray(COLOUR[..., 0]), kind, **options), name)
    np.testing.assert_allclose(found[..., 0].astype(int), COLOUR[..., 0], atol=atol)


@pytest.mark.parametrize("where", ["folder", "zip", "pairs"])
def test_images_of_other_kinds_are_counted(tmp_path, where):
    """Those that are hidden, or no images, are not."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("b.HEIC", "c.heic", "d.avif", ".e.heic", "readme.txt"):
        (folder / name).write_bytes(b"")

    def read():
        if where == "pairs":
            return load_paired_images(folder)
        path = folder
        if where == "zip":
            path = tmp_path / "images.zip"
            with zipfile.ZipFile(path, "w") as archive:
                for file in folder.iterdir():
                    archive.write(file, file.name)
        return load_images(path)

    with pytest.raises(ValueError, match=r"must hold images \(.*\). It holds 1 .avif, 2 .heic"):
        read()
    Image.fromarray(COLOUR).save(folder / "a.png")
    with pytest.warns(UserWarning, match="are read, 1 here. Left out: 1 .avif, 2 .heic") as w:
        assert len(read()[0]) == 1
    assert w[0].filename == __file__


@pytest.mark.parametrize(
    "prefix", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"P7 332\n"]
)
def test_other_formats_are_not_tried(tmp_path, read, monkeypatch, prefix):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(ValueError, match=r"1\.png is not a readable.*cannot identify"):
        read(prefix)
    with pytest.raises(ValueError, match=r"1\.png is not a readable image"):
        DSpritesVariant("scream", background=tmp_path / "1.png")


def test_more_pixels_than_bytes_can_hold(read):
    with pytest.raises(ValueError, match=r"1\.png.*9000×9000 pixels in \d+ bytes"):
        read(png(COLOUR, 2, size=(9000, 9000)))


def test_a_background_is_read_as_other_pictures(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.fromarray(RNG.integers(0, 256, size=(64, 70, 3), dtype=np.uint8))
    wide.save(tmp_path / "turned.png", exif=exif)
    turned = DSpritesVariant("scream", background=tmp_path / "turned.png").images([0, 9])
    upright = np.asarray(wide).swapaxes(0, 1)[:, ::-1].copy()
    given = DSpritesVariant("scream", background=upright).images([0, 9])
    np.testing.assert_array_equal(turned, given)


def test_a_broken_link_is_named(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "1.png")
    (tmp_path / "2.png").symlink_to(tmp_path / "nowhere.png")
    for load in (load_images, load_paired_images):
        with pytest.raises(ValueError, match=r"2\.png.*No such file"):
            load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_named(tmp_path):
    os.mkfifo(tmp_path / "1.png")
    for load in (load_images, load_paired_images):
        with pytest.raises(ValueError, match=r"1\.png.*no regular file"):
            load(tmp_path)


def test_links_to_folders_are_followed(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "store" / name).mkdir(parents=True)
        Image.fromarray(COLOUR).save(tmp_path / "store" / name / "1.png")
    (tmp_path / "pets").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).symlink_to(tmp_path / "store" / name)
    (tmp_path / "store" / "cat" / "up").symlink_to(tmp_path / "pets")  # a circle
    images, labels = load_images(tmp_path / "pets", image_shape=(4, 4, 3))
    assert len(images) == 2 and labels.tolist() == [0, 1]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
def test_a_closed_folder_is_named(tmp_path):
    (tmp_path / "open").mkdir()
    Image.fromarray(COLOUR).save(tmp_path / "open" / "1.png")
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(ValueError, match="closed cannot be read"):
        load_images(tmp_path)
    shutil.rmtree(tmp_path / "closed")


@pytest.mark.parametrize(
    "names, split, expected",
    [
        (("best/0", "test/1", "worst/2"), "train", [0, 1, 2]),  # classes, one named "test"
        (("car/0", "plane/1", "train/2"), "train", [0, 1, 2]),
        (("train/a/0", "test/a/1", "masks/a/2"), "test", [0]),
        (("train/a/0", "train/b/1", "masks/2"), "train", [0, 1]),
        (("train/0", "test/1"), "train", None),
        (("test/0", "test/1"), "test", None),
    ],
)
def test_splits_and_classes(tmp_path, names, split, expected):
    for i, name in enumerate(names):
        file = tmp_path / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(COLOUR, i, axis=0)).save(file)
    images, labels = load_images(tmp_path, split=split)
    assert (labels is None) if expected is None else labels.tolist() == expected
    inside = [i for i, name in enumerate(names) if name.startswith(split) or len(images) == 3]
    np.testing.assert_array_equal(images, [np.roll(COLOUR, i, axis=0) for i in inside])


def test_a_zip_asks_for_no_more_than_it_holds(tmp_path):
    large = encoded(Image.new("1", (2000, 3000)))
    small = encoded(Image.fromarray(COLOUR))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("0.png", large)
        for i in range(1, 5000):
            archive.writestr(f"{i}.png", small)
    # 28 GiB, were all images as large as the first one.
    with pytest.raises(ValueError, match=r"image_shape.*0\.png is \(3000, 2000, 1\)"):
        load_images(tmp_path / "a.zip")


def test_a_member_that_unpacks_to_too_much(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.bmp", bytes(2**26))
    with pytest.raises(ValueError, match=r"0\.bmp.*67,108,864 bytes"):
        load_images(tmp_path / "a.zip")


@pytest.mark.parametrize("name", [".", "./", "a/.", "./1.png"])
def test_names_of_members(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, encoded(Image.fromarray(COLOUR)))
        archive.writestr("2.png", encoded(Image.fromarray(COLOUR)))
    assert len(load_images(tmp_path / "a.zip")[0]) == 1 + name.endswith(".png")


def test_very_narrow_pictures_can_be_resized(tmp_path):
    Image.fromarray(COLOUR[:, :1].repeat(50, axis=0)).save(tmp_path / "1.png")
    assert load_images(tmp_path, image_shape=(2, 100, 3))[0].shape == (1, 2, 100, 3)


def test_pillow_is_asked_in_one_place():
    library = sys.modules["keras_disentangle"].__path__[0]
    found = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(library)
        for name in names
        if name.endswith(".py")
    ]
    asking = [path for path in found if "Image.open(" in open(path, encoding="utf-8").read()]
    assert [os.path.basename(path) for path in asking] == ["_pictures.py"]
