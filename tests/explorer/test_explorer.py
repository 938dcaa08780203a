"""What an explorer finds in a model, and what it makes of points in its latent space."""

import io

import keras
import numpy as np
import pytest
from keras import layers
from model_table import MODELS
from PIL import Image
from tiny_networks import IMAGES

from keras_disentangle.datasets import ArrayFactorDataset
from keras_disentangle.explorer import Explorer, Point
from keras_disentangle.latents import Categorical, LatentSpace, Normal, Quantized, Uniform

LOW, HIGH = slice(0, 4), slice(4, 8)  # the halves of an image that the two latents brighten


class Halves:
    """Two latents, each of which brightens one half of the image: a decoder, and its inverse."""

    latent_dim, image_shape = 2, (8, 8, 1)

    def decode(self, z):
        images = np.full((len(z), 8, 8, 1), 0.5, "float32")
        images[:, LOW] += z[:, 0, None, None, None] / 8
        images[:, HIGH] += z[:, 1, None, None, None] / 16
        return images

    def encode(self, x):
        halves = [x[:, part].mean(axis=(1, 2, 3)) - 0.5 for part in (LOW, HIGH)]
        return np.stack([8 * halves[0], 16 * halves[1]], axis=1), None


class Codes:
    """A decoder of every kind of code: each dimension is a pixel."""

    space = LatentSpace([Normal(1), Categorical(3), Uniform(2, 2, 4), Quantized(2, 3)])

    def decode(self, z):
        return np.asarray(z)[:, :, None, None] * np.ones((1, 1, 2, 1)) / 8 + 0.25


@pytest.fixture
def explorer():
    return Explorer(Halves())


def png(image, size=None):
    buffer = io.BytesIO()
    picture = Image.fromarray(image)
    (picture if size is None else picture.resize(size)).save(buffer, "PNG")
    return buffer.getvalue()


pytestmark = pytest.mark.one_backend


def test_latents_are_sorted_by_what_they_do(explorer):
    assert [c.name for c in explorer.controls] == ["z1", "z2"]
    # Values -2, 0 and 2 have the variance 4; half of the pixels move.
    assert explorer.activeness["z1"] == pytest.approx(4 / 64 / 2, rel=0.02)
    assert explorer.activeness["z2"] == pytest.approx(4 / 256 / 2, rel=0.05)
    assert [c.name for c in Explorer(Halves(), max_controls=1).controls] == ["z1"]


def test_pages_begin_with_images_of_the_data():
    images = np.random.default_rng(0).random((9, 8, 8, 1))
    for seed in (0, 1):
        explorer = Explorer(Halves(), images, seed=seed)
        found = explorer.first_points()
        for point, number in found:
            np.testing.assert_array_equal(point.code, explorer.of_number(number).code)
    assert found[0][1] != found[1][1]
    # Without data, in the middle, and at random if images are not encoded.
    (a, number), (b, _) = Explorer(Halves()).first_points()
    assert number is None and not a.code.any() and b.code.all()
    with pytest.raises(ValueError, match="`number` needs `data`, .* Received: number=5 of no"):
        Explorer(Halves()).of_number(5)
    explorer = Explorer(Codes(), seed=3)
    np.testing.assert_array_equal(explorer.first_points()[0][0].code, explorer.sample(3).code)


def test_every_kind_of_code_has_its_controls():
    explorer = Explorer(Codes())
    found = {c.name: (c.choices, c.low, c.high) for c in explorer.controls}
    assert found["categorical"][0] == ("0", "1", "2")
    assert found["uniform·1"] == (None, 2.0, 4.0)
    assert found["quantized·1"][0] == ("-1", "0", "1")
    assert found["normal"] == (None, -3.0, 3.0)
    # The noise of a normal code comes after what a network infers.
    assert explorer.controls[-1].name == "normal"
    start = explorer.start()
    np.testing.assert_array_equal(start.code, [0, 1, 0, 0, 3, 3, -1, -1])
    for control in explorer.controls:
        for value in control.values(3):
            assert control.read(control.write(start, value)) == value
    moved = explorer.moved(explorer.moved(start, "categorical", 2), "quantized·2", 1)
    np.testing.assert_array_equal(moved.code, [0, 0, 0, 1, 3, 3, -1, 0])


