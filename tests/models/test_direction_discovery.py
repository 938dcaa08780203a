"""The penalty of directions in NumPy, what it finds, and all the forms of a generator."""

import importlib.util
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.optimizers import SGD, Adam
from scipy.special import expit
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_networks import (
    IMAGE_SHAPE,
    IMAGES,
    conditional_generator,
    network,
    player_networks,
    progressive_networks,
    two_layer_generator,
)
from tiny_training import fit, numbers

from keras_disentangle.applications.progressive_gan.networks import ProgressiveGenerator
from keras_disentangle.callbacks import TensorBoardScalars
from keras_disentangle.latents import LatentSpace, Normal, Uniform
from keras_disentangle.layers import LatentDirections
from keras_disentangle.models import GAN, DirectionDiscovery, ProgressiveGAN

BACKEND = keras.backend.backend()
BATCH = np.zeros(6, "float32")  # what `fit` gives: as many as there are latents


def discovery(generator=None, *arguments, **settings):
    generator = two_layer_generator(4, False) if generator is None else generator
    return DirectionDiscovery(generator, *arguments, **{"seed": 1, **settings})


def objective(model, batch=None):
    batch = model.prepare(BATCH) if batch is None else batch
    return float(numbers([model.objective(batch, ())])[0])


def matrix(model):
    return ops.convert_to_numpy(model.directions.matrix())


def gram_schmidt(rows):
    basis, triangle = np.linalg.qr(rows.T)
    return (basis * np.sign(np.diagonal(triangle))).T


# The objective, in NumPy


def curved_generator():
    """A generator whose second derivatives are of the size of its outputs, and its activations."""
    rng, generator = np.random.default_rng(3), two_layer_generator(4, False)
    a, b, c, d = (rng.normal(size=w.shape) for w in generator.weights)
    generator.set_weights([a, b, c, d])

    def activations(z):
        first = np.tanh(z @ a + b)
        last = expit(first @ c + d)
        return {"first": first, "last": last, "pixels": last}

    return generator, activations


def estimate(activations, names, kernel, batch, k, epsilon, reduction, unbiased):
    """The authors' estimator, of 2k + 1 evaluations at steps w, in float64: a dict."""
    q = gram_schmidt(np.asarray(kernel, "float64"))
    drawn = batch["z"], batch["step"], batch["along"][0]
    z, step, signs = (np.asarray(values, "float64") for values in drawn)
    w = step * np.eye(len(q))[batch["index"]]
    centre, found = activations(z + w @ q), {name: [] for name in names}
    for i in range(k):
        v = epsilon * signs[:, i]
        forth, back = activations(z + (w + v) @ q), activations(z + (w - v) @ q)
        for name in names:
            found[name].append((forth[name] - 2 * centre[name] + back[name]) / epsilon**2)
    return {name: reduction(np.var(found[name], axis=0, ddof=unbiased)) for name in names}


def drawn(model):
    """What a step on six latents draws."""
    batch = model.prepare(BATCH)
    return {key: ops.convert_to_numpy(value) for key, value in batch.items() if value is not None}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_directions": 5, "epsilon": 0.3},
        {"unbiased": False, "reduction": "max"},
        {"outputs": ["first", "last"]},
        {"outputs": "first", "one_pass": True},
    ],
)
def test_the_objective_is_the_authors_estimator(settings):
    generator, activations = curved_generator()
    directions = LatentDirections(4, 3, seed=2)
    model = discovery(generator, directions, hessian_penalty=settings)
    batch = model.prepare(BATCH)
    value = objective(model, batch)
    names = settings.get("outputs", "pixels")
    expected = estimate(
        activations,
        [names] if isinstance(names, str) else names,
        ops.convert_to_numpy(directions.kernel),
        {key: ops.convert_to_numpy(x) for key, x in batch.items() if x is not None},
        settings.get("num_directions", 2),
        settings.get("epsilon", 0.1),
        {"max": np.max}.get(settings.get("reduction"), np.mean),
        settings.get("unbiased", True),
    )
    # In float32, differences over 0.1 squared lose two to three digits.
    assert value == pytest.approx(sum(expected.values()), rel=2e-3) and value > 1e-3
    for name, part in expected.items():
        logged = float(model.trackers[f"hessian_penalty_{name}"].result())
        assert logged == pytest.approx(part, rel=2e-3)


