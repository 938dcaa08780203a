"""The networks of progressive GANs: counted by hand, beside the authors' release, as they grow."""

import zlib

import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.applications.progressive_gan.networks import (
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    q_network,
)
from keras_disentangle.layers._resampling import average_pool, upsample

SMALL = {"resolution": 16, "image_channels": 3, "base_channels": 32, "max_channels": 8}


def numbers(x):
    return ops.convert_to_numpy(x)


def small_networks():
    return ProgressiveGenerator(5, **SMALL), ProgressiveDiscriminator(**SMALL)


# By hand: kernel and bias of each layer for 128×128 colour images from 12 latents.

WIDE = 3 * 3 * 512 * 512 + 512
GENERATOR = {
    "dense_4x4": 12 * 16 * 512,
    "conv_4x4": WIDE,
    "conv0_8x8": WIDE,
    "conv1_8x8": WIDE,
    "conv0_16x16": WIDE,
    "conv1_16x16": WIDE,
    "conv0_32x32": WIDE,
    "conv1_32x32": WIDE,
    "conv0_64x64": 3 * 3 * 512 * 256 + 256,
    "conv1_64x64": 3 * 3 * 256 * 256 + 256,
    "conv0_128x128": 3 * 3 * 256 * 128 + 128,
    "conv1_128x128": 3 * 3 * 128 * 128 + 128,
    "to_rgb_4x4": 512 * 3 + 3,
    "to_rgb_8x8": 512 * 3 + 3,
    "to_rgb_16x16": 512 * 3 + 3,
    "to_rgb_32x32": 512 * 3 + 3,
    "to_rgb_64x64": 256 * 3 + 3,
    "to_rgb_128x128": 128 * 3 + 3,
}
DISCRIMINATOR = {
    "from_rgb_4x4": 3 * 512 + 512,
    "from_rgb_8x8": 3 * 512 + 512,
    "from_rgb_16x16": 3 * 512 + 512,
    "from_rgb_32x32": 3 * 512 + 512,
    "from_rgb_64x64": 3 * 256 + 256,
    "from_rgb_128x128": 3 * 128 + 128,
    "conv0_128x128": 3 * 3 * 128 * 128 + 128,
    "conv1_128x128": 3 * 3 * 128 * 256 + 256,
    "conv0_64x64": 3 * 3 * 256 * 256 + 256,
    "conv1_64x64": 3 * 3 * 256 * 512 + 512,
    "conv0_32x32": WIDE,
    "conv1_32x32": WIDE,
    "conv0_16x16": WIDE,
    "conv1_16x16": WIDE,
    "conv0_8x8": WIDE,
    "conv1_8x8": WIDE,
    # One feature map more: the standard deviation of the batch.
    "conv_4x4": 3 * 3 * 513 * 512 + 512,
    "dense_4x4": 16 * 512 * 512 + 512,
    "logits": 512 + 1,
}


def counts(network):
    layers = {layer.name: layer.count_params() for layer in network._flatten_layers(False)}
    return {name: count for name, count in layers.items() if count}


@pytest.mark.one_backend
def test_parameters_of_the_papers_setting():
    generator, discriminator = ProgressiveGenerator(), ProgressiveDiscriminator()
    assert counts(generator) == GENERATOR
    # The dense layer's bias, one a feature map, is the generator's own.
    assert generator.count_params() == sum(GENERATOR.values()) + 512
    assert counts(discriminator) == DISCRIMINATOR
    assert generator.num_stages == discriminator.num_stages == 6
    assert generator.input_shape == (None, 12)
    assert generator.output_shape == discriminator.input_shape == (None, 128, 128, 3)
    assert discriminator.output_shape == [(None, 1), (None, 4, 4, 512)]
    assert q_network(discriminator, 4).count_params() == WIDE + 16 * 512 * 512 + 512 + 512 * 4 + 4


@pytest.mark.one_backend
def test_the_widths_of_the_largest():
    """The last rows of the paper's Table 2, for 1024×1024 pixels."""
    generator = ProgressiveGenerator(2, resolution=1024, max_channels=64)
    assert [layer.filters for layer in generator.hidden[-8::2]] == [64, 64, 32, 16]


