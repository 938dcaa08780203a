"""Scales of pixels, interpolation and statistics of samples: what every variational model has."""

import math

import keras
import numpy as np
import pytest
import scipy.stats
from keras import layers, ops
from model_table import VAES
from tiny_networks import IMAGE_SHAPE, IMAGES, dense, dense_ladder, flat_networks, network
from tiny_training import fit, numbers

from keras_disentangle.models import VAE, LadderVAE, ProgressiveLadderVAE, TeacherStudentVAE

COLOURED = (4, 6, 3)


def gaussian_vae(image_shape=IMAGE_SHAPE, **arguments):
    encoder = dense(image_shape, 6, None)
    decoder = dense((3,), math.prod(image_shape), None, reshape=image_shape)
    return VAE(encoder, decoder, observation="gaussian", seed=1, **arguments)


def ladder(**arguments):
    return LadderVAE(**dense_ladder((3, 2), (6, 5)), seed=1, **arguments)


# Scales of the pixels


@pytest.mark.parametrize(
    "pixel_scale, shape", [("scalar", ()), ("channel", (3,)), ("full", COLOURED)]
)
def test_scales_of_pixels(pixel_scale, shape):
    model = gaussian_vae(COLOURED, pixel_scale=pixel_scale, min_log_std=-3)
    assert tuple(model.log_std.shape) == shape and not numbers([model.log_std])[0].any()
    assert any(variable is model.log_std for variable in model.trainable_variables)
    rng = np.random.default_rng(0)
    log_std, z = rng.normal(size=shape), rng.normal(size=(5, 3)).astype("float32")
    model.log_std.assign(log_std)
    x = rng.random((5, *COLOURED), dtype="float32")
    found = ops.convert_to_numpy(model.log_likelihood(x, z))
    expected = scipy.stats.norm.logpdf(x, ops.convert_to_numpy(model.decode(z)), np.exp(log_std))
    np.testing.assert_allclose(found, expected.sum((1, 2, 3)), rtol=1e-5)
    other = VAE.from_config(model.get_config())
    assert (other.pixel_scale, other.min_log_std) == (pixel_scale, -3.0)
    assert tuple(other.log_std.shape) == shape
    # Nothing of it concerns Bernoulli observations.
    assert not hasattr(VAE(**flat_networks(3), pixel_scale=pixel_scale), "log_std")


def test_scales_of_every_model():
    scale = {"observation": "gaussian", "pixel_scale": "full", "min_log_std": -2.0}
    models = [
        ladder(**scale),
        ProgressiveLadderVAE(**dense_ladder((3, 2), (6, 5)), **scale),
        TeacherStudentVAE(gaussian_vae(), **flat_networks(4), **scale),
    ]
    for model in models:
        assert tuple(model.log_std.shape) == IMAGE_SHAPE and model.min_log_std == -2.0


@pytest.mark.parametrize("floor", [-0.5, None])
def test_the_floor_of_scales(floor):
    images = IMAGES.copy()
    images[:, :4] = 0.25
    model = gaussian_vae(pixel_scale="full", min_log_std=floor)
    fit(model, images, epochs=6, compile_with={"optimizer": keras.optimizers.Adam(0.2)})
    (log_std,) = numbers([model.log_std])
    assert np.isfinite(log_std).all()
    if floor is None:
        assert log_std[:4].min() < -0.8
    else:
        assert log_std.min() == floor and (log_std[:4] == floor).any()
        # What is read obeys it, whatever the weight holds.
        z = np.zeros((16, 3), "float32")
        expected = numbers([model.log_likelihood(images, z)])[0]
        model.log_std.assign(np.where(log_std == floor, -7.0, log_std))
        np.testing.assert_array_equal(numbers([model.log_likelihood(images, z)])[0], expected)
        logged = model.evaluate(images, verbose=0, return_dict=True)["log_std"]
        np.testing.assert_allclose(logged, log_std.mean(), rtol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"pixel_scale": "pixel"}, r"one of \['scalar', 'channel', 'full'\].*pixel_scale='pixel'"),
        ({"pixel_scale": None}, "`pixel_scale` must be one of .* pixel_scale=None"),
        ({"min_log_std": 0.5}, "`min_log_std` must be None or a finite number <= 0.*=0.5"),
        ({"min_log_std": -np.inf}, "`min_log_std` must be .*-inf"),
        ({"min_log_std": np.nan}, "`min_log_std` must be .*nan"),
        ({"min_log_std": "low"}, "`min_log_std` must be .*'low'"),
    ],
)
def test_bad_scales_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        gaussian_vae(**arguments)


# Interpolation


