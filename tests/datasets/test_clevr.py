import pickle

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from keras_disentangle.datasets import Clevr
from keras_disentangle.datasets._ray_caster import (
    CAMERA,
    HALF_WIDTH,
    MATERIALS,
    PITCH,
    RayCaster,
    _shadow,
)

SIMPLE = ("color", "shape", "x", "y")
COMPLEX = ("color", "shape", "size", "x", "y")
COLORS = np.array(list(Clevr.COLORS.values())) / 255
CUBE, SPHERE, CYLINDER = range(3)
RED, CYAN = 1, 6
LARGE = 1


def draw(data, *factors):
    """The images of one or more rows of factors."""
    return data.images(data.index(np.array(factors)))


def linear(images):
    """Linear light of uint8 sRGB."""
    srgb = images / 255
    return np.where(srgb < 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def coverage(size, shape, radius, position):
    """The share of each pixel that one solid covers, from images of it glowing and black."""
    caster = RayCaster(size, "rubber")
    caster._light = lambda normal, *_: [(np.ones_like(normal[2]), np.ones(3, np.float32))]
    glowing, black = (
        caster.draw(
            np.array([[shape]]),
            np.full((1, 1, 3), glow, np.float32),
            np.full((1, 1), radius, np.float32),
            np.array([[position]], np.float32),
        )[0, :, :, 0]
        for glow in (1, 0)
    )
    return linear(glowing) - linear(black)


def centroid(weights):
    """Column and row, in pixels from the top left corner."""
    rows, columns = np.indices(weights.shape) + 0.5
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


@pytest.mark.parametrize(
    "variant, names, sizes",
    [
        ("1fov", ("x",), (10_000,)),
        ("simple", SIMPLE, (8, 3, 32, 32)),
        ("complex", [f"{n}_{i}" for i in (1, 2) for n in COMPLEX], (8, 3, 2, 32, 32) * 2),
    ],
)
def test_layout(variant, names, sizes):
    data = Clevr(variant, image_size=32)
    assert data.factor_names == tuple(names) and data.factor_sizes == sizes
    index = np.random.default_rng(0).integers(len(data), size=5)
    images = data.images(index)
    assert images.shape == (5, 32, 32, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(data)).images(index), images)
    assert data.images([]).shape == (0, 32, 32, 3)
    assert Clevr(variant, positions=7).factor_sizes[-1] == 7
    # Each factor shows in every image.
    for factor, number in enumerate(sizes):
        factors = data.factors(index)
        factors[:, factor] = (factors[:, factor] + number // 2) % number
        other = data.images(data.index(factors))
        assert (np.abs(other.astype(int) - images).max(axis=(1, 2, 3)) > 10).all()


@pytest.mark.parametrize("size", [8, 33, 64])
def test_large_requests_equal_single_ones(size):
    data = Clevr("complex", size)
    index = np.random.default_rng(1).integers(len(data), size=150)
    together = data.images(index)
    for i in range(0, 150, 10):
        np.testing.assert_array_equal(together[i], data.images(index[i : i + 1])[0])


@pytest.mark.parametrize("shape", range(3))
@pytest.mark.parametrize("position", [(0, 0), (-1.9, -3), (1.9, -3), (1.2, 3)])
def test_outlines(shape, position):
    """Area and centroid of the silhouette against those of the solid in perspective."""
    size, radius = 256, 0.7
    ahead = np.array([0, np.cos(PITCH), -np.sin(PITCH)])
    up = np.array([0, np.sin(PITCH), np.cos(PITCH)])
    pixels = size / 2 / HALF_WIDTH
    height = radius * (2**0.5 if shape == CUBE else 2)
    if shape == SPHERE:
        centre = np.array([*position, radius]) - CAMERA
        depth, squared = centre @ ahead, centre @ centre
        area = np.pi * radius**2 * np.sqrt(squared - radius**2) / (depth**2 - radius**2) ** 1.5
        middle = np.array([centre[0], centre @ up]) * depth / (depth**2 - radius**2)
    else:
        angle = np.linspace(0, 2 * np.pi, 4 if shape == CUBE else 400, endpoint=False)
        ring = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1) + position
        points = np.concatenate([np.insert(ring, 2, z, axis=1) for z in (0, height)]) - CAMERA
        seen = np.stack([points[:, 0], points @ up], axis=1) / (points @ ahead)[:, None]
        outline = seen[ConvexHull(seen).vertices]
        following = np.roll(outline, -1, axis=0)
        cross = outline[:, 0] * following[:, 1] - outline[:, 1] * following[:, 0]
        area = cross.sum() / 2
        middle = (cross[:, None] * (outline + following)).sum(axis=0) / (6 * area)
    covered = coverage(size, shape, radius, position)
    np.testing.assert_allclose(covered.sum(), area * pixels**2, rtol=0.005)
    np.testing.assert_allclose(centroid(covered), size / 2 + pixels * middle * (1, -1), atol=0.05)


