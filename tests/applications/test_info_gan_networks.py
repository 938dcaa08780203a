"""The layers of InfoGAN's networks, counted by hand from the tables of the paper, and its presets.

A row of a table here is one of the paper's: its words, the kind of layer, the shape that it leaves,
its kernel and bias, its gamma and beta (0 without batch normalisation) and its nonlinearity.
"""

import functools
import math
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.applications.info_gan.info_gan import InfoGAN
from keras_disentangle.applications.info_gan.networks import NETWORKS, mnist_networks
from keras_disentangle.applications.info_gan.recipes import PRESETS

RELU, LEAKY = "relu", "leaky_relu"

GENERATORS = {
    "mnist": [
        ("FC 1024, BN", "Dense", (1024,), 74 * 1024, 2 * 1024, RELU),
        ("FC 7x7x128, BN", "Dense", (6272,), 1024 * 7 * 7 * 128, 2 * 7 * 7 * 128, RELU),
        ("upconv 64, stride 2, BN", "UpConv2D", (14, 14, 64), 4 * 4 * 128 * 64, 2 * 64, RELU),
        ("upconv 1", "UpConv2D", (28, 28, 1), 4 * 4 * 64 * 1 + 1, 0, "sigmoid"),
    ],
    "svhn": [
        ("FC 2x2x448, BN", "Dense", (1792,), 168 * 2 * 2 * 448, 2 * 2 * 2 * 448, RELU),
        ("upconv 256, stride 2, BN", "UpConv2D", (4, 4, 256), 4 * 4 * 448 * 256, 2 * 256, RELU),
        ("upconv 128, stride 2", "UpConv2D", (8, 8, 128), 4 * 4 * 256 * 128 + 128, 0, RELU),
        ("upconv 64, stride 2", "UpConv2D", (16, 16, 64), 4 * 4 * 128 * 64 + 64, 0, RELU),
        ("upconv 3, stride 2", "UpConv2D", (32, 32, 3), 4 * 4 * 64 * 3 + 3, 0, "tanh"),
    ],
    "celeb_a": [
        ("FC 2x2x448, BN", "Dense", (1792,), 228 * 2 * 2 * 448, 2 * 2 * 2 * 448, RELU),
        ("upconv 256, stride 2, BN", "UpConv2D", (4, 4, 256), 4 * 4 * 448 * 256, 2 * 256, RELU),
        ("upconv 128, stride 2", "UpConv2D", (8, 8, 128), 4 * 4 * 256 * 128 + 128, 0, RELU),
        ("upconv 64, stride 2", "UpConv2D", (16, 16, 64), 4 * 4 * 128 * 64 + 64, 0, RELU),
        ("upconv 3, stride 2", "UpConv2D", (32, 32, 3), 4 * 4 * 64 * 3 + 3, 0, "tanh"),
    ],
    "faces": [
        ("FC 1024, BN", "Dense", (1024,), 133 * 1024, 2 * 1024, RELU),
        ("FC 8x8x128, BN", "Dense", (8192,), 1024 * 8 * 8 * 128, 2 * 8 * 8 * 128, RELU),
        ("upconv 64, stride 2, BN", "UpConv2D", (16, 16, 64), 4 * 4 * 128 * 64, 2 * 64, RELU),
        ("upconv 1", "UpConv2D", (32, 32, 1), 4 * 4 * 64 * 1 + 1, 0, "sigmoid"),
    ],
    "chairs": [
        ("FC 1024, BN", "Dense", (1024,), 189 * 1024, 2 * 1024, RELU),
        ("FC 8x8x256, BN", "Dense", (16384,), 1024 * 8 * 8 * 256, 2 * 8 * 8 * 256, RELU),
        ("upconv 256, BN", "UpConv2D", (8, 8, 256), 4 * 4 * 256 * 256, 2 * 256, RELU),
        ("upconv 256, BN", "UpConv2D", (8, 8, 256), 4 * 4 * 256 * 256, 2 * 256, RELU),
        ("upconv 128, stride 2, BN", "UpConv2D", (16, 16, 128), 4 * 4 * 256 * 128, 2 * 128, RELU),
        ("upconv 64, stride 2, BN", "UpConv2D", (32, 32, 64), 4 * 4 * 128 * 64, 2 * 64, RELU),
        ("upconv 1", "UpConv2D", (64, 64, 1), 4 * 4 * 64 * 1 + 1, 0, "sigmoid"),
    ],
}

