import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from keras_disentangle.datasets import (
    edge_maps,
    edges_and_images,
    load_images,
    load_paired_images,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(6, 8, 10, 3), dtype=np.uint8)


def square(channels=1, low=0, high=255):
    """A square over rows 10…29 and columns 15…34 of a plain image."""
    image = np.full((1, 40, 50, channels), low, np.uint8)
    image[:, 10:30, 15:35] = high
    return image


@pytest.mark.parametrize(
    "images",
    [square(), square(3), square(low=200, high=40), square(high=90), square() / 255],
    ids=["white", "colour", "dark", "faint", "floats"],
)
@pytest.mark.parametrize("sigma", [0.7, 1, 1.5])
def test_edges_of_a_square_are_its_outline(images, sigma):
    edges = edge_maps(images, sigma)
    assert edges.shape == images.shape and edges.dtype == np.uint8
    assert set(np.unique(edges)) == {0, 255}
    assert (edges == edges[..., :1]).all()
    line = edges[0, ..., 0] == 0
    rows, columns = np.nonzero(line)
    # No pixel is further from the outline than half a pixel and the rounding of corners.
    outside = np.maximum(np.abs(rows - 19.5), np.abs(columns - 24.5))
    assert (np.abs(outside - 10) <= 1.5).all()
    # One closed line, one pixel wide.
    _, count = ndimage.label(line, np.ones((3, 3)))
    assert count == 1 and 70 <= line.sum() <= 80
    regions, count = ndimage.label(~line)
    assert count == 2 and regions[0, 0] != regions[20, 25]


def test_steps_are_measured_in_contrast():
    for contrast in (0.2, 0.5, 0.8):
        image = square(high=round(255 * contrast))
        for sigma in (1, 1.5, 2):
            assert (edge_maps(image, sigma, 0.01, contrast - 0.02) == 0).any()
            assert (edge_maps(image, sigma, 0.01, contrast + 0.02) == 255).all()


def test_faint_lines_follow_strong_ones():
    # The contrast of a bar's upper edge falls from 0.6 to 0.2; a separate bar has 0.2.
    image = np.zeros((1, 40, 40), np.uint8)
    image[0, 5:15] = np.linspace(0.6, 0.2, 40) * 255
    image[0, 25:35] = 0.2 * 255
    lines = edge_maps(image, 1, 0.1, 0.4)[0, ..., 0] == 0
    assert lines[:20].sum() == 80 and not lines[20:].any()
    assert (edge_maps(image, 1, 0.1, 0.15)[0, 20:] == 0).sum() == 80


def test_colours_of_equal_brightness_have_edges():
    image = np.zeros((1, 20, 20, 3), np.uint8)
    image[:, :, :10, 0] = image[:, :, 10:, 1] = 200
    assert (edge_maps(image)[0, ..., 0] == 0).sum() == 20


def test_images_do_not_touch():
    """Each image's edges are its own, in any company; a constant one has none."""
    images = np.concatenate([square(high=60), np.full((1, 40, 50, 1), 255, np.uint8), square()])
    options = {"low": 0.1, "high": 0.5}  # the first square is too faint
    edges = edge_maps(images, **options)
    assert (edges[:2] == 255).all()
    np.testing.assert_array_equal(edges[2:], edge_maps(square(), **options))
    many = np.concatenate([square()[:, :, ::step] for step in (1, -1)] * 400)
    np.testing.assert_array_equal(edge_maps(many)[-2:], edge_maps(many[:2]))


def test_edges_and_images():
    images, labels = edges_and_images(IMAGES, sigma=0.8, low=0.05, high=0.1)
    np.testing.assert_array_equal(images[:6], edge_maps(IMAGES, 0.8, 0.05, 0.1))
    np.testing.assert_array_equal(images[6:], IMAGES)
    np.testing.assert_array_equal(labels, [0] * 6 + [1] * 6)
    assert images.dtype == np.uint8 and labels.dtype == np.int64
    images, _ = edges_and_images(IMAGES[:4], IMAGES[2:] / 255)
    np.testing.assert_array_equal(images, np.concatenate([IMAGES[2:], IMAGES[:4]]))


def test_footwear(data_dir):
    images, labels = load_images("fashion_mnist", data_dir=data_dir)
    footwear = images[np.isin(labels, (5, 7, 9))][:500]
    mixed, is_image = edges_and_images(footwear)
    share = (mixed[is_image == 0] == 0).mean(axis=(1, 2, 3))
    assert (share > 0.02).all() and (share < 0.35).all()