@pytest.mark.parametrize("shape", range(3))
def test_positions_move_along_their_axes(shape):
    data = Clevr("simple", material="rubber")
    for factor, axis, sign in ((2, 0, 1), (3, 1, -1)):
        places = []
        for place in range(0, 32, 3):
            factors = np.array([[color, shape, 16, 16] for color in (RED, CYAN)])
            factors[:, factor] = place
            one, other = data.images(data.index(factors)).astype(float)
            places.append(centroid(np.abs(one - other).sum(axis=-1)))
        steps = np.diff(places, axis=0)
        assert (sign * steps[:, axis] > 0.3).all()
        assert (np.abs(steps[:, 1 - axis]) < 0.15 * np.abs(steps[:, axis])).all()


def test_one_factor_moves_smoothly():
    data = Clevr("1fov")
    images = data.images(np.arange(0, 10_000, 500)).astype(float)
    redness = images[..., 0] - images[..., 1]
    columns = [centroid(red)[0] for red in redness - redness.min(axis=0)]
    np.testing.assert_allclose(np.diff(columns), np.mean(np.diff(columns)), rtol=0.05)
    near = data.images(np.arange(5000, 5050))
    assert len(np.unique(near, axis=0)) == 50
    assert np.abs(np.diff(near.astype(int), axis=0)).max() <= 20


def test_zoom_shows_the_middle():
    whole, middle = Clevr("simple", 64, positions=5), Clevr("simple", 32, positions=3, zoom=2)
    factors = middle.factors(np.arange(0, len(middle), 5))
    expected = whole.images(whole.index(factors + [0, 0, 1, 1]))[:, 16:48, 16:48]
    found = middle.images(middle.index(factors))
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("material", MATERIALS)
def test_colours(material):
    data = Clevr("simple", material=material)
    for shape, x, y in ((CUBE, 0, 0), (SPHERE, 16, 16), (CYLINDER, 31, 31)):
        images = draw(data, *[(color, shape, x, y) for color in range(8)])
        covered = coverage(64, shape, 0.7, (-1.9 + 3.8 * x / 31, -3 + 6 * y / 31))
        # The solid changes colour, and nothing else does.
        assert (images == images[:1])[:, covered == 0].all()
        inside = linear(images[:, covered > 0.99])
        # Of all colours, its own is most like the light that it gives back.
        mean = inside.mean(axis=1)
        hue, hues = (a / a.sum(axis=-1, keepdims=True) for a in (mean, COLORS))
        nearest = np.linalg.norm(hue[:, None] - hues, axis=-1).argmin(axis=1)
        np.testing.assert_array_equal(nearest, np.arange(8))
        # The light is linear in the colour, up to the 256 levels.
        np.testing.assert_allclose(
            mean / COLORS, np.broadcast_to(mean[7] / COLORS[7], (8, 3)), rtol=0.1
        )


def test_materials():
    """Rubber is evenly bright; metal shows the lamps, and a dark sky over a bright floor."""
    solid = coverage(128, SPHERE, 0.7, (-1.9 + 3.8 * 16 / 31, -3 + 6 * 8 / 31)) > 0.99
    metal, rubber = (
        linear(draw(Clevr("simple", 128, material), (0, SPHERE, 16, 8))[0][solid])
        for material in MATERIALS
    )
    low, middle, high = np.quantile(metal, (0.05, 0.5, 0.99))
    assert high > 2 * middle > 4 * low
    low, middle, high = np.quantile(rubber, (0.05, 0.5, 0.99))
    assert high < 1.4 * middle < 2.8 * low


@pytest.mark.parametrize("shape", range(3))
def test_shadows(shape):
    """Soft shadows against lines to many points of the lamp, checked step by step."""
    radius, lamp_radius, lamp = 0.7, 0.5, np.array([-4, -3, 4.0])
    height = radius * (2**0.5 if shape == CUBE else 2)
    x, y = np.meshgrid(np.linspace(-2, 4, 25), np.linspace(-2, 4, 25))
    rng = np.random.default_rng(0)
    angle, distance = rng.uniform(0, 2 * np.pi, 60), lamp_radius * np.sqrt(rng.uniform(size=60))
    targets = lamp + np.stack([distance * np.cos(angle), distance * np.sin(angle), 0 * angle], 1)
    hidden = np.zeros((60, *x.shape), bool)
    for t in np.linspace(0, height / lamp[2], 60):
        px, py = ((1 - t) * a + t * targets[:, i, None, None] for i, a in enumerate((x, y)))
        if shape == CUBE:  # its corners point along the axes
            hidden |= np.abs(px) + np.abs(py) < radius
        elif shape == CYLINDER:
            hidden |= px**2 + py**2 < radius**2
        else:
            hidden |= px**2 + py**2 + (t * lamp[2] - radius) ** 2 < radius**2
    beside = np.hypot(x, y) > radius
    expected = hidden.mean(axis=0)[beside]
    drawn = _shadow(shape, radius, x, y, (lamp[0] - x, lamp[1] - y, lamp[2]), lamp_radius)[beside]
    assert expected.max() == 1 and expected.min() == 0
    assert np.abs(drawn - expected).mean() < 0.01
    assert np.abs(drawn - expected).max() < 0.4  # at the foot, where shadows would alias