DISCRIMINATORS = {
    "mnist": [
        ("conv 64, stride 2", "Conv2D", (14, 14, 64), 4 * 4 * 1 * 64 + 64, 0, LEAKY),
        ("conv 128, stride 2, BN", "Conv2D", (7, 7, 128), 4 * 4 * 64 * 128, 2 * 128, LEAKY),
        ("FC 1024, BN", "Dense", (1024,), 7 * 7 * 128 * 1024, 2 * 1024, LEAKY),
        ("FC output", "Dense", (1,), 1024 * 1 + 1, 0, None),
    ],
    "svhn": [
        ("conv 64, stride 2", "Conv2D", (16, 16, 64), 4 * 4 * 3 * 64 + 64, 0, LEAKY),
        ("conv 128, stride 2, BN", "Conv2D", (8, 8, 128), 4 * 4 * 64 * 128, 2 * 128, LEAKY),
        ("conv 256, stride 2, BN", "Conv2D", (4, 4, 256), 4 * 4 * 128 * 256, 2 * 256, LEAKY),
        ("FC output", "Dense", (1,), 4 * 4 * 256 * 1 + 1, 0, None),
    ],
    "faces": [
        ("conv 64, stride 2", "Conv2D", (16, 16, 64), 4 * 4 * 1 * 64 + 64, 0, LEAKY),
        ("conv 128, stride 2, BN", "Conv2D", (8, 8, 128), 4 * 4 * 64 * 128, 2 * 128, LEAKY),
        ("FC 1024, BN", "Dense", (1024,), 8 * 8 * 128 * 1024, 2 * 1024, LEAKY),
        ("FC output", "Dense", (1,), 1024 * 1 + 1, 0, None),
    ],
    "chairs": [
        ("conv 64, stride 2", "Conv2D", (32, 32, 64), 4 * 4 * 1 * 64 + 64, 0, LEAKY),
        ("conv 128, stride 2, BN", "Conv2D", (16, 16, 128), 4 * 4 * 64 * 128, 2 * 128, LEAKY),
        ("conv 256, stride 2, BN", "Conv2D", (8, 8, 256), 4 * 4 * 128 * 256, 2 * 256, LEAKY),
        ("conv 256, BN", "Conv2D", (8, 8, 256), 4 * 4 * 256 * 256, 2 * 256, LEAKY),
        ("conv 256, BN", "Conv2D", (8, 8, 256), 4 * 4 * 256 * 256, 2 * 256, LEAKY),
        ("FC 1024, BN", "Dense", (1024,), 8 * 8 * 256 * 1024, 2 * 1024, LEAKY),
        ("FC output", "Dense", (1,), 1024 * 1 + 1, 0, None),
    ],
}
DISCRIMINATORS["celeb_a"] = DISCRIMINATORS["svhn"]  # As the paper's Table 3 says.

# For every Q head: width of the features, trainable weights. A categorical code takes one output
# for each category, a continuous one a mean and a log standard deviation.
Q_HEADS = {
    # The deviation of the two continuous codes is fixed: a mean for each.
    "mnist": (1024, 1024 * 128 + 2 * 128 + 128 * (10 + 2) + (10 + 2)),
    "svhn": (4096, 4096 * 128 + 2 * 128 + 128 * (4 * 10 + 2 * 4) + (4 * 10 + 2 * 4)),
    "celeb_a": (4096, 4096 * 128 + 2 * 128 + 128 * 10 * 10 + 10 * 10),
    "faces": (1024, 1024 * 2 * 5 + 2 * 5),
    "chairs": (1024, 1024 * (3 * 20 + 2 * 1) + (3 * 20 + 2 * 1)),
}