@pytest.mark.parametrize("build", [gaussian_vae, ladder])
def test_interpolation(build):
    model = build()
    a, b = IMAGES[:3], IMAGES[3:6]
    found = ops.convert_to_numpy(model.interpolate(a, b, steps=5))
    assert found.shape == (3, 5, *IMAGE_SHAPE) and found.dtype == np.float32
    means = [ops.convert_to_numpy(model.encode(x)[0]) for x in (a, b)]
    for i, share in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        images = model.decode((1 - share) * means[0] + share * means[1])
        np.testing.assert_allclose(found[:, i], ops.convert_to_numpy(images), rtol=1e-4, atol=1e-6)
    # Both ends, of each way.
    for i, x in ((0, a), (-1, b)):
        expected = ops.convert_to_numpy(model.reconstruct(x))
        np.testing.assert_allclose(found[:, i], expected, rtol=1e-5, atol=1e-6)
    ends = model.interpolate(ops.convert_to_tensor(a), b, steps=2)
    np.testing.assert_allclose(ops.convert_to_numpy(ends), found[:, ::4], rtol=1e-5, atol=1e-6)
    assert tuple(model.interpolate(a, b).shape) == (3, 8, *IMAGE_SHAPE)


@pytest.mark.parametrize(
    "a, b, steps, message",
    [
        (IMAGES, IMAGES[:5], 8, r"same shape. Received: a.shape=\(16, 8, 8, 1\), b.shape=\(5, 8"),
        (IMAGES[0], IMAGES[1], 8, r"must have the shape \('n', 8, 8, 1\).*\(8, 8, 1\)"),
        (IMAGES[:, :4], IMAGES[:, :4], 8, r"\('n', 8, 8, 1\).*shape=\(16, 4, 8, 1\)"),
        (IMAGES, IMAGES, 1, "`steps` must be an integer >= 2. Received: steps=1"),
        (IMAGES, IMAGES, 2.5, "`steps` must be an integer >= 2. Received: steps=2.5"),
    ],
)
def test_bad_interpolations_are_named(a, b, steps, message):
    with pytest.raises(ValueError, match=message):
        gaussian_vae().interpolate(a, b, steps)


def test_bytes_are_not_encoded():
    pixels = (255 * IMAGES).astype("uint8")
    bernoulli = VAE(**flat_networks(3))
    message = r"`x` must lie in \[0, 1\] .*divide uint8 images by 255.* values in \[0, 254\]"
    with pytest.raises(ValueError, match=message):
        bernoulli.encode(pixels)
    with pytest.raises(ValueError, match=message):
        bernoulli.reconstruct(pixels)
    # Black and white as integers, and what a Gaussian may see.
    bits = (pixels > 127).astype("int32")
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(bernoulli.encode(x)[0]) for x in (bits, bits.astype("float32")))
    )
    assert gaussian_vae().encode(pixels)[0].shape == (16, 3)


# Statistics of samples


def norm(momentum=0.9, **arguments):
    return layers.BatchNormalization(momentum=momentum, **arguments)


def normalized_vae(momentum=0.9):
    """A decoder of a dense layer with its normalisation, and normalisation in the encoder too."""
    decoder = network((3,), layers.Dense(64), norm(momentum), layers.Reshape(IMAGE_SHAPE))
    encoder = network(IMAGE_SHAPE, layers.Flatten(), layers.Dense(5), norm(), layers.Dense(6))
    model = VAE(encoder, decoder, observation="gaussian", seed=1)
    rng = np.random.default_rng(0)
    decoder.layers[0].bias.assign(rng.normal(size=64))
    return model


def drawn(seed, num_batches, batch_size, width):
    generator = keras.random.SeedGenerator(seed)
    return [
        ops.convert_to_numpy(keras.random.normal((batch_size, width), seed=generator))
        for _ in range(num_batches)
    ]


def test_statistics_of_samples():
    model = normalized_vae()
    fit(model)
    dense_layer, bn, _ = model.decoder.layers
    before = numbers(model.variables)
    model.reestimate_batch_normalization(num_batches=100, batch_size=100, seed=0)
    kernel, bias, mean, variance = numbers(
        [dense_layer.kernel, dense_layer.bias, bn.moving_mean, bn.moving_variance]
    )
    # Of codes z ~ N(0, 1): the mean of z K + b is b, its variance the sum of the squares of K.
    expected = (kernel.astype(float) ** 2).sum(0)
    standard_error = np.sqrt(expected / 10_000)
    assert (np.abs(mean - bias) < 5 * standard_error).all()
    # The variance within a batch is less by the part that its own mean takes.
    np.testing.assert_allclose(variance, 0.99 * expected, rtol=5 * np.sqrt(2 / 10_000))
    # Images from the prior are normalised then.
    images = ops.convert_to_numpy(model.sample(2000, seed=5))
    assert abs(images.mean()) < 0.1 and abs(images.var() - 1) < 0.1
    # Nothing else has changed, nor has the seed of the model's own noise.
    moved = {id(bn.moving_mean), id(bn.moving_variance)}
    for variable, old, new in zip(model.variables, before, numbers(model.variables), strict=True):
        same = (old == new).all()
        assert same != (id(variable) in moved), variable.path
    assert bn.momentum == 0.9
    fit(model, compile_with=False)