@pytest.mark.parametrize(
    "name, groups, encodes",
    [
        ("progressive_ladder_vae", {"z2": 3, "z1": 2}, True),
        ("qlae", {"z": 3}, True),
        ("info_gan", {"categorical": 1, "uniform": 2, "normal_2": 1, "normal_1": 3}, True),
        ("conditional_gan", {"z": 3, "labels": 1}, False),
        ("conditional_vae", {"z": 3, "labels": 1}, True),
        ("progressive_gan", {"z": 3}, False),
        ("direction_discovery_classes", {"directions": 2, "labels": 1}, False),
    ],
)
def test_models_of_this_library(name, groups, encodes):
    model = MODELS[name].build()
    explorer = Explorer(model, IMAGES)
    names = [c.group for c in explorer.controls]
    assert {group: names.count(group) for group in dict.fromkeys(names)} == groups
    assert list(dict.fromkeys(names)) == list(groups)
    assert (explorer.is_encoder, explorer.num_images) == (encodes, 16 * encodes)
    point = explorer.of_number(3) if encodes else explorer.sample(seed=0)
    if name == "info_gan":  # A whole category, and the noise as it was.
        part = point.code[explorer.space.slices["categorical"]]
        assert sorted(part) == [0, 0, 0, 1] and not point.code[:3].any()
    for control in explorer.controls:
        value = control.values(3)[-1]
        moved = explorer.moved(point, control.name, value)
        assert control.read(moved) == pytest.approx(value, abs=1e-5)
    labels = {} if point.label is None else {"labels": [int(point.label)]}
    expected = keras.ops.convert_to_numpy(model.decode(point.code[None], **labels))
    assert np.abs(explorer.image(point) / 255 - expected[0].clip(0, 1)).max() < 0.51 / 255


def test_a_direction_is_moved_along_alone():
    explorer = Explorer(MODELS["direction_discovery"].build())
    point = explorer.sample(seed=0)
    before = {c.name: c.read(point) for c in explorer.controls}
    moved = explorer.moved(point, "w2", 4.0)
    after = {c.name: c.read(moved) for c in explorer.controls}
    assert after == pytest.approx({**before, "w2": 4.0}, abs=1e-5)


def test_a_network_from_codes_to_images_is_a_model_too():
    stack = [layers.Dense(16, "sigmoid"), layers.Reshape((4, 4, 1))]
    explorer = Explorer(keras.Sequential([keras.Input((3,)), *stack]))
    assert (len(explorer.controls), explorer.is_encoder) == (3, False)
    with pytest.raises(ValueError, match="`model` must encode images. Received: Sequential"):
        explorer.of_image(np.zeros((4, 4, 1), "uint8"))


def test_factors_are_told_where_they_are_known():
    levels = np.linspace(-3, 3, 10, dtype="float32")
    codes = np.stack(np.meshgrid(levels, levels, indexing="ij"), axis=-1).reshape(-1, 2)
    images = np.rint(255 * Halves().decode(codes)).astype("uint8")
    data = ArrayFactorDataset(images, (10, 10), ("top", "bottom"))
    explorer = Explorer(Halves(), data, num_images=5000)
    assert set(explorer.information) == {"z1", "z2"}
    for name, factor in (("z1", "top"), ("z2", "bottom")):
        assert explorer.information[name][0] == factor
        # By rounding to pixels, one level may fall into its neighbour's bin.
        assert 0.9 < explorer.information[name][1] <= 1 + 1e-9
        assert explorer.score(explorer.control(name)) == explorer.information[name][1]


def test_a_strip_shows_the_values(explorer):
    images = explorer.traversal(explorer.start(), "z1", [-3, 0, 3])
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.rint([0.125 * 255, 127.5, 0.875 * 255]))
    assert (images[:, 7, 7] == images[0, 7, 7]).all()
    strip = explorer.strip(explorer.start(), "z1", steps=3)
    assert strip.shape[1] > 3 * 96 and strip.dtype == np.uint8
    frames = explorer.frames(explorer.start(), "z1", steps=3)
    assert len(frames) == 4 and (frames[1] == frames[3]).all()


def test_a_heat_map_shows_what_moves(explorer):
    still = explorer.movement(explorer.start(), "z1")[:256, :256]
    top, bottom = still[:128].reshape(-1, 3), still[128:].reshape(-1, 3)
    assert (top == top[0]).all() and (bottom == bottom[0]).all()
    assert top[0].sum() < bottom[0].sum()  # from light to dark


