import numpy as np
import pytest
from PIL import Image

from keras_disentangle.datasets import ArrayFactorDataset, DSprites
from keras_disentangle.datasets.dsprites_variant import DSpritesVariant, _mixed, _steps
from keras_disentangle.datasets.weighted_factors import WeightedFactors

VARIANTS = ("color", "noisy", "scream")
SPRITES = DSprites()
INDEX = np.random.default_rng(0).integers(len(SPRITES), size=500)
MASK = SPRITES.images(INDEX)[..., 0] > 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_layout(variant):
    data = DSpritesVariant(variant)
    assert data.factor_names == SPRITES.factor_names and data.factor_sizes == SPRITES.factor_sizes
    assert data.image_shape == (64, 64, 3)
    images = data.images(INDEX[:3])
    assert images.shape == (3, 64, 64, 3) and images.dtype == np.uint8
    assert data.images([]).shape == (0, 64, 64, 3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_image_depends_on_its_number_and_the_seed_alone(variant):
    data = DSpritesVariant(variant)
    together = data.images(np.r_[INDEX[:300], INDEX[:1]])  # drawn in several parts
    np.testing.assert_array_equal(together[0], together[-1])
    for i in (0, 84, 85, 86, 299):
        np.testing.assert_array_equal(DSpritesVariant(variant).images(INDEX[[i]])[0], together[i])
    other = DSpritesVariant(variant, seed=1).images(INDEX[:300])
    assert (other != together[:300]).any(axis=(1, 2, 3)).all()


def test_generator_is_splitmix64():
    # The first numbers of the published generator from the states 0 and 1234567.
    for state, expected in (
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]),
        (1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423]),
    ):
        steps = np.arange(1, len(expected) + 1, dtype=np.uint64)
        found = _mixed(np.array([state], np.uint64) + _steps(steps))
        np.testing.assert_array_equal(found, np.array(expected, np.uint64))


def test_color():
    images = DSpritesVariant("color").images(INDEX)
    assert (images[~MASK] == 0).all()
    colors = images.max(axis=(1, 2))
    expected = np.broadcast_to(colors[:, None, None], images.shape)
    np.testing.assert_array_equal(images[MASK], expected[MASK])
    # Uniform in [0.5, 1], each channel by itself.
    assert colors.min() >= 127
    for channel in colors.T:
        np.testing.assert_allclose(np.quantile(channel, [0.25, 0.5, 0.75]), [159, 191, 223], atol=8)
    np.testing.assert_allclose(np.corrcoef(colors.T), np.eye(3), atol=0.12)


def test_noisy():
    images = DSpritesVariant("noisy").images(INDEX)
    assert (images[MASK] == 255).all()
    noise = images[~MASK]
    np.testing.assert_allclose(
        np.bincount(noise.ravel(), minlength=256) * 256 / noise.size, 1, atol=0.03
    )
    # Nothing repeats from pixel to pixel, channel to channel, or image to image.
    corner = images[:, :12, :12].astype(float) - 127.5
    for shifted in (
        corner[:, 1:] * corner[:, :-1],
        corner[:, :, 1:] * corner[:, :, :-1],
        corner[..., 1:] * corner[..., :-1],
        corner[1:] * corner[:-1],
    ):
        assert abs(shifted.mean()) < 5 / shifted.size**0.5 * 255**2 / 12


def test_scream_inverts_a_patch_of_the_picture():
    # Red and green tell a pixel's row and column, so that a patch tells where it is from.
    background = np.zeros((100, 90, 3), np.uint8)
    background[..., 0] = 2 * np.arange(100)[:, None]
    background[..., 1] = 2 * np.arange(90)
    images = DSpritesVariant("scream", background=background).images(INDEX).astype(int)
    images = np.where(MASK[..., None], 255 - images, images)
    rows, columns, blue = np.moveaxis(images, -1, 0)
    # Half of the patch and half of a color: rounding may go either way.
    np.testing.assert_allclose(np.diff(rows, axis=1), 1, atol=1)
    np.testing.assert_allclose(np.diff(columns, axis=2), 1, atol=1)
    assert (np.ptp(rows, axis=2) <= 1).all() and (np.ptp(columns, axis=1) <= 1).all()
    blue = blue[:, 0, 0]
    assert blue.min() < 5 and 122 < blue.max() <= 128 and 58 < blue.mean() < 70
    # A black picture but for one white pixel, which every patch of the same size shows.
    exact = np.zeros((64, 64, 3), np.uint8)
    exact[10, 20] = 255
    images = DSpritesVariant("scream", background=exact).images(INDEX[:20]).astype(int)
    images = np.where(MASK[:20, ..., None], 255 - images, images)
    np.testing.assert_allclose(images[:, 10, 20] - images[:, 0, 0], 127.5, atol=1)