def test_exact_derivatives_give_the_limit_of_small_steps():
    values = []
    for settings in ({"method": "exact"}, {"epsilon": 0.03}):
        model = discovery(curved_generator()[0], hessian_penalty=settings)
        values.append(objective(model))
    assert values[0] == pytest.approx(values[1], rel=0.1)


def test_a_step_goes_down_the_gradient(tabled_noise):
    generator, activations = curved_generator()
    directions = LatentDirections(4, 2, seed=2)
    model = discovery(generator, directions, hessian_penalty={"epsilon": 0.5})
    batch, before = drawn(model), ops.convert_to_numpy(directions.kernel)

    def estimated(kernel):
        return estimate(activations, ["pixels"], kernel, batch, 2, 0.5, np.mean, True)["pixels"]

    expected = np.zeros_like(before)
    for place in np.ndindex(*before.shape):
        step = np.zeros(before.shape)
        step[place] = 1e-5
        expected[place] = (estimated(before + step) - estimated(before - step)) / 2e-5
    model.compile(SGD(1.0))
    logs = model.fit(1, batch_size=6, verbose=0).history
    moved = before - ops.convert_to_numpy(directions.kernel)
    np.testing.assert_allclose(moved, expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())
    assert logs["hessian_penalty"][0] == pytest.approx(estimated(before), rel=1e-3)


def test_what_is_drawn():
    space = LatentSpace([Normal(2), Uniform(2)])
    model = discovery(
        conditional_generator(4, 6),
        LatentDirections(4, 3, seed=0),
        space,
        labels=(5, 0),
        num_classes=6,
        path_size=2.0,
        hessian_penalty={"num_directions": 3},
    )
    batch = model.prepare(np.zeros(3000))
    w = ops.convert_to_numpy(model.steps_along(batch))
    batch = {key: ops.convert_to_numpy(value) for key, value in batch.items()}
    assert batch["z"].shape == (3000, 4) and np.abs(batch["z"][:, 2:]).max() <= 1
    assert batch["step"].shape == (3000, 1) and np.abs(batch["step"]).max() <= 2
    assert batch["step"].std() == pytest.approx(2 / np.sqrt(3), rel=0.05)
    assert abs(batch["step"].mean()) < 4 * 2 / np.sqrt(3 * 3000)
    for key, values in (("index", [0, 1, 2]), ("labels", [0, 5])):
        found, counts = np.unique(batch[key], return_counts=True)
        assert found.tolist() == values
        np.testing.assert_allclose(counts, 3000 / len(values), rtol=0.1)
    assert batch["along"][0].shape == (3000, 3, 3) and set(np.unique(batch["along"])) == {-1, 1}
    assert (np.count_nonzero(w, axis=1) == 1).all()
    np.testing.assert_array_equal(w.sum(axis=1, keepdims=True), batch["step"])
    assert (w[np.arange(3000), batch["index"]] != 0).all()


# What it finds


@pytest.fixture(scope="module")
def recovery():
    path = Path(__file__).parents[2] / "scripts" / "benchmarks" / "recovered_directions.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [4, 8, 16])
def test_the_directions_of_a_separable_generator_are_found(recovery, size, seed):
    settings = {"optimizer": Adam(0.03), "hessian_penalty": {"one_pass": True}}
    found = recovery.run(size, seed, steps=100 + 25 * size, batch_size=16, **settings)
    error = np.sqrt((1 / size - found["theory"] ** 2) / size**2)
    assert abs(found["start"] - found["theory"]) < 4 * error
    assert found["matched"] < 0.9
    assert found["learnt"] >= 0.95
    assert found["penalty"][1] < 0.1 * found["penalty"][0]


