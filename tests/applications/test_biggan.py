"""BigGAN and BigGAN-deep: sizes, graph, use, statistics, saving, training."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from scipy.stats import truncnorm
from tiny_training import weights

from keras_disentangle.applications import BigGAN, BigGANDeep
from keras_disentangle.applications.biggan.networks import WIDTHS, LastAxisSlice, LeadingConv2D
from keras_disentangle.layers import SpectralConv2D
from keras_disentangle.losses import HessianPenaltyLoss

TINY = {"channels": 4, "num_classes": 5, "kernel_initializer": "glorot_uniform"}
SMALL = {"image_size": 32, "latent_dim": 12, "embedding_dim": 6, **TINY}
DEEP = {"image_size": 32, "latent_dim": 6, **TINY}
BACKEND = keras.backend.backend()
KINDS = {"biggan": (BigGAN, SMALL), "biggan_deep": (BigGANDeep, DEEP)}


def numbers(x):
    return ops.convert_to_numpy(x)


@pytest.fixture(scope="module")
def small():
    return BigGAN(**SMALL, seed=3)


@pytest.fixture(scope="module")
def deep():
    model = BigGANDeep(**DEEP, seed=3)
    set_statistics(model)
    return model


def set_statistics(model):
    """Makes the rows differ."""
    place = np.linspace(-1, 1, 51)[:, None]
    for i, layer in enumerate(model.layers):
        if hasattr(layer, "moving_mean"):
            layer.moving_mean.assign(place * np.cos(np.arange(layer.moving_mean.shape[1]) + i))
            layer.moving_variance.assign(1 + 0.5 * place * np.ones(layer.moving_mean.shape))


def codes(model, n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, model.latent_dim)).astype("float32")


# The networks

# `sum(p.numel() for p in model.parameters())` of the published PyTorch models: the `Generator`
# (G_ch=96, dim_z=20 * chunks, resolution, G_attn="64", n_classes=1000, G_shared=True,
# shared_dim=128, hier=True) of BigGAN-PyTorch as shipped with the Hessian Penalty (commit 559a270),
# and the configurations 128, 256 and 512 of pytorch-pretrained-biggan 0.1.1.
PARAMETERS = {
    ("BigGAN", 32): 9_358_595,
    ("BigGAN", 64): 70_083_972,
    ("BigGAN", 128): 70_433_988,
    ("BigGAN", 256): 82_235_844,
    ("BigGAN", 512): 82_468_068,
    ("BigGANDeep", 128): 50_388_609,
    ("BigGANDeep", 256): 55_880_833,
    ("BigGANDeep", 512): 56_163_905,
}
# The weights are never made; in this process, the next that are would bring them about.
DESCRIBE = """
import json, math, keras, keras_disentangle as kd
found = []
for kind, image_size in {models}:
    with keras.StatelessScope(initialize_variables=False):
        model = getattr(kd.applications, kind)(image_size=image_size)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    found.append(dict(
        parameters=sum(math.prod(v.shape) for v in model.trainable_variables),
        shapes={{layer.name: layer.output.shape[1:] for layer in model.layers}},
        inputs=[x.name for x in model.inputs],
        attributes=[model.latent_dim, model.num_classes, model.image_shape],
    ))