@pytest.mark.one_backend
def test_gains_and_initial_weights():
    generator, discriminator = small_networks()
    layers = [*generator.hidden, *generator.to_rgb, *discriminator._flatten_layers(False)]
    for layer in layers:
        if not hasattr(layer, "gain"):
            continue
        special = {"to_rgb": 1.0, "logits": 1.0}.get(layer.name.rpartition("_")[0] or layer.name)
        if layer is generator.hidden[0]:
            special = 2**0.5 / 4
        assert layer.gain == (special or 2**0.5), layer.name
        assert isinstance(layer.kernel_initializer, keras.initializers.RandomNormal)
        assert layer.kernel_initializer.stddev == 1.0
        assert layer.bias is None or (numbers(layer.bias) == 0).all()
    assert (numbers(generator.bias) == 0).all()


# Beside the authors' release, with 5 latents and images of 16×16 pixels; its weights were drawn as
# `published` draws them. For each stage and alpha: three values of the first image, the mean of
# all images' magnitudes, the scores of four images, the first of them as its InfoGAN head reads it.

PUBLISHED = [
    (2, 1.0, [1.09077, 0.19575, -0.83575], 1.376702)
    + ([0.023897, -0.046785, 0.096233, -0.084547], [0.390451, 0.365745]),
    (2, 0.75, [0.79201, 0.39437, -0.37926], 0.989596)
    + ([0.027893, 0.017591, 0.095011, 0.014594], [0.404063, 0.419887]),
    (1, 1.0, [-0.07636, -0.08735, -0.74341], 0.88414)
    + ([0.025719, 0.048849, 0.07603, 0.074165], [0.454842, 0.545931]),
    (1, 0.5, [-0.45886, 0.15151, -0.17653], 0.681233)
    + ([0.175934, 0.220159, 0.27649, 0.210327], [0.360118, 0.805078]),
    (0, 1.0, [-1.51298, -0.96818, -1.93253], 0.781555)
    + ([0.327892, 0.459311, 0.510303, 0.453804], [0.301118, 1.002449]),
]


def published(name, shape):
    """The weight that was given to a variable of the release."""
    draws = np.random.default_rng(zlib.crc32(f"{name}:0".encode())).standard_normal(shape)
    return (draws * (0.3 if name.endswith("bias") else 1.0)).astype("float32")


@pytest.fixture(scope="module")
def published_networks():
    generator, discriminator = small_networks()
    head = q_network(discriminator, 2)

    def to_maps(kernel):  # Its dense layers have the channels first.
        return kernel.reshape(-1, 8, 4, 4).transpose(0, 2, 3, 1).reshape(-1, 128)

    def from_maps(kernel):
        return kernel.reshape(8, 4, 4, -1).transpose(1, 2, 0, 3).reshape(128, -1)

    def flipped(kernel):  # It enlarges by a transposed convolution.
        return kernel[::-1, ::-1]

    def same(kernel):
        return kernel

    rows = [(generator.hidden[0], "G/4x4/Dense", to_maps)]
    names = ("4x4/Conv", "8x8/Conv0_up", "8x8/Conv1", "16x16/Conv0_up", "16x16/Conv1")
    for layer, name in zip(generator.hidden[1:], names, strict=True):
        rows.append((layer, f"G/{name}", flipped if name.endswith("up") else same))
    names = ("8x8/Conv0", "8x8/Conv1_down", "16x16/Conv0", "16x16/Conv1_down")
    for layer, name in zip(discriminator.hidden, names, strict=True):
        rows.append((layer, f"D/{name}", same))
    for stage in range(3):
        rows.append((generator.to_rgb[stage], f"G/ToRGB_lod{2 - stage}", same))
        rows.append((discriminator.from_rgb[stage], f"D/FromRGB_lod{2 - stage}", same))
    last = (discriminator.last_conv, discriminator.dense, discriminator.logits)
    of_head = [layer for layer in head.layers if hasattr(layer, "gain")]
    for layers, block in ((last, "D/4x4"), (of_head, "D/4x4/Q_Encoder")):
        kinds = zip(layers, ("Conv", "Dense0", "Dense1"), (same, from_maps, same), strict=True)
        rows += [(layer, f"{block}/{name}", convert) for layer, name, convert in kinds]
    for layer, name, convert in rows:
        shape = layer.kernel.shape
        kernel = convert(published(f"{name}/weight", shape))
        layer.set_weights([kernel, published(f"{name}/bias", shape[-1:])][: len(layer.weights)])
    generator.bias.assign(published("G/4x4/Dense/bias", (8,)))
    return generator, discriminator, head