def test_the_generator_stays_as_it_is():
    generator = network(
        (4,),
        layers.Dense(12),
        layers.BatchNormalization(),
        layers.Activation("tanh"),
        layers.Dropout(0.5, seed=3),
        layers.Reshape((2, 2, 3)),
    )
    rng = np.random.default_rng(0)
    generator.set_weights([rng.uniform(0.5, 1.0, w.shape) for w in generator.weights])
    generator.trainable = False
    before = numbers(generator.variables)  # among them the state of the dropout's seed
    model = discovery(generator)
    start = matrix(model)
    assert [v.path for v in model.trainable_variables] == [model.directions.kernel.path]
    fit(model, epochs=5)
    for variable, old in zip(generator.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), old, variable.path)
    after = matrix(model)
    assert (after != start).any()
    np.testing.assert_allclose(after @ after.T, np.eye(4), atol=1e-5)
    # As at inference: nothing is drawn.
    z = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(*(ops.convert_to_numpy(model.decode(z)) for _ in range(2)))


# Use


def test_edits():
    model = discovery(None, LatentDirections(4, 3, seed=0))
    z, rows = np.random.default_rng(0).normal(size=(5, 4)).astype("float32"), matrix(model)
    for amount in (2.5, np.linspace(-1, 1, 5)):
        moved = ops.convert_to_numpy(model.edit(z, 1, amount))
        expected = z + np.reshape(amount, (-1, 1)) * rows[1]
        np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-6)
        assert moved.dtype == np.float32
        moved = ops.convert_to_numpy(model.edit(z, 1, amount, orthogonal=True))
        np.testing.assert_allclose(moved, expected - np.outer(z @ rows[1], rows[1]), atol=1e-5)
        # All are as far along the direction.
        np.testing.assert_allclose(moved @ rows[1], amount * np.ones(5), atol=1e-5)


@pytest.mark.parametrize(
    "activation, image_range, low, high",
    [
        ("tanh", "auto", -1, 1),
        ("sigmoid", "auto", 0, 1),
        ("linear", "auto", 0, 1),
        ("tanh", None, 0, 1),
        ("linear", (-2, 6.0), -2, 6),
    ],
)
def test_images_are_in_the_unit_interval(activation, image_range, low, high):
    generator = network((4,), layers.Dense(12, activation), layers.Reshape((2, 2, 3)))
    generator.trainable = False
    model = discovery(generator, image_range=image_range)
    z = 3 * np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    images = ops.convert_to_numpy(generator(z))
    np.testing.assert_allclose(model.predict(z, verbose=0), images, rtol=1e-5, atol=1e-6)
    decoded = ops.convert_to_numpy(model.decode(z))
    np.testing.assert_allclose(decoded, (images - low) / (high - low), rtol=1e-5, atol=1e-6)
    if activation != "linear" and image_range is not None:
        assert 0 <= decoded.min() and decoded.max() <= 1


def test_samples():
    model = discovery(space=LatentSpace([Uniform(4)]))
    first, same, other = (ops.convert_to_numpy(model.sample(3, seed=s)) for s in (1, 1, 2))
    assert first.shape == (3, *IMAGE_SHAPE)
    assert (first == same).all() and (first != other).any()
    expected = ops.convert_to_numpy(model.decode(model.space.sample(3, seed=1)))
    np.testing.assert_array_equal(first, expected)

    model = discovery(conditional_generator(4, 5), labels=(4, 2), num_classes=5)
    z = model.space.sample(40, seed=1)
    known = [ops.convert_to_numpy(model.decode(z, label)) for label in range(5)]
    # Classes are drawn if they are not given.
    found = ops.convert_to_numpy(model.sample(40, seed=1))
    same = [(found == images).all(axis=(1, 2, 3)) for images in known]
    assert [(part.sum() > 5) for part in same] == [False, False, True, False, True]
    np.testing.assert_array_equal(found, ops.convert_to_numpy(model.sample(40, seed=1)))
    # One that is not among those that are trained on may be given.
    np.testing.assert_array_equal(ops.convert_to_numpy(model.sample(40, 1, seed=1)), known[1])


# Generators