@pytest.mark.parametrize("num_batches", [1, 3])
def test_statistics_are_the_mean_of_those_of_batches(num_batches):
    model = normalized_vae(momentum=0.75)
    dense_layer, bn, _ = model.decoder.layers
    model.reestimate_batch_normalization(num_batches, batch_size=7, seed=4)
    kernel, bias = numbers([dense_layer.kernel, dense_layer.bias])
    batches = [z @ kernel + bias for z in drawn(4, num_batches, 7, 3)]
    for variable, statistic in ((bn.moving_mean, np.mean), (bn.moving_variance, np.var)):
        expected = np.mean([statistic(x.astype(float), axis=0) for x in batches], axis=0)
        np.testing.assert_allclose(numbers([variable])[0], expected, rtol=1e-5, atol=1e-6)
    assert bn.momentum == 0.75
    # They follow the seed.
    first = numbers([bn.moving_mean])[0]
    model.reestimate_batch_normalization(num_batches, batch_size=7, seed=4)
    np.testing.assert_array_equal(numbers([bn.moving_mean])[0], first)
    model.reestimate_batch_normalization(num_batches, batch_size=7, seed=5)
    assert (numbers([bn.moving_mean])[0] != first).any()


def test_statistics_of_a_ladder():
    model = LadderVAE(
        encoder_blocks=[dense(IMAGE_SHAPE, 6), dense((6,), 5)],
        posteriors=[dense((6,), 4, None), dense((5,), 6, None)],
        latent_maps=[
            network((2,), layers.Dense(6), norm(name="map_1")),
            network((3,), layers.Dense(5), norm(0.5, name="map_2")),
        ],
        decoder_blocks=[
            dense((6 + 4,), 64, None, reshape=IMAGE_SHAPE),
            network((5,), layers.Dense(4), norm(name="block_2")),
        ],
    )
    model.reestimate_batch_normalization(num_batches=1, batch_size=9, seed=2)
    (z,) = drawn(2, 1, 9, 5)
    z = z.astype(float)
    maps = model.latent_maps

    def check(net, x):
        """What the dense layer of `net` makes of x, normalised by the statistics of the batch."""
        dense_layer, bn = net.layers
        kernel, bias = numbers(dense_layer.weights)
        y = x @ kernel + bias
        for found, expected in ((bn.moving_mean, y.mean(0)), (bn.moving_variance, y.var(0))):
            np.testing.assert_allclose(numbers([found])[0], expected, rtol=1e-4, atol=1e-6)
        return (y - y.mean(0)) / np.sqrt(y.var(0) + 1e-3)

    # The most abstract rung comes first.
    check(maps[0], z[:, 3:])
    check(model.decoder_blocks[1], check(maps[1], z[:, :3]))
    momenta = [net.layers[1].momentum for net in (*maps, model.decoder_blocks[1])]
    assert momenta == [0.9, 0.5, 0.9]


@pytest.mark.parametrize("name", ["vae_gaussian", "ladder_vae", "discriminative_vae"])
def test_without_batch_normalisation_nothing_changes(name):
    # That of a classifier is no part of what generates.
    model = VAES[name].build()
    before = numbers(model.variables)
    model.reestimate_batch_normalization(num_batches=2)
    for old, new in zip(before, numbers(model.variables), strict=True):
        np.testing.assert_array_equal(old, new)


def test_momenta_come_back_after_an_error(monkeypatch):
    model = normalized_vae()

    def fail(*arguments, **named):
        raise RuntimeError

    monkeypatch.setattr(model, "generate", fail)
    with pytest.raises(RuntimeError):
        model.reestimate_batch_normalization()
    assert model.decoder.layers[1].momentum == 0.9


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_batches": 0}, "`num_batches` must be an integer >= 1. Received: num_batches=0"),
        ({"num_batches": 1.5}, "`num_batches` must be an integer >= 1. Received: num_batches=1.5"),
        ({"batch_size": 1}, "`batch_size` must be an integer >= 2. Received: batch_size=1"),
    ],
)
@pytest.mark.parametrize("build", [normalized_vae, gaussian_vae])
def test_bad_batches_are_named(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build().reestimate_batch_normalization(**arguments)