def test_floor():
    empty = RayCaster(64, "metal").draw(*(np.zeros((1, 0, *end)) for end in ((), (3,), (), (2,))))
    # Grey, and a little warm in front, where the key lamp shines.
    assert 90 < empty.min() and empty.max() < 180
    assert np.ptp(empty.astype(int), axis=-1).max() < 20
    assert empty[0, -1].mean() > empty[0, 0].mean() + 30
    # What a solid does not cover, it can only shade.
    images = draw(Clevr("simple"), *[(RED, shape, 10, 12) for shape in range(3)]).astype(int)
    for shape, image in enumerate(images):
        covered = coverage(64, shape, 0.7, (-1.9 + 3.8 * 10 / 31, -3 + 6 * 12 / 31))
        shade = (empty[0] - image)[covered == 0]
        assert shade.min() >= 0 and shade.max() > 15


def test_two_solids_never_meet_in_the_image():
    data = Clevr("complex", 64, "rubber")
    largest = (CYLINDER, LARGE)
    for y_1 in (0, 16, 31):
        for y_2 in (0, 16, 31):
            # Both as near to the middle as they come.
            first, second = (31, y_1), (0, y_2)
            both = draw(
                data,
                (RED, *largest, *first, RED, *largest, *second),
                (CYAN, *largest, *first, RED, *largest, *second),
                (RED, *largest, *first, CYAN, *largest, *second),
            ).astype(int)
            left, right = ((both[0] != image).any(axis=-1) for image in both[1:])
            assert left.any() and right.any() and not (left & right).any()


@pytest.mark.parametrize("image_size, zoom", [(64, 1), (32, 2)])
def test_factors_can_be_read_off(image_size, zoom):
    """Plain regressions recover every factor from images that they have not seen."""
    data = Clevr("simple", image_size, zoom=zoom)
    index = np.random.default_rng(0).choice(len(data), 1500, replace=False)
    factors, images = data.factors(index), data.images(index) / np.float32(255)
    change = images - np.median(images, axis=0)  # from the empty floor
    weights = np.abs(change).max(axis=-1)
    weights[weights < 0.06] = 0
    total = weights.sum(axis=(1, 2))
    centres = np.stack([centroid(w) for w in weights])
    mean = np.einsum("nhw,nhwc->nc", weights, images) / total[:, None]
    moments = np.concatenate([centres, total[:, None], mean], axis=1)
    corner = np.clip(np.rint(centres).astype(int) - 8, 0, image_size - 16)
    crops = [image[r : r + 16, c : c + 16] for image, (c, r) in zip(images, corner, strict=True)]
    train, test = slice(1200), slice(1200, None)
    places = make_pipeline(StandardScaler(), PolynomialFeatures(3), Ridge(1e-2))
    places.fit(moments[train], factors[train, 2:])
    wrong = places.predict(moments[test]) - factors[test, 2:]
    assert (1 - (wrong**2).mean(axis=0) / factors[test, 2:].var(axis=0) > 0.98).all()
    crops = np.concatenate([np.reshape(crops, (1500, -1)), moments], axis=1)
    for factor in (0, 1):
        kinds = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        kinds.fit(crops[train], factors[train, factor])
        assert kinds.score(crops[test], factors[test, factor]) >= 0.99


def test_batches():
    (batch,) = Clevr("complex", 16, positions=4).batches(8, seed=0)[0]
    assert batch.shape == (8, 16, 16, 3) and batch.dtype == np.float32
    with pytest.raises(ValueError, match="positions=32.*2,415,919,104"):
        Clevr("complex", 16).batches(8, seed=0)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"variant": "hard"}, "variant.*'simple', '1fov', 'complex'.*'hard'"),
        ({"variant": None}, "variant.*None"),
        ({"material": "wood"}, "material.*'metal', 'rubber'.*'wood'"),
        ({"image_size": 7}, "image_size.*7"),
        ({"image_size": 64.0}, "image_size.*64.0"),
        ({"positions": 1}, "positions.*1"),
        ({"positions": "many"}, "positions.*many"),
        ({"zoom": 0.5}, "zoom.*0.5"),
        ({"zoom": "near"}, "zoom.*near"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Clevr(**options)