print(json.dumps(found))
"""


@pytest.mark.one_backend
def test_the_published_sizes():
    code = DESCRIBE.format(models=list(PARAMETERS))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    described = json.loads(run.stdout.splitlines()[-1])
    for (kind, image_size), found in zip(PARAMETERS, described, strict=True):
        assert found["parameters"] == PARAMETERS[kind, image_size], (kind, image_size)
        stages = len(WIDTHS[image_size]) - 1
        latent_dim = 128 if kind == "BigGANDeep" else 20 * (stages + 1)
        assert found["attributes"] == [latent_dim, 1000, [image_size, image_size, 3]]
        assert found["inputs"] == ["z", "label"]
        shapes = found["shapes"]
        assert shapes["z"] == [latent_dim] and shapes["label"] == []
        assert shapes["output_tanh"] == [image_size, image_size, 3]
        assert shapes["embedding"] == [128] and "project" in shapes
        assert shapes.get("attention", [64, 64])[:2] == [64, 64]
        assert ("attention" in shapes) == (image_size >= 64)
        blocks, convs = (stages, 2) if kind == "BigGAN" else (2 * stages, 4)
        for what in ("norm", "relu", "conv"):
            expected = {
                f"block_{i}_{what}_{j}" for i in range(1, blocks + 1) for j in range(1, convs + 1)
            }
            assert {name for name in shapes if f"_{what}_" in name} == expected
        channels = 96 if kind == "BigGAN" else 128
        for i, width in enumerate(WIDTHS[image_size][1:], start=1):
            last = i if kind == "BigGAN" else 2 * i
            assert shapes[f"block_{last}_add"] == [4 * 2**i, 4 * 2**i, channels * width]


def test_each_chunk_of_z_enters_at_its_block(small):
    """What comes before does not depend on it."""
    names = ["project", *(f"block_{i}_norm_1" for i in (1, 2, 3))]
    network = keras.Model(small.inputs, [small.get_layer(name).output for name in names])
    z, labels = codes(small, 2), np.array([1, 4], "int32")
    before = network.predict([z, labels], verbose=0)
    for chunk in range(4):
        moved = z.copy()
        moved[:, 3 * chunk : 3 * chunk + 3] += 1
        now = network.predict([moved, labels], verbose=0)
        changed = [(a != b).any() for a, b in zip(before, now, strict=True)]
        assert changed == [i >= chunk for i in range(4)]
    now = network.predict([z, labels[::-1].copy()], verbose=0)
    changed = [(a != b).any() for a, b in zip(before, now, strict=True)]
    assert changed == [False, True, True, True]


def normalized(layer):
    kernel, left, right = map(numbers, (layer.kernel, layer.left, layer.right))
    return kernel / (right @ kernel.reshape(len(right), -1) @ left)


def dense(layer, x):
    return x @ normalized(layer) + (numbers(layer.bias) if layer.use_bias else 0)


def conv(layer, x, outputs=None):
    kernel, bias = normalized(layer), numbers(layer.bias)
    k = kernel.shape[0]
    x = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))
    return (np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias)[..., :outputs]


def norm(layer, x, condition=None, row=0):
    mean, variance = numbers(layer.moving_mean)[row], numbers(layer.moving_variance)[row]
    if condition is None:
        gain, bias = numbers(layer.gamma), numbers(layer.beta)
    else:
        gain = 1 + dense(layer.gain, condition)[:, None, None]
        bias = dense(layer.bias, condition)[:, None, None]
    return np.maximum((x - mean) / np.sqrt(variance + layer.epsilon) * gain + bias, 0)


def doubled(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def test_biggan_beside_numpy(small):
    z, labels, layer = codes(small, 2), np.array([1, 4], "int32"), small.get_layer
    embedding = numbers(layer("embedding").embeddings)[labels]
    x = dense(layer("project"), z[:, :3]).reshape(2, 4, 4, 16)
    for i in (1, 2, 3):
        condition = np.concatenate([embedding, z[:, 3 * i : 3 * i + 3]], axis=1)
        y = doubled(norm(layer(f"block_{i}_norm_1"), x, condition))
        y = norm(layer(f"block_{i}_norm_2"), conv(layer(f"block_{i}_conv_1"), y), condition)
        y = conv(layer(f"block_{i}_conv_2"), y)
        x = y + conv(layer(f"block_{i}_shortcut"), doubled(x))
    expected = np.tanh(conv(layer("output_conv"), norm(layer("output_norm"), x)))
    images = numbers(small([ops.convert_to_tensor(z), ops.convert_to_tensor(labels)]))
    assert abs(expected).max() > 0.1
    np.testing.assert_allclose(images, expected, rtol=1e-3, atol=1e-4)
    images = numbers(small.decode(z, labels))
    np.testing.assert_allclose(images, (expected + 1) / 2, rtol=1e-3, atol=1e-4)


def test_biggan_deep_beside_numpy(deep):
    z, labels, layer = codes(deep, 2), np.array([1, 4], "int32"), deep.get_layer
    condition = np.concatenate([z, numbers(layer("embedding").embeddings)[labels]], axis=1)
    x = dense(layer("project"), condition).reshape(2, 4, 4, 16)
    for i in range(1, 7):
        y = x
        for j in range(1, 5):
            y = norm(layer(f"block_{i}_norm_{j}"), y, condition, row=20)
            if j == 2 and i % 2 == 0:
                y = doubled(y)
            y = conv(layer(f"block_{i}_conv_{j}"), y)
        x = y + (x if i % 2 else doubled(x))
    x = conv(layer("output_conv"), norm(layer("output_norm"), x, row=20), outputs=3)
    deep.truncation = 0.4
    images = numbers(deep([ops.convert_to_tensor(z), ops.convert_to_tensor(labels)]))
    deep.truncation = 1.0
    assert images.shape == (2, 32, 32, 3) and abs(images).max() > 0.1
    np.testing.assert_allclose(images, np.tanh(x), rtol=1e-3, atol=1e-3)


def test_channels_are_dropped_from_the_end():
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype("float32")
    np.testing.assert_array_equal(numbers(LastAxisSlice(1, 2)(x)), x[..., 1:3])
    whole, leading = SpectralConv2D(5, 3), LeadingConv2D(5, 3, leading=2)
    for layer in (whole, leading):
        layer.build(x.shape)
    leading.set_weights([*whole.get_weights()[:1], np.arange(5), *whole.get_weights()[2:]])
    whole.set_weights(leading.get_weights())
    y = numbers(leading(x))
    assert y.shape == leading.compute_output_shape(x.shape)
    np.testing.assert_allclose(y, numbers(whole(x))[..., :2], rtol=1e-4, atol=1e-5)


# Use


def test_sampling(small):
    images = numbers(small.sample(2, truncation=0.5, seed=7))
    assert images.shape == (2, 32, 32, 3) and images.dtype == "float32"
    assert 0 <= images.min() < images.max() <= 1
    np.testing.assert_array_equal(numbers(small.sample(2, truncation=0.5, seed=7)), images)
    random = np.random.RandomState(7)
    z = 0.5 * random.normal(size=(2, 12))
    labels = random.randint(5, size=2)
    np.testing.assert_allclose(numbers(small.decode(z, labels)), images, atol=1e-6)
    for labels, same in ((2, [2, 2]), (np.array([0, 4]), [0, 4])):
        images = numbers(small.sample(2, labels, seed=7))
        z = np.random.RandomState(7).normal(size=(2, 12))
        np.testing.assert_allclose(numbers(small.decode(z, same)), images, atol=1e-6)
    # Without a seed, the model's own random numbers go on; those of `seed=3` begin alike.
    first, second = (numbers(small.sample(2)) for _ in range(2))
    assert abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(first, numbers(small.sample(2, seed=3)))


def test_sampling_truncates_latents_and_statistics(deep):
    z = 0.5 * truncnorm.rvs(-2, 2, size=(2, 6), random_state=np.random.RandomState(7))
    images = numbers(deep.sample(2, 3, truncation=0.5, seed=7))
    assert deep.truncation == 1.0
    assert abs(numbers(deep.decode(z, 3)) - images).max() > 1e-3
    deep.truncation = 0.5
    np.testing.assert_allclose(numbers(deep.decode(z, 3)), images, atol=1e-6)
    np.testing.assert_array_equal(numbers(deep.sample(2, 3, seed=7)), images)
    deep.truncation = 1.0


@pytest.mark.compiled(True)
def test_truncation_recompiles_nothing(deep):
    inputs = [codes(deep, 2), np.array([0, 1], "int32")]
    before, compiled = deep.predict(inputs, verbose=0), deep.predict_function
    deep.truncation = 0.5
    now = deep.predict(inputs, verbose=0)
    assert deep.predict_function is compiled
    deep.truncation = 1.0
    assert abs(now - before).max() > 1e-3
    np.testing.assert_array_equal(deep.predict(inputs, verbose=0), before)


def gradient_by_z(model, z, labels):
    """Of the sum of the images."""
    labels = ops.convert_to_tensor(labels)
    if BACKEND == "torch":
        import torch

        z = torch.tensor(z, requires_grad=True)
        return torch.autograd.grad(model([z, labels], training=False).sum(), z)[0].numpy()
    if BACKEND == "tensorflow":
        import tensorflow as tf

        z = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(z)
            total = tf.reduce_sum(model([z, labels], training=False))
        return tape.gradient(total, z).numpy()
    import jax

    return np.asarray(jax.jit(jax.grad(lambda z: model([z, labels], training=False).sum()))(z))


def test_a_frozen_generator():
    model = BigGAN(**SMALL)
    model.trainable = False
    assert not model.trainable_variables
    z, labels, before = codes(model, 2), np.array([0, 3], "int32"), weights(model)
    inputs = [ops.convert_to_tensor(z), ops.convert_to_tensor(labels)]
    images = numbers(model(inputs, training=False))
    for training in (False, True):
        np.testing.assert_array_equal(numbers(model(inputs, training=training)), images)
    found = gradient_by_z(model, z, labels)
    for a, b in zip(weights(model), before, strict=True):
        np.testing.assert_array_equal(a, b)

    def total(i, step):
        moved = z.copy()
        moved[:, i] += step
        moved = [ops.convert_to_tensor(moved), inputs[1]]
        return numbers(model(moved)).astype("float64").sum(axis=(1, 2, 3))

    for i in (0, 4, 11):
        slope = (total(i, 5e-3) - total(i, -5e-3)) / 1e-2
        np.testing.assert_allclose(found[:, i], slope, rtol=0.05, atol=0.05 * abs(slope).max())


def test_hessian_penalty_of_a_layer(small):
    penalty = HessianPenaltyLoss(small, "block_2_norm_1", seed=0)
    value = numbers(penalty([codes(small, 2), np.array([0, 1], "int32")]))
    assert np.isfinite(value) and value > 0


# Statistics


def test_standing_statistics(small):
    """By hand: the first normalisation sees the batches, the next what that makes of them."""
    state = {variable.path: numbers(variable) for variable in small.variables}
    small.standing_statistics(num_batches=3, batch_size=2, truncation=0.5, seed=7)
    random, layer = np.random.RandomState(7), small.get_layer
    found = {"block_1_norm_1": [], "block_1_norm_2": []}
    for _ in range(3):
        z, labels = 0.5 * random.normal(size=(2, 12)), random.randint(5, size=2)
        x = dense(layer("project"), z[:, :3]).reshape(2, 4, 4, 16)
        embedding = numbers(layer("embedding").embeddings)[labels]
        condition = np.concatenate([embedding, z[:, 3:6]], axis=1)
        for name in found:
            mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
            found[name].append((mean, variance))
            gain = 1 + dense(layer(name).gain, condition)[:, None, None]
            bias = dense(layer(name).bias, condition)[:, None, None]
            x = np.maximum((x - mean) / np.sqrt(variance + 1e-5) * gain + bias, 0)
            x = conv(layer("block_1_conv_1"), doubled(x)) if name == "block_1_norm_1" else x
    for name, values in found.items():
        mean, variance = np.mean(values, axis=0)
        np.testing.assert_allclose(numbers(layer(name).moving_mean)[0], mean, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(numbers(layer(name).moving_variance)[0], variance, rtol=2e-3)
    for variable in small.variables:
        changed = (numbers(variable) != state[variable.path]).any()
        assert changed == ("moving" in variable.path), variable.path
    assert len(small.trainable_variables) > 20


def test_standing_statistics_are_all_or_nothing(small, monkeypatch):
    before, number = weights(small), len(small.trainable_variables)
    draws = iter([(codes(small, 2), 0), (codes(small, 2), 5)])
    monkeypatch.setattr(small, "_draw", lambda *args: next(draws))
    with pytest.raises(ValueError, match=r"`labels` must lie in \[0, 5\). Received: labels=5"):
        small.standing_statistics(num_batches=2, batch_size=2)
    for a, b in zip(weights(small), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert small.get_layer("output_norm").batches_averaged is None
    assert len(small.trainable_variables) == number


def test_standing_statistics_fill_one_row(deep):
    table = deep.get_layer("block_3_norm_2").moving_mean
    before = numbers(table)
    deep.standing_statistics(num_batches=1, batch_size=2, truncation=0.4)
    changed = (numbers(table) != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [20] and deep.truncation == 1.0
    with pytest.raises(ValueError, match="`truncation` must be .* multiples of 0.02. Rec.*=0.41"):
        deep.standing_statistics(num_batches=1, batch_size=2, truncation=0.41)


# Training, saving


@pytest.mark.parametrize("name", KINDS)
def test_it_trains_is_saved_and_loaded(name, tmp_path):
    kind, arguments = KINDS[name]
    model = kind(**arguments, seed=1)
    inputs = [codes(model, 2), np.array([1, 4], "int32")]
    # Six blocks would take long to compile.
    last = "output_tanh" if kind is BigGAN else "block_2_add"
    part = keras.Model(model.inputs, model.get_layer(last).output)
    part.compile(keras.optimizers.SGD(0.1), "mse")
    before = weights(part)
    part.fit(inputs, np.zeros((2, *part.output_shape[1:])), batch_size=2, verbose=0)
    for variable, old in zip(part.weights, before, strict=True):
        moves = variable.trainable or "moving" in variable.path
        assert (numbers(variable) != old).any() or not moves, variable.path
    if kind is BigGANDeep:
        table = numbers(model.get_layer("block_1_norm_1").moving_mean)
        assert np.flatnonzero(table.any(axis=1)).tolist() == [50]
        model.truncation = 0.405
    images = numbers(model.decode(*inputs))

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is kind and loaded.get_config() == model.get_config()
    json.dumps(loaded.get_config())
    for a, b in zip(weights(loaded), weights(model), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(numbers(loaded.decode(*inputs)), images)
    if kind is BigGANDeep:
        assert loaded.truncation == 0.405

    model.save_weights(tmp_path / "model.weights.h5")
    other = kind(tmp_path / "model.weights.h5", **arguments)
    for a, b in zip(weights(other), weights(model), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="`weights` must name an existing file. Received: .*none"):
        kind(tmp_path / "none.weights.h5", **arguments)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_architecture(small, tmp_path):
    small.save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(ValueError, match="whole weights file of this architecture. Received: .*"):
        BigGAN(str(tmp_path / "model.weights.h5"), **{**SMALL, "num_classes": 6})


def test_names_are_no_weights():
    with pytest.raises(ValueError, match=r"one of \[\]. Received: weights='imagenet'"):
        BigGAN("imagenet", **SMALL)


def test_a_frozen_model_loads_frozen(small):
    config = {**small.get_config(), "trainable": False}
    assert not BigGAN.from_config(config).trainable_variables


def test_half_precision(tmp_path):
    model = BigGAN(**SMALL, dtype="mixed_bfloat16")
    images = model.predict([codes(model, 2), np.array([0, 1])], verbose=0)
    assert images.dtype == "float32" and np.isfinite(images).all()
    assert model.get_layer("block_1_conv_1").output.dtype == "bfloat16"
    other = BigGAN.from_config(json.loads(json.dumps(model.get_config())))
    assert other.get_layer("block_1_conv_1").compute_dtype == "bfloat16"


# Bad input


@pytest.mark.parametrize(
    "kind, arguments, message",
    [
        (BigGAN, {"image_size": 100}, r"`image_size` must be one of \(32, .* Received: .*=100"),
        (BigGAN, {"image_size": "a"}, "`image_size` must be one of .* Received: image_size='a'"),
        (BigGAN, {"channels": 6}, "`channels` must be a multiple of 4. Received: channels=6"),
        (BigGANDeep, {"channels": 0}, "`channels` must be an integer >= 4. Received: channels=0"),
        (BigGAN, {"latent_dim": 10}, "`latent_dim` must be a multiple of 4 .* Received: .*=10"),
        (BigGANDeep, {"latent_dim": 0}, "`latent_dim` must be an integer >= 1. Received: .*=0"),
        (BigGAN, {"num_classes": 2.5}, "`num_classes` must be an integer >= 1. Received: .*=2.5"),
        (BigGAN, {"embedding_dim": 0}, "`embedding_dim` must be an integer >= 1. Rec.*=0"),
        (BigGAN, {"seed": -1}, "`seed` must be an integer >= 0. Received: seed=-1"),
        (BigGANDeep, {"interpolation": "cubic"}, "`interpolation` must be one of .*'cubic'"),
    ],
)
def test_bad_arguments_are_named(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**{**(SMALL if kind is BigGAN else DEEP), **arguments})


@pytest.mark.parametrize(
    "method, arguments, message",
    [
        ("decode", {"z": np.zeros((2, 5)), "labels": 0}, r"`z` .* \(n, 12\). Received: .*\(2, 5\)"),
        ("decode", {"z": np.zeros(12), "labels": 0}, r"`z` .* Received: z.shape=\(12,\)"),
        ("decode", {"labels": 5}, r"`labels` must lie in \[0, 5\). Received: labels=5"),
        ("decode", {"labels": [0, -1]}, r"`labels` must lie in \[0, 5\). Received: .*\[0, -1\]"),
        ("decode", {"labels": 1.0}, r"`labels` must be an integer or .*\(2,\). Rec.*=1.0"),
        ("decode", {"labels": [0.5, 1]}, r"`labels` must be an integer or .*=\[0.5, 1\]"),
        ("decode", {"labels": True}, "`labels` must be an integer or .*=True"),
        ("decode", {"labels": [1]}, r"`labels` must be an integer or .*=\[1\]"),
        ("decode", {"labels": [[1, 2]]}, r"`labels` must be an integer or .*=\[\[1, 2\]\]"),
        ("decode", {"labels": None}, "`labels` must be an integer or .*=None"),
        ("sample", {"n": 0}, "`n` must be an integer >= 1. Received: n=0"),
        ("sample", {"n": 2, "labels": [1, 2, 3]}, "`labels` must be an integer or "),
        ("sample", {"n": 2, "seed": "a"}, "`seed` must be an integer >= 0. Received: seed='a'"),
        ("sample", {"n": 2, "truncation": 0}, r"`truncation` must be .* \(0, 1\]. Received: .*=0"),
        ("sample", {"n": 2, "truncation": 1.5}, "`truncation` must be .* Received: .*=1.5"),
        ("standing_statistics", {"num_batches": 0}, "`num_batches` must be an integer >= 1."),
        ("standing_statistics", {"batch_size": 1}, "`batch_size` must be an integer >= 2."),
        ("standing_statistics", {"truncation": 2}, "`truncation` must be .* Received: .*=2"),
        ("standing_statistics", {"batch_size": 2, "labels": 9}, "`labels` must lie in"),
    ],
)
def test_bad_inputs_are_named(small, method, arguments, message):
    if method == "decode":
        arguments = {"z": np.zeros((2, 12)), **arguments}
    with pytest.raises(ValueError, match=message):
        getattr(small, method)(**arguments)


@pytest.mark.parametrize("truncation", [0, 1.5, "a"])
def test_bad_truncations_change_nothing(deep, truncation):
    message = r"`truncation` must be a number in \(0, 1\]. Received: truncation="
    with pytest.raises(ValueError, match=message):
        deep.truncation = truncation
    with pytest.raises(ValueError, match=message):
        deep.sample(1, truncation=truncation)
    assert deep.truncation == 1.0