def conditional(form, order="zc", named=False):
    """A generator of four classes, the first of which must never be drawn, and its inputs."""
    z = keras.Input((4,), name="z")
    kernels = {
        name: keras.initializers.RandomNormal(0.0, 1.0, seed) for seed, name in enumerate("ab")
    }
    if form == "one-hot":
        label = keras.Input((4,), name="c")
        embedded = layers.Dense(5, kernel_initializer=kernels["a"])(label)
    else:
        shape = {"(batch,)": (), "(batch, 1)": (1,), "floats": (1,)}[form]
        dtype = "float32" if form == "floats" else "int32"
        label = keras.Input(shape, dtype=dtype, name="c")
        table = layers.Embedding(4, 5, kernels["a"])
        embedded = layers.Reshape((5,))(table(label))
        values = ops.convert_to_numpy(table.embeddings)
        table.set_weights([np.where(np.arange(4)[:, None] == 0, np.nan, values)])
    hidden = layers.Dense(5, "tanh", kernel_initializer=kernels["b"])(z)
    images = layers.Reshape(IMAGE_SHAPE)(layers.Dense(64, "tanh")(hidden * embedded))
    inputs = [z, label] if order == "zc" else [label, z]
    if named:
        inputs = {"z": z, "c": label}
    generator = keras.Model(inputs, images)
    generator.trainable = False
    return generator


@pytest.mark.parametrize(
    "form, order, named, argument",
    [
        ("(batch,)", "zc", False, 0),
        ("(batch,)", "cz", False, 1),
        ("(batch, 1)", "cz", False, "z"),
        ("(batch, 1)", "zc", False, "z"),
        ("floats", "zc", False, 0),
        ("one-hot", "zc", False, 0),
        ("one-hot", "cz", False, 1),
        ("(batch,)", "zc", True, "z"),
    ],
)
def test_generators_with_classes(form, order, named, argument):
    generator = conditional(form, order, named)
    num_classes = None if form == "one-hot" else 4
    model = discovery(generator, labels=[3, 1], num_classes=num_classes, argument=argument)
    assert model.num_classes == 4 and model.labels == (3, 1)
    z, labels = numbers([model.space.sample(3, seed=0)])[0], np.array([1, 3, 2])
    given = {
        "(batch,)": labels,
        "(batch, 1)": labels[:, None],
        "floats": labels[:, None].astype("float32"),
        "one-hot": np.eye(4, dtype="float32")[labels],
    }[form]
    inputs = {"z": z, "c": given} if named else [z, given] if order == "zc" else [given, z]
    expected = ops.convert_to_numpy(generator(inputs))
    decoded = ops.convert_to_numpy(model.decode(z, labels))
    np.testing.assert_allclose(decoded, (expected + 1) / 2, rtol=1e-5, atol=1e-6)
    one = ops.convert_to_numpy(model.decode(z, 3))
    np.testing.assert_array_equal(one[1], decoded[1])
    # The class 0 would give NaN.
    assert objective(model) > 0


def test_a_generator_that_tells_its_classes():
    class Told(keras.Model):
        num_classes = 7

    plain = conditional_generator(4, 7)
    told = Told(plain.inputs, plain.outputs[0])
    told.trainable = False
    assert discovery(told).labels == tuple(range(7))
    model = discovery(told, labels=6)
    assert model.labels == (6,)
    # The only class need not be given.
    z = model.space.sample(2, seed=0)
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(model.decode(z, labels)) for labels in (None, [6, 6]))
    )


@pytest.mark.parametrize("progressive", [False, True])
def test_the_generator_of_a_gan(progressive):
    if progressive:
        gan = ProgressiveGAN(**progressive_networks(4, resolution=4), ema_half_life=20, seed=1)
    else:
        gan = GAN(**player_networks(4, True, "tanh"), ema_decay=0.5, seed=1)
    # The running mean is another generator than the one that is trained.
    gan.ema_generator.set_weights([2 * value for value in gan.ema_generator.get_weights()])
    model = discovery(gan.ema_generator, space=gan.space, image_range=gan.image_range)
    assert objective(model) > 0
    z = gan.space.sample(3, seed=0)
    found, expected = (ops.convert_to_numpy(m.decode(z)) for m in (model, gan))
    # A `ProgressiveGAN` clips its images.
    found = found.clip(0, 1) if progressive else found
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="`generator` must be frozen"):
        discovery(gan.generator, space=gan.space)


