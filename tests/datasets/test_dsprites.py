import matplotlib.path
import numpy as np
import pytest

from keras_disentangle.datasets import DSprites
from keras_disentangle.datasets.dsprites import _HEART_HALF

SQUARE, ELLIPSE, HEART = range(3)


@pytest.fixture(scope="module")
def data():
    return DSprites()


def draw(data, *factors):
    return data.images(data.index(np.array([factors])))[0, :, :, 0]


def centroid(image):
    rows, columns = np.nonzero(image)
    return columns.mean(), rows.mean()


def test_layout(data):
    assert len(data) == 737_280
    assert data.factor_names == ("shape", "scale", "orientation", "x_position", "y_position")
    assert data.factor_sizes == (3, 6, 40, 32, 32)
    assert data.image_shape == (64, 64, 1)
    images = data.images(np.arange(0, len(data), 997))
    assert images.dtype == np.uint8 and images.shape[1:] == (64, 64, 1)
    assert set(np.unique(images)) == {0, 255}
    assert data.images([]).shape == (0, 64, 64, 1)


def test_positions_move_along_their_axes(data):
    for place in range(32):
        centre = 15.5 + 32 / 31 * place
        x, y = centroid(draw(data, SQUARE, 5, 0, place, 0))
        assert abs(x - centre) < 0.51 and abs(y - 15.5) < 0.51
        x, y = centroid(draw(data, SQUARE, 5, 0, 0, place))
        assert abs(y - centre) < 0.51 and abs(x - 15.5) < 0.51


def test_sizes_at_full_scale(data):
    def extent(image):
        rows, columns = np.nonzero(image)
        return np.ptp(columns) + 1, np.ptp(rows) + 1

    assert extent(draw(data, ELLIPSE, 5, 0, 0, 0)) == (26, 14)
    assert extent(draw(data, SQUARE, 5, 0, 0, 0)) == (20, 20)
    areas = [draw(data, HEART, scale, 0, 0, 0).astype(bool).sum() for scale in range(6)]
    np.testing.assert_allclose(
        np.sqrt(np.array(areas) / areas[-1]), np.linspace(0.5, 1, 6), atol=0.02
    )


def test_orientation_turns_counter_clockwise(data):
    # The heart's tip points down, then right, up and left; its lobes hold most of its area.
    x0, y0 = centroid(draw(data, HEART, 5, 0, 0, 0))
    x1, _ = centroid(draw(data, HEART, 5, 10, 0, 0))
    _, y2 = centroid(draw(data, HEART, 5, 20, 0, 0))
    assert y0 < 14.5 and abs(x0 - 15.5) < 0.01
    assert x1 < 14.5
    assert y2 > 16.5
    for shape in range(3):
        np.testing.assert_array_equal(draw(data, shape, 4, 0, 3, 7), draw(data, shape, 4, 39, 3, 7))


@pytest.mark.parametrize("size", [16, 17, 32, 48, 63, 64, 100, 128])
def test_pixels_are_those_whose_centre_lies_inside(size):
    """Each pixel against the definition, at random factors."""
    data = DSprites(size)
    block = -(-64 // size)
    heart = np.array([*_HEART_HALF, *[(-x, y) for x, y in _HEART_HALF[::-1]]])
    zoom = size * block / 64
    index = np.random.default_rng(size).integers(len(data), size=90)
    rows, columns = np.indices((size * block, size * block))
    for (shape, scale, orientation, x, y), image in zip(
        data.factors(index), data.images(index), strict=True
    ):
        angle = orientation * 2 * np.pi / 39
        right = (columns + 0.5) / zoom - 16 - x * 32 / 31
        down = (rows + 0.5) / zoom - 16 - y * 32 / 31
        u = (np.cos(angle) * right - np.sin(angle) * down) / (0.5 + 0.1 * scale)
        v = (np.sin(angle) * right + np.cos(angle) * down) / (0.5 + 0.1 * scale)
        if shape == SQUARE:
            inside = np.maximum(abs(u), abs(v)) < 9.6
        elif shape == HEART:
            points = np.stack([u, v], axis=-1).reshape(-1, 2)
            inside = matplotlib.path.Path(heart).contains_points(points).reshape(u.shape)
        else:
            inside = (u / 12.76) ** 2 + (v / 7.22) ** 2 < 1
        mean = inside.reshape(size, block, size, block).mean(axis=(1, 3))
        # The ellipse is drawn as a fine polygon: a pixel on its very edge may differ.
        wrong = image[..., 0] != np.rint(255 * mean)
        assert wrong.sum() <= (shape == ELLIPSE)


@pytest.mark.parametrize("size, block", [(16, 4), (32, 2)])
def test_small_images_are_block_means(data, size, block):
    small = DSprites(size)
    index = np.random.default_rng(0).integers(len(data), size=200)
    large = data.images(index).reshape(-1, size, block, size, block, 1)
    np.testing.assert_array_equal(small.images(index), np.rint(large.mean(axis=(2, 4))))


def test_any_size_draws_every_corner():
    for size in (16, 17, 21, 33, 63, 65, 127):
        data = DSprites(size)
        corners = [
            (s, 5, o, x, y) for s in range(3) for o in (0, 5) for x in (0, 31) for y in (0, 31)
        ]
        images = data.images(data.index(np.array(corners)))
        assert images.shape == (24, size, size, 1)
        # At full scale a sprite covers 220 to 400 of 64 × 64 pixels.
        area = images.mean(axis=(1, 2, 3)) / 255 * 64**2
        assert ((area > 200) & (area < 420)).all()


def test_large_requests_equal_single_ones(data):
    index = np.random.default_rng(1).integers(len(data), size=1100)
    together = data.images(index)
    for i in (0, 511, 512, 1099):
        np.testing.assert_array_equal(together[i], data.images(index[i : i + 1])[0])


def test_matches_original_frames(data, data_dir):
    """Every original frame, against its best match in the whole grid of its shape."""
    with np.load(data_dir / "dsprites_reference.npz") as reference:
        frames = np.unpackbits(reference["imgs"], axis=-1).astype(bool)
        numbers = reference["frame"]
    scores = []
    for number, frame in zip(numbers, frames, strict=True):
        shape = HEART if number < 192 else ELLIPSE if number < 256 else SQUARE
        # The heart's centroid is up to 2 pixels from its centre.
        near = [np.abs(15.5 + 32 / 31 * np.arange(32) - c).argmin() for c in centroid(frame)]
        around = [np.arange(max(0, n - 2), min(32, n + 3)) for n in near]
        grid = np.meshgrid([shape], range(6), range(40), *around, indexing="ij")
        candidates = np.stack(grid, axis=-1).reshape(-1, 5)
        index = data.index(candidates)
        drawn = data.images(index)[..., 0].reshape(len(index), -1) > 0
        both = drawn[:, frame.ravel()].sum(axis=1)
        scores.append((both / (drawn.sum(axis=1) + frame.sum() - both)).max())
    assert np.mean(scores) >= 0.98
    assert min(scores) >= 0.95


@pytest.mark.parametrize("size", [15, 129, 64.0, "64", None])
def test_bad_size(size):
    with pytest.raises(ValueError, match="image_size"):
        DSprites(size)