def save_pairs(folder, mode="RGB"):
    """Three pairs side by side, 8 × 20 pixels, and things that are none."""
    folder.mkdir()
    for i in range(3):
        pair = np.concatenate([IMAGES[i], IMAGES[i + 3]], axis=1)
        Image.fromarray(pair).convert(mode).save(folder / f"{i}_AB.png")
    (folder / "README.md").write_text("pairs")
    (folder / ".hidden.png").write_text("no image")
    (folder / "val").mkdir()


def test_pairs_are_split(tmp_path):
    save_pairs(tmp_path / "pairs")
    left, right = load_paired_images(tmp_path / "pairs")
    np.testing.assert_array_equal(left, IMAGES[:3])
    np.testing.assert_array_equal(right, IMAGES[3:])
    mixed, _ = edges_and_images(right, left)
    assert mixed.shape == (6, 8, 10, 3)
    save_pairs(tmp_path / "grey", "L")
    assert load_paired_images(str(tmp_path / "grey"))[0].shape == (3, 8, 10, 1)


def test_halves_are_fitted_apart(tmp_path):
    """Each half is cropped around its own middle, and nothing bleeds over the seam."""
    pair = np.zeros((6, 20, 3), np.uint8)
    pair[:, 2:8, 0] = pair[:, 12:18, 2] = np.arange(100, 106)
    pair[:, [0, 1, 8, 9]] = 255
    Image.fromarray(pair).save(tmp_path / "0.png")
    left, right = load_paired_images(tmp_path, (6, 6, 3))
    np.testing.assert_array_equal(left[0], pair[:, 2:8])
    np.testing.assert_array_equal(right[0], pair[:, 12:18])
    assert load_paired_images(tmp_path, (3, 3, 3))[0].max() <= 106
    Image.fromarray(pair[:, :18]).save(tmp_path / "1.png")
    with pytest.raises(ValueError, match="image_shape.*0.png.*10, 3.*1.png.*9, 3"):
        load_paired_images(tmp_path)
    assert load_paired_images(tmp_path, (3, 3, 1))[1].shape == (2, 3, 3, 1)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: edge_maps(IMAGES[0, 0]), "images.*shape"),
        (lambda: edge_maps(np.zeros((2, 8, 8))), "images.*constant"),
        (lambda: edge_maps(IMAGES, 0), "sigma.*0"),
        (lambda: edge_maps(IMAGES, np.nan), "sigma.*nan"),
        (lambda: edge_maps(IMAGES, low=0), "low.*high.*low=0"),
        (lambda: edge_maps(IMAGES, low=0.5, high=0.4), "low.*high.*high=0.4"),
        (lambda: edge_maps(IMAGES, high=1.5), "low.*high.*high=1.5"),
        (lambda: edges_and_images(IMAGES / 2), r"images.*\[0, 1\]"),
        (lambda: edges_and_images(IMAGES, IMAGES[:2]), r"edges.*\(6, 8, 10, 3\).*\(2, 8, 10, 3\)"),
        (lambda: edges_and_images(IMAGES, IMAGES, sigma=2), "edges.*None.*sigma"),
        (lambda: load_paired_images("x", (8, 8)), r"image_shape.*\(8, 8\)"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_bad_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder.*no_such"):
        load_paired_images(tmp_path / "no_such")
    with pytest.raises(ValueError, match="must hold images"):
        load_paired_images(tmp_path)
    save_pairs(tmp_path / "pairs")
    broken = tmp_path / "pairs" / "2_AB.png"
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"2_AB\.png is not a readable pair"):
        load_paired_images(tmp_path / "pairs")
    for picture, message in (
        (Image.fromarray(IMAGES[0, :, :9]), "2_AB.png.*width, 9, is odd"),
        (Image.fromarray(IMAGES[0, ..., 0].astype(np.int32)), "2_AB.png.*32 bits"),
    ):
        picture.save(broken, "TIFF")
        with pytest.raises(ValueError, match=message):
            load_paired_images(tmp_path / "pairs")
    with pytest.warns(UserWarning, match="left out 1 of 3 files: 2_AB.png"):
        left, right = load_paired_images(tmp_path / "pairs", skip_damaged=True)
    assert len(left) == len(right) == 2