def test_latents_are_swapped_and_ways_are_walked(explorer):
    a, b = Point(np.float32([1, -1])), Point(np.float32([-2, 2]))
    np.testing.assert_array_equal(explorer.swapped(a, b, ["z2"]).code, [1, 2])
    np.testing.assert_array_equal(explorer.swapped(a, b, []).code, a.code)
    assert explorer.path(a, b, steps=5).shape[1] > 5 * 96
    with pytest.raises(ValueError, match=r"`name` must be one of \['z1', 'z2'\]. Received: .*'z3'"):
        explorer.swapped(a, b, ["z3"])


def test_on_the_way_choices_change_half_way():
    explorer = Explorer(Codes())
    a, b = explorer.start(), explorer.moved(explorer.start(), "categorical", 2)
    seen = []
    explorer.images = lambda points: seen.extend(points) or np.zeros((5, 8, 2, 1), "uint8")
    explorer.path(a, b, steps=5)
    assert [int(p.code[1:4].argmax()) for p in seen] == [0, 0, 2, 2, 2]
    assert all(p.code[1:4].sum() == 1 for p in seen)


def test_files_are_encoded(explorer):
    point = Point(np.float32([2, -1]))
    image = explorer.image(point)[..., 0]
    np.testing.assert_allclose(explorer.of_file(png(image)).code, point.code, atol=0.05)
    # Larger, not square and in colours: cropped around the centre, scaled, grey.
    wide = np.pad(image.repeat(8, axis=0).repeat(8, axis=1), ((0, 0), (32, 32)))
    found = explorer.of_file(png(np.stack([wide] * 3, axis=-1))).code
    np.testing.assert_allclose(found, point.code, atol=0.3)


def test_broken_files_are_refused(explorer):
    whole = png(np.random.default_rng(0).integers(0, 255, (64, 64), "uint8"))
    for content in (b"", b"no image", whole[: len(whole) // 2]):
        with pytest.raises(ValueError, match="^The file must be a PNG, JPEG or another common"):
            explorer.of_file(content)
    with pytest.raises(ValueError, match="^The file must have at most 20 MB. Received: 20.0 MB"):
        explorer.of_file(bytes(20_000_001))
    # Few bytes that declare many pixels.
    bomb = png(np.zeros((6000, 6000), bool))
    with pytest.raises(ValueError, match="declares 6000×6000 pixels"):
        explorer.of_file(bomb)


def test_numbers_of_images_are_checked():
    explorer = Explorer(Halves(), np.random.default_rng(0).random((3, 8, 8, 1)))
    assert explorer.of_number(2).code.shape == (2,)
    for number in (-1, 3):
        with pytest.raises(ValueError, match="`number` must lie in 0..2. Received: number="):
            explorer.of_number(number)


def test_the_code_as_python_gives_the_image():
    model = MODELS["conditional_vae"].build()
    explorer = Explorer(model)
    point = explorer.moved(explorer.sample(seed=0), "class", 2)
    given = {"model": model}
    exec(explorer.python(point, source=""), given)
    found = keras.ops.convert_to_numpy(given["image"])[0]
    assert np.abs(found - explorer.image(point) / 255).max() < 0.01


class NoWidth:
    def decode(self, z):
        return z


class Feature(Halves):
    def decode(self, z):
        return np.zeros((len(z), 8), "float32")


class Huge(Halves):
    def decode(self, z):
        return np.broadcast_to(np.float32(0), (len(z), 2000, 8, 1))


@pytest.mark.parametrize(
    "model, message",
    [
        (keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten()]), "has no method `decode`"),
        (
            keras.Sequential([keras.Input((2, 2, 3)), layers.Conv2D(1, 1)]),
            "latents must be vectors",
        ),
        (3, "must have a method `decode`, or be a Keras model"),
        (NoWidth(), "must say how wide its codes are, by `space` .* or `latent_dim`"),
        (Feature(), r"decoded to images .* decoded to the shape \(1, 8\)"),
        (Huge(), "at most 1024 pixels a side. Received: images of 2000×8"),
    ],
)
def test_models_that_cannot_be_explored(model, message):
    with pytest.raises(ValueError, match=f"`model`.*{message}"):
        Explorer(model)


def test_data_must_fit():
    with pytest.raises(ValueError, match=r"`data` must hold images of .*\(8, 8, 1\)"):
        Explorer(Halves(), np.random.default_rng(0).random((3, 4, 4, 1)))