# Trainable weights of generator, discriminator and Q head, added up on paper.
TOTALS = {
    "mnist": (6_645_121, 6_558_017, 132_876),
    "svhn": (2_798_787, 663_361, 530_736),
    "celeb_a": (2_906_307, 663_361, 537_444),
    "faces": (8_675_457, 8_524_097, 10_250),
    "chairs": (19_760_513, 19_535_681, 63_550),
}

# What TensorFlow and JAX compute too. Its layers are those of the others, with a sigmoid at the end
# where there is a tanh here; a preset of either kind is enough to see that a backend has them all.
ON_EACH = ["mnist", "svhn"]
EVERY = [
    pytest.param(name, marks=() if name in ON_EACH else pytest.mark.one_backend)
    for name in sorted(NETWORKS)
]
PRESET_OF = {"faces": "faces_azimuth", "chairs": "chairs_rotation"}


@functools.cache
def parts(name):
    """Networks, Q head and space of an experiment; building the largest takes a second."""
    return PRESETS[PRESET_OF.get(name, name)].model_arguments()


def rows(network):
    """The layers of a network, a list for each that has a kernel, with what follows it."""
    result = []
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            result.append([])
        if not isinstance(layer, keras.layers.InputLayer) and result:
            result[-1].append(layer)
    return result


def trainable(layers):
    return sum(math.prod(v.shape) for layer in layers for v in layer.trainable_variables)


def nonlinearity(layer):
    """The name of what a layer applies, None if it is linear or only moves values."""
    if isinstance(layer, keras.layers.LeakyReLU):
        assert layer.negative_slope == pytest.approx(0.1)
        return LEAKY
    if isinstance(layer, keras.layers.ReLU):
        assert layer.negative_slope == 0 and layer.threshold == 0 and layer.max_value is None
        return RELU
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return None if name == "linear" else name


def reshapes(layer):
    return isinstance(layer, (keras.layers.Reshape, keras.layers.Flatten))


@pytest.mark.one_backend
@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("which, table", [(0, GENERATORS), (1, DISCRIMINATORS)])
def test_every_layer_is_that_of_the_table(name, which, table):
    network = parts(name)[("generator", "discriminator")[which]]
    found = rows(network)
    assert [row[0].__class__.__name__ for row in found] == [kind for _, kind, *_ in table[name]]
    counted = 0
    for row, (words, _, shape, weights, normalization, activation) in zip(
        found, table[name], strict=True
    ):
        for layer in row:
            assert math.prod(layer.output.shape[1:]) == math.prod(shape), (words, layer.name)
            assert reshapes(layer) or layer.output.shape[1:] == shape, (words, layer.name)
            counted += layer.count_params()
        assert row[0].count_params() == trainable(row[:1]) == weights, words
        assert row[0].use_bias == (normalization == 0), words
        # The kernel, its normalisation, the nonlinearity: in this order.
        norms = [layer for layer in row if isinstance(layer, keras.layers.BatchNormalization)]
        assert norms == row[1 : 1 + len(norms)] and len(norms) == (normalization > 0), words
        assert trainable(norms) == normalization, words
        assert sum(layer.count_params() for layer in norms) == 2 * normalization, words
        for layer in norms:
            assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)
        applied = [nonlinearity(layer) for layer in row if nonlinearity(layer)]
        assert applied == ([activation] if activation else []), words
    assert network.count_params() == counted


@pytest.mark.one_backend
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_totals(name):
    generator, discriminator, q_head = TOTALS[name]
    built = parts(name)
    assert trainable([built["generator"]]) == generator
    assert trainable([built["discriminator"]]) == discriminator
    assert trainable([built["q_head"]]) == q_head == Q_HEADS[name][1]
    for table, total in ((GENERATORS, generator), (DISCRIMINATORS, discriminator)):
        assert sum(weights + norm for _, _, _, weights, norm, _ in table[name]) == total