@pytest.mark.parametrize("stage, alpha, pixels, magnitude, scores, codes", PUBLISHED)
def test_beside_the_release(published_networks, stage, alpha, pixels, magnitude, scores, codes):
    generator, discriminator, head = published_networks
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4, 5)).astype("float32")
    x = rng.uniform(-1, 1, (4, 16, 16, 3)).astype("float32")
    alpha = ops.convert_to_tensor(alpha, "float32")
    images = numbers(generator(z, stage=stage, alpha=alpha))
    logits, features = discriminator(average_pool(x, 2 ** (2 - stage)), stage=stage, alpha=alpha)
    np.testing.assert_allclose(images[0, 1:4, 2, 1], pixels, atol=5e-5)
    np.testing.assert_allclose(np.abs(images).mean(), magnitude, rtol=1e-5)
    np.testing.assert_allclose(numbers(logits)[:, 0], scores, atol=5e-6)
    np.testing.assert_allclose(numbers(head(features))[0], codes, atol=5e-6)


# Growth


@pytest.mark.parametrize("stage", [1, 2])
def test_growth_changes_nothing_at_first(stage):
    generator, discriminator = small_networks()
    z = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    zero, half = (ops.convert_to_tensor(np.float32(alpha)) for alpha in (0, 0.5))
    before = generator(z, stage=stage - 1)
    after = generator(z, stage=stage, alpha=zero)
    np.testing.assert_allclose(numbers(after), numbers(upsample(before)), atol=1e-5)

    x = np.random.default_rng(1).normal(size=after.shape).astype("float32")
    before = numbers(discriminator(average_pool(x), stage=stage - 1)[0])
    after = numbers(discriminator(x, stage=stage, alpha=zero)[0])
    np.testing.assert_allclose(after, before, atol=1e-5)

    # A fade goes in a straight line for the images, and reaches the new block alone.
    images = [numbers(generator(z, stage=stage, alpha=alpha)) for alpha in (zero, half, 1.0)]
    np.testing.assert_allclose(images[1], (images[0] + images[2]) / 2, atol=1e-5)
    one = ops.convert_to_tensor(1.0)
    np.testing.assert_allclose(numbers(generator(z, stage=stage, alpha=one)), images[2], atol=1e-6)
    logits = [numbers(discriminator(x, stage=stage, alpha=alpha)[0]) for alpha in (zero, one, 1.0)]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3
    np.testing.assert_allclose(logits[1], logits[2], atol=1e-6)


def test_activations():
    generator, _ = small_networks()
    z = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    found = generator.activations(z)
    assert [(name, tuple(x.shape), stage) for name, x, stage in found] == [
        ("dense_4x4", (2, 4, 4, 8), 0),
        ("conv_4x4", (2, 4, 4, 8), 0),
        ("conv0_8x8", (2, 8, 8, 8), 1),
        ("conv1_8x8", (2, 8, 8, 8), 1),
        ("conv0_16x16", (2, 16, 16, 4), 2),
        ("conv1_16x16", (2, 16, 16, 4), 2),
    ]
    for name, x, _ in found:  # right after pixel normalisation
        np.testing.assert_allclose((numbers(x) ** 2).mean(axis=-1), 1.0, rtol=1e-3, err_msg=name)
    image = generator.to_rgb[2](found[-1][1])
    np.testing.assert_allclose(numbers(generator(z)), numbers(image), atol=1e-6)
    for arguments, number in (
        ({"num_layers": 3}, 3),
        ({"stage": 1}, 4),
        ({"stage": 1, "num_layers": 10}, 4),
    ):
        part = generator.activations(z, **arguments)
        assert [row[0] for row in part] == [row[0] for row in found[:number]]
        np.testing.assert_allclose(numbers(part[-1][1]), numbers(found[number - 1][1]), atol=1e-6)