def test_patches_come_from_all_over_the_picture():
    background = np.zeros((67, 66, 3), np.uint8)
    background[3, 2] = 255
    images = DSpritesVariant("scream", background=background).images(INDEX)
    bright = np.where(MASK[..., None], 255 - images, images)[:, :4, :3, 0].reshape(500, -1)
    # (3, 2) is at one of 4 × 3 places of a patch.
    np.testing.assert_allclose(np.bincount(bright.argmax(axis=1), minlength=12), 500 / 12, atol=24)


def test_picture_from_a_file(tmp_path):
    background = np.random.default_rng(0).integers(0, 256, size=(70, 80, 3), dtype=np.uint8)
    Image.fromarray(background).save(tmp_path / "picture.png")
    np.testing.assert_array_equal(
        DSpritesVariant("scream", background=tmp_path / "picture.png").images(INDEX[:5]),
        DSpritesVariant("scream", background=background).images(INDEX[:5]),
    )


def test_grey_sprites_are_mixed():
    """The sprites' edges, where they are antialiased."""
    small = DSprites(32)
    sprites = small.images(INDEX[:50]) / 255
    black = np.zeros((32, 32, 3), np.uint8)
    color = DSpritesVariant("color", small).images(INDEX[:50])
    peak = color.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(color, sprites * peak, atol=1)
    scream = DSpritesVariant("scream", small, background=black).images(INDEX[:50]) / 255
    around = scream[:, :1, :1]
    np.testing.assert_allclose(scream, around + sprites * (1 - 2 * around), atol=0.01)
    noise = DSpritesVariant("noisy", ArrayFactorDataset(_dots(), (2,), ("dot",))).images([0])
    noisy = DSpritesVariant("noisy", small).images([0])
    expected = np.minimum(noise + small.images([0]).astype(int), 255)
    np.testing.assert_array_equal(noisy[:, 1:], expected[:, 1:])


def _dots():
    dots = np.zeros((2, 32, 32, 1), np.uint8)
    dots[:, 0, 0] = [[100], [200]]
    return dots


@pytest.mark.parametrize("size", [16, 128])
def test_default_picture_fits_all_sizes(size):
    images = DSpritesVariant("scream", DSprites(size)).images(INDEX[:50])
    assert images.shape == (50, size, size, 3)
    assert images.std(axis=0).min() > 10


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("colour",), "variant.*'colour'"),
        (("color", "dsprites"), "data.*str"),
        (("color", DSpritesVariant("color")), r"data.*one channel.*\(64, 64, 3\)"),
        (("color", WeightedFactors(SPRITES, lambda f: f[:, 0] > 0)), "data.*weighted"),
        (("color", None, np.zeros((99, 99, 3), np.uint8)), "background.*'color'"),
        (("scream", None, np.zeros((63, 99, 3), np.uint8)), r"background.*64×64.*\(63, 99, 3\)"),
        (("scream", None, np.zeros((99, 63, 3), np.uint8)), "background.*64×64"),
        (("scream", None, np.zeros((99, 99), np.uint8)), "background"),
        (("scream", None, np.zeros((99, 99, 3))), "background.*float64"),
        (("color", None, None, -1), "seed.*-1"),
        (("color", None, None, None), "seed"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        DSpritesVariant(*arguments)


def test_bad_pictures(tmp_path):
    with pytest.raises(FileNotFoundError, match="scream.jpg"):
        DSpritesVariant("scream", background=tmp_path / "scream.jpg")
    (tmp_path / "scream.jpg").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="background.*scream.jpg"):
        DSpritesVariant("scream", background=str(tmp_path / "scream.jpg"))