@pytest.mark.one_backend
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_inputs_and_outputs_fit_together(name):
    built, preset = parts(name), PRESETS[PRESET_OF.get(name, name)]
    space, (width, _) = built["space"], Q_HEADS[name]
    assert built["generator"].input_shape == (None, space.dim)
    assert built["generator"].output_shape == (None, *preset.image_shape)
    assert built["discriminator"].input_shape == (None, *preset.image_shape)
    assert built["discriminator"].output_shape == [(None, 1), (None, width)]
    # The default width is that of the paper's codes.
    assert NETWORKS[name].__defaults__ == (space.dim,)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_a_batch_runs_through(name, training):
    built = parts(name)
    # Latents far out drive the last activation to the ends of its range.
    latents = 1e4 * built["space"].sample(3, seed=0)
    images = built["generator"](latents, training=training)
    low = -1 if GENERATORS[name][-1][-1] == "tanh" else 0
    values = ops.convert_to_numpy(images)
    assert np.isfinite(values).all() and low <= values.min() and values.max() <= 1
    # Both halves of the range are used.
    assert values.min() < (low + 1) / 2 < values.max()
    logits, features = built["discriminator"](images, training=training)
    assert logits.shape == (3, 1) and features.shape == (3, Q_HEADS[name][0])
    assert (ops.convert_to_numpy(features) < 0).any()
    params = built["q_head"](features, training=training)
    assert params.shape == (3, built["space"].num_params)
    for x in (logits, features, params):
        assert np.isfinite(ops.convert_to_numpy(x)).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_training_step_moves_every_weight(name):
    preset = PRESETS[PRESET_OF.get(name, name)]
    model = InfoGAN(preset=PRESET_OF.get(name, name), seed=0)
    model.compile(**preset.optimizers())
    before = [ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
    images = np.random.default_rng(0).random((4, *preset.image_shape), "float32")
    logs = model.train_on_batch(images, return_dict=True)
    assert {f"information_{code}" for code in preset.information_weight()} <= set(logs)
    assert np.isfinite([float(value) for value in logs.values()]).all()
    for variable, old in zip(model.trainable_variables, before, strict=True):
        new = ops.convert_to_numpy(variable)
        assert np.isfinite(new).all() and (new != old).any(), variable.path
    assert int(model.step) == 1


@pytest.mark.parametrize("name", ["mnist", "svhn"])
def test_the_features_give_the_logit(name):
    network = parts(name)["discriminator"]
    images = np.random.default_rng(0).random((2, *network.input_shape[1:]), "float32")
    logits, features = map(ops.convert_to_numpy, network(images, training=False))
    kernel, bias = map(ops.convert_to_numpy, network.layers[-1].weights)
    np.testing.assert_allclose(features @ kernel + bias, logits, atol=1e-5)


@pytest.mark.one_backend
def test_initial_kernels_are_drawn_from_a_normal_of_0_02():
    built = mnist_networks()
    layers = [layer for network in built.values() for layer in network.layers]
    kernels = [ops.convert_to_numpy(layer.kernel) for layer in layers if hasattr(layer, "kernel")]
    assert len(kernels) == 8
    for kernel in kernels:
        assert abs(kernel.mean()) < 5 * 0.02 / kernel.size**0.5
        assert kernel.std() == pytest.approx(0.02, rel=5 / (2 * kernel.size) ** 0.5)
        # Not cut off at two deviations: 4.6% of a normal lie beyond.
        assert kernel.size < 1e4 or 0.04 < (abs(kernel) > 0.04).mean() < 0.05
    first = {kernel.ravel()[0] for kernel in kernels}
    assert len(first) == len(kernels)
    biases = [layer.bias for layer in layers if getattr(layer, "bias", None) is not None]
    assert len(biases) == 3
    assert all((ops.convert_to_numpy(bias) == 0).all() for bias in biases)


def test_outputs_are_float32_under_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        built = PRESETS["mnist"].model_arguments()
        images = built["generator"](built["space"].sample(2, seed=0))
        logits, features = built["discriminator"](images)
        params = built["q_head"](features)
    finally:
        keras.config.set_dtype_policy(policy)
    assert [keras.backend.standardize_dtype(x.dtype) for x in (images, logits, params)] == (
        ["float32"] * 3
    )
    assert keras.backend.standardize_dtype(features.dtype) == "bfloat16"


@pytest.mark.one_backend
def test_networks_survive_saving(tmp_path):
    for name, network in mnist_networks(latent_dim=5).items():
        path = tmp_path / f"{name}.keras"
        network.save(path)
        loaded = keras.models.load_model(path)
        inputs = np.random.default_rng(0).random((2, *network.input_shape[1:]), "float32")
        expected, found = network(inputs, training=False), loaded(inputs, training=False)
        for a, b in zip(keras.tree.flatten(expected), keras.tree.flatten(found), strict=True):
            np.testing.assert_allclose(ops.convert_to_numpy(a), ops.convert_to_numpy(b), atol=1e-6)


# Width of the latent space, informative codes, learning rates of discriminator and generator, and
# the information weights of categorical and continuous codes.
SETTINGS = {
    "mnist": (62 + 10 + 2, [10, 2], 2e-4, 1e-3, 1.0, 1.0),
    "svhn": (124 + 4 * 10 + 4, [10, 10, 10, 10, 4], 2e-4, 1e-3, 1.0, 1.0),
    "celeb_a": (128 + 10 * 10, [10] * 10, 2e-4, 1e-3, 1.0, None),
    "faces_azimuth": (128 + 5, [5], 2e-4, 5e-4, None, 0.2),
    "faces_elevation": (128 + 5, [5], 4e-4, 3e-4, None, 0.1),
    "faces_lighting": (128 + 5, [5], 8e-4, 3e-4, None, 0.1),
    "chairs_rotation": (128 + 3 * 20 + 1, [20, 20, 20, 1], 2e-4, 1e-3, 1.0, 10.0),
    "chairs_width": (128 + 3 * 20 + 1, [20, 20, 20, 1], 2e-4, 1e-3, 2.0, 0.05),
}


@pytest.mark.one_backend
def test_every_preset_is_listed():
    assert SETTINGS.keys() == PRESETS.keys()
    assert {preset.networks for preset in PRESETS.values()} == NETWORKS.keys()


@pytest.mark.one_backend
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_settings(name):
    dim, codes, discriminator_rate, generator_rate, categorical, continuous = SETTINGS[name]
    preset = PRESETS[name]
    space = preset.latent_space()
    assert space.dim == dim and [code.dim for code in space.informative] == codes
    assert space.names[0] == "noise" and not space["noise"].informative
    assert (space["noise"].low, space["noise"].high) == (-1, 1)
    weights = preset.information_weight()
    assert list(weights) == [code.name for code in space.informative]
    for code, weight in weights.items():
        assert weight == (continuous if code == "continuous" else categorical), code
    if continuous is not None:
        code = space["continuous"]
        # MNIST as in the published code, which fixes it at 1.
        std = 1.0 if name == "mnist" else None
        assert (code.low, code.high, code.posterior_std) == (-1, 1, std)
    assert preset.batch_size == 128
    optimizers = preset.optimizers()
    for player, rate in (("discriminator", discriminator_rate), ("generator", generator_rate)):
        optimizer = optimizers[f"{player}_optimizer"]
        assert float(optimizer.learning_rate) == pytest.approx(rate)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)


@pytest.mark.one_backend
def test_a_learned_posterior_takes_more_outputs():
    built = replace(PRESETS["mnist"], posterior_std=None).model_arguments()
    assert built["space"]["continuous"].posterior_std is None
    assert built["q_head"].compute_output_shape((8, 1024)) == (8, 10 + 2 + 2)
    assert trainable([built["q_head"]]) == 1024 * 128 + 2 * 128 + 128 * (10 + 4) + (10 + 4)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: mnist_networks(0), r"`latent_dim` must be .* Received: latent_dim=0"),
        (lambda: mnist_networks(7.5), r"`latent_dim` must be .* Received: latent_dim=7.5"),
        (
            lambda: replace(PRESETS["mnist"], networks="emnist").model_arguments(),
            r"`networks` must be one of .*'mnist'.* Received: networks='emnist'",
        ),
        (
            lambda: replace(PRESETS["mnist"], categories=(1,)).latent_space(),
            r"`num_categories` must be .* Received: num_categories=1",
        ),
        (
            lambda: replace(PRESETS["mnist"], categories=(), continuous=0).model_arguments(),
            "`space` must be a `LatentSpace` with an informative code",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