def test_nothing_beyond_the_deepest_layer_is_computed(monkeypatch):
    generator, _ = small_networks()
    called = []
    for layer in generator.hidden:
        call = layer.call

        def record(x, *arguments, call=call, name=layer.name, **settings):
            called.append(name)
            return call(x, *arguments, **settings)

        monkeypatch.setattr(layer, "call", record)
    generator.activations(np.zeros((2, 5), "float32"), num_layers=3)
    assert called == ["dense_4x4", "conv_4x4", "conv0_8x8"]


def test_only_the_direction_of_latents_counts():
    generator, _ = small_networks()
    z = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    images, longer = numbers(generator(z)), numbers(generator(3 * z))
    np.testing.assert_allclose(longer, images, atol=1e-4)


def test_mixed_precision():
    generator = ProgressiveGenerator(5, **SMALL, dtype="mixed_bfloat16")
    discriminator = ProgressiveDiscriminator(**SMALL, dtype="mixed_bfloat16")
    half = ops.convert_to_tensor(0.5)
    images = generator(np.ones((2, 5), "float32"), stage=1, alpha=half)
    logits, features = discriminator(images, stage=1, alpha=half)
    assert [keras.backend.standardize_dtype(x.dtype) for x in (images, logits, features)] == [
        "float32",
        "float32",
        "bfloat16",
    ]


@pytest.mark.parametrize("network", [ProgressiveGenerator, ProgressiveDiscriminator])
def test_save_and_load(network, tmp_path):
    model = network(**SMALL, dtype="mixed_bfloat16")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    assert loaded.dtype_policy.name == loaded.hidden[0].dtype_policy.name == "mixed_bfloat16"
    for a, b in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(numbers(a), numbers(b), a.path)


@pytest.mark.parametrize("network", [ProgressiveGenerator, ProgressiveDiscriminator])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"resolution": 48}, "`resolution` must be a power of two >= 4. Received: resolution=48"),
        ({"resolution": 2}, "`resolution` must be a power of two >= 4. Received: resolution=2"),
        ({"resolution": 16.0}, "`resolution` must be an integer >= 1. Received: resolution=16.0"),
        ({"image_channels": 0}, "`image_channels` must be an integer >= 1. Received: .*=0"),
        ({"base_channels": 0}, "`base_channels` must be an integer >= 1. Received: .*=0"),
        ({"base_channels": 7}, "`base_channels` must be at least 8 for 3 stages, .* Received: .*7"),
        ({"max_channels": -1}, "`max_channels` must be an integer >= 1. Received: .*=-1"),
    ],
)
def test_bad_arguments_are_named(network, arguments, message):
    with pytest.raises(ValueError, match=message):
        network(**{**SMALL, **arguments})


def test_bad_calls_are_named():
    generator, discriminator = small_networks()
    z, x = np.zeros((2, 5), "float32"), np.zeros((2, 16, 16, 3), "float32")
    with pytest.raises(ValueError, match="`latent_dim` must be an integer >= 1. Received: .*=0"):
        ProgressiveGenerator(0, **SMALL)
    with pytest.raises(ValueError, match="`group_size` must be an integer >= 1. Received: .*=0"):
        ProgressiveDiscriminator(**SMALL, group_size=0)
    with pytest.raises(ValueError, match="`stage` must be less than 3. Received: stage=3"):
        generator.activations(z, stage=3)
    with pytest.raises(ValueError, match="`num_layers` must be an integer >= 1. Received: .*=0"):
        generator.activations(z, num_layers=0)
    with pytest.raises(ValueError, match=r"`x` must have the shape \(batch, 8, 8, 3\) in stage 1"):
        discriminator(x, stage=1)
    with pytest.raises(ValueError, match="`num_params` must be an integer >= 1"):
        q_network(discriminator, 0)