@keras.saving.register_keras_serializable("tests")
class NoGraph(keras.Model):
    """Takes latents, or latents and classes, and does not say so."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(5, "tanh")
        self.last = layers.Dense(12, "tanh")

    def call(self, inputs):
        z = inputs
        if isinstance(inputs, (list, tuple)):
            z = inputs[0] + ops.cast(inputs[1], "float32")[:, None]
        return ops.reshape(self.last(self.first(z)), (-1, 2, 2, 3))


@pytest.mark.parametrize("labels", [None, (0, 2)])
def test_a_generator_without_a_graph(labels, tmp_path):
    generator, space = NoGraph(trainable=False), LatentSpace([Normal(4)])
    with pytest.raises(ValueError, match="`generator` must be a built Keras model. Received: .*No"):
        discovery(generator, space=space)
    z = np.ones((2, 4), "float32")
    inputs = z if labels is None else [z, np.array([0, 2])]
    expected = ops.convert_to_numpy(generator(inputs))
    model = discovery(generator, space=space, labels=labels, image_range=(-1, 1))
    decoded = model.decode(z, labels)
    np.testing.assert_allclose(ops.convert_to_numpy(decoded), (expected + 1) / 2, rtol=1e-5)
    assert objective(model) > 0 and list(model.trackers) == ["hessian_penalty"]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not loaded.generator.trainable_variables
    again = loaded.decode(z, labels)
    np.testing.assert_array_equal(*numbers([decoded, again]))
    assert objective(loaded) == objective(model)


# Files, logs and how a step runs


def test_files(tmp_path):
    model = discovery(None, LatentDirections(4, 2, seed=0))
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not loaded.generator.trainable and not loaded.generator.trainable_variables
    assert [v.shape for v in loaded.trainable_variables] == [(2, 4)]

    model.save_weights(tmp_path / "model.weights.h5")
    found = []
    with h5py.File(tmp_path / "model.weights.h5") as file:
        file.visititems(
            lambda name, item: found.append(item[...]) if name.endswith("/matrix") else None
        )
    np.testing.assert_array_equal(*found, matrix(model))
    np.testing.assert_allclose(found[0] @ found[0].T, np.eye(2), atol=1e-5)


def test_logs(tmp_path):
    model = discovery(hessian_penalty={"outputs": ["first", "last"]})
    history = fit(model, epochs=3, callbacks=[TensorBoardScalars(tmp_path)])
    events = EventAccumulator(str(tmp_path / "train")).Reload()
    names = ["hessian_penalty", "hessian_penalty_first", "hessian_penalty_last"]
    assert list(history) == names
    for name in names:
        written = events.Scalars(f"loss/epoch_{name}")
        assert [event.step for event in written] == [1, 2, 3]
        np.testing.assert_allclose([event.value for event in written], history[name], rtol=1e-6)
    sums = np.add(*(history[name] for name in names[1:]))
    np.testing.assert_allclose(history["hessian_penalty"], sums, rtol=1e-5)


class Counting(DirectionDiscovery):
    calls = 0

    def prepare(self, x):
        self.calls += 1
        return super().prepare(x)


def train_in_eight_steps(**way):
    generator, _ = curved_generator()
    model = Counting(generator, LatentDirections(4, 3, seed=2), seed=1)
    model.compile(Adam(0.02), **way)
    history = model.fit(4, batch_size=6, epochs=2, verbose=0).history["hessian_penalty"]
    return model, history, matrix(model)


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs Python at every step")
@pytest.mark.parametrize("way", [{"steps_per_execution": 4}, {"jit_compile": True}])
def test_every_way_to_run_a_step_is_the_same(tabled_noise, way):
    if BACKEND == "jax" and "jit_compile" in way:
        pytest.skip("JAX always compiles")
    model, *usual = train_in_eight_steps()
    assert model.calls == 1 and int(model.step) == 8  # traced once
    _, *found = train_in_eight_steps(**way)
    for a, b in zip(usual, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)


# Bad input


def frozen(*stack, shape=(4,)):
    generator = network(shape, *stack, layers.Dense(2))
    generator.trainable = False
    return generator


def three_inputs():
    inputs = [keras.Input((4,), name=name) for name in "abc"]
    generator = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(inputs)))
    generator.trainable = False
    return generator


def odd_classes():
    z, label = keras.Input((4,), name="z"), keras.Input((2, 3), name="label")
    generator = keras.Model([z, label], layers.Dense(2)(z) + ops.sum(label, axis=1)[:, :2])
    generator.trainable = False
    return generator


def classes(**arguments):
    return discovery(conditional_generator(4, 5), **arguments)


CONSTRUCTORS = [
    (
        lambda: discovery(two_layer_generator(4)),
        "`generator` must be frozen: set `generator.trainable = False`.* with 4 trainable",
    ),
    (lambda: discovery(lambda z: z), "`generator` must be a built Keras model. Received: .*lambda"),
    (lambda: discovery(keras.Sequential([layers.Dense(2)])), "`generator` must be a built"),
    (
        lambda: discovery(ProgressiveGenerator(4, 8, max_channels=4, trainable=False), argument=1),
        "`argument` must be 0 for a generator that is not a functional model. Received: argument=1",
    ),
    (lambda: discovery(argument=1), "`argument` must be the index or the name .* Received: .*=1"),
    (
        lambda: discovery(argument="z"),
        "`argument` must be the index or the name .* Received: .*'z'",
    ),
    (lambda: discovery(frozen(shape=(3, 4))), r"a float input \(batch, d\).* \(None, 3, 4\)"),
    (lambda: classes(labels=0, argument="label"), r"a float input \(batch, d\).* argument='label'"),
    (
        lambda: discovery(three_inputs()),
        "`generator` must take latents, .* and at most one more input.*'a'.*'b'.*'c'",
    ),
    (
        lambda: discovery(odd_classes(), labels=0),
        r"must take classes as indices .* Received: label of shape \(None, 2, 3\)",
    ),
    (lambda: discovery(space=4), "`space` must be a `LatentSpace`. Received: space=4"),
    (
        lambda: discovery(space=LatentSpace([Normal(5)])),
        "`space` must be as wide as the latent input of `generator`, 4.* of width 5",
    ),
    (
        lambda: discovery(frozen(layers.GlobalAveragePooling1D(), shape=(None, 4))),
        "`generator` must take latents",
    ),
    (
        lambda: discovery(None, LatentDirections(5)),
        "`directions` must be a `LatentDirections` in .* of width 4. Received: .*, of width 5",
    ),
    (
        lambda: discovery(None, np.eye(4)),
        "`directions` must be a `LatentDirections`.* Received: directions=array",
    ),
    (lambda: discovery(labels=1), "`labels` and `num_classes` must be None for .* one input"),
    (lambda: discovery(num_classes=5), "`labels` and `num_classes` must be None.* num_classes=5"),
    (lambda: classes(), "`num_classes` or `labels` must be given with a class-conditional"),
    (lambda: classes(num_classes=0), "`num_classes` must be an integer >= 1"),
    (
        lambda: discovery(conditional("one-hot"), num_classes=3),
        "`num_classes` must be that of `generator`, 4. Received: num_classes=3",
    ),
    (
        lambda: classes(num_classes=5, labels=5),
        "`labels` must be .* integers >= 0, below 5. Received: labels=5",
    ),
    (lambda: classes(labels=[0, -1]), r"integers >= 0. Received: labels=\[0, -1\]"),
    (lambda: classes(labels=[]), r"`labels` must be a class or a list .* labels=\[\]"),
    (lambda: classes(labels=[[1]]), r"`labels` must be a class or a list .* labels=\[\[1\]\]"),
    (lambda: classes(labels=1.0), "`labels` must be a class or a list .* labels=1.0"),
    (lambda: classes(labels=True), "`labels` must be a class or a list .* labels=True"),
    (lambda: discovery(path_size=-1), "`path_size` must be a finite number >= 0. Received: .*-1"),
    (lambda: discovery(image_range=(1, 0)), r"`image_range` must be .*image_range=\(1, 0\)"),
    (lambda: discovery(hessian_penalty={"weight": 1}), "`hessian_penalty` must be None or a dict"),
    (lambda: discovery(hessian_penalty=0.1), "`hessian_penalty` must be None or a dict"),
    (lambda: discovery(hessian_penalty={"outputs": "nowhere"}), "`outputs` must be layers of"),
    (lambda: discovery(hessian_penalty={"reduction": "sum"}), "`reduction` must be one of"),
]


@pytest.mark.parametrize("make, message", CONSTRUCTORS, ids=range(len(CONSTRUCTORS)))
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_space_must_be_given_where_the_width_is_not_told():
    generator = NoGraph(trainable=False)
    generator(np.ones((2, 4), "float32"))
    with pytest.raises(ValueError, match="`space` must be given with a generator that does not"):
        discovery(generator)


@pytest.fixture(scope="module")
def compiled():
    models = {"plain": discovery(), "classes": classes(labels=(1, 2), num_classes=5)}
    for model in models.values():
        model.compile()
    return models


Z = np.zeros((3, 4), "float32")
CALLS = [
    ("plain", lambda m: m.fit(IMAGES), "`steps` must be an integer >= 1. Received: steps=array"),
    ("plain", lambda m: m.fit(x=IMAGES), r"`fit` takes no data, .* the arguments \['x'\]"),
    (
        "plain",
        lambda m: m.fit(2, y=IMAGES, steps_per_epoch=3),
        r"`steps` is the length of an epoch. Received: the arguments \['y', 'steps_per_epoch'\]",
    ),
    ("plain", lambda m: m.fit(0), "`steps` must be an integer >= 1. Received: steps=0"),
    ("plain", lambda m: m.fit(1, batch_size=0), "`batch_size` must be an integer >= 1"),
    ("plain", lambda m: m.fit(1, validation_data=IMAGES), "`validation_data` must be left out"),
    (
        "plain",
        lambda m: m.compile(generator_optimizer="adam"),
        "needs the optimizers .'directions_",
    ),
    ("plain", lambda m: m.decode(Z[:, :3]), r"`z` must have the shape \(n, 4\). .*\(3, 3\)"),
    ("plain", lambda m: m.decode(Z[0]), r"`z` must have the shape \(n, 4\). .*\(4,\)"),
    ("plain", lambda m: m.decode(Z, 1), "`labels` must be None for a generator without classes"),
    ("plain", lambda m: m.sample(0), "`n` must be an integer >= 1. Received: n=0"),
    ("plain", lambda m: m.sample(2, labels=1), "`labels` must be None"),
    ("plain", lambda m: m.edit(Z, 4, 1.0), "`direction` must be below 4. Received: direction=4"),
    ("plain", lambda m: m.edit(Z, -1, 1.0), "`direction` must be an integer >= 0"),
    ("plain", lambda m: m.edit(Z[0], 0, 1.0), r"`z` must have the shape \(n, 4\). .*\(4,\)"),
    ("plain", lambda m: m.edit(Z, 0, [1.0, 2.0]), r"`amount` must be a number, or 3.*\(2,\)"),
    ("classes", lambda m: m.decode(Z), "`labels` must be given where there are several classes"),
    ("classes", lambda m: m.decode(Z, 5), "integers >= 0, below 5. Received: labels=5"),
    ("classes", lambda m: m.decode(Z, [1, 2]), "must be a class or 3 of them, .* 2 labels"),
    ("classes", lambda m: m.decode(Z, "dog"), "`labels` must be a class or .* labels='dog'"),
]


@pytest.mark.parametrize("which, call, message", CALLS, ids=range(len(CALLS)))
def test_calls(compiled, which, call, message):
    with pytest.raises(ValueError, match=message):
        call(compiled[which])
    assert int(compiled[which].step) == 0


def test_frozen_directions_cannot_be_learnt():
    directions = LatentDirections(4)
    directions.trainable = False
    with pytest.raises(ValueError, match="Every phase must update at least one .* 'directions'"):
        discovery(None, directions).compile()
