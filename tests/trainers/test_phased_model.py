"""The train step: what moves, on what, and in which order; the same on every backend."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.optimizers import SGD, Adam, LossScaleOptimizer
from scipy.special import expit
from tabled_random import TABLED, noise_table, uniform_table
from tiny_networks import network
from tiny_training import fit, numbers, weights

from keras_disentangle.latents import Categorical, LatentSpace, Normal
from keras_disentangle.layers import QHead
from keras_disentangle.models import GAN, InfoGAN
from keras_disentangle.trainers import Phase, PhasedModel

BACKEND = keras.backend.backend()
IMAGES = np.random.default_rng(0).random((8, 2, 2, 1), dtype="float32")
SPACE = LatentSpace([Normal(2), Categorical(3)])


def players(width, hidden=True, dropout=False, **regularizers):
    """Dense networks for images of four pixels: linear ones without `hidden`."""
    before = [layers.Dense(5, "tanh")] if hidden else []
    generator = network(
        (width,),
        *before,
        layers.Dense(4, **regularizers),
        layers.Reshape((2, 2, 1)),
    )
    image = keras.Input((2, 2, 1))
    x = layers.Flatten()(image)
    features = layers.Dense(6, "tanh")(x) if hidden else x
    if dropout:
        features = layers.Dropout(0.5, seed=3)(features)
    logits = layers.Dense(1, **regularizers)(features)
    outputs = [logits, features] if hidden else logits
    return {"generator": generator, "discriminator": keras.Model(image, outputs)}


def seeded(make):
    keras.utils.set_random_seed(0)
    return make()


def info_gan(cls=InfoGAN, **arguments):
    q_head = QHead(SPACE, hidden=None)
    arguments = {"q_head": q_head, "space": SPACE, "seed": 1, **arguments}
    return cls(**players(SPACE.dim), **arguments)


def compiled(model, optimizer=lambda: SGD(0.1), **arguments):
    slots = {f"{phase.slot}_optimizer": optimizer() for phase in model.phases()}
    model.compile(**slots, **arguments)
    return model


def train(model, images=IMAGES, epochs=1, **arguments):
    return fit(model, images, epochs, compile_with=False, **arguments)


def assert_close_weights(model, other, **tolerance):
    for variable, a, b in zip(model.weights, weights(model), weights(other), strict=True):
        np.testing.assert_allclose(a, b, err_msg=variable.path, **tolerance)


# One step in NumPy


class LinearGame:
    """Linear players x = z A + b and d = x w + c, and a step of SGD of each in float64."""

    def __init__(self, model):
        a, b, w, c = (
            value.astype("float64")
            for value in numbers([*model.generator.weights, *model.discriminator.weights])
        )
        self.a, self.b, self.w, self.c = a, b, w[:, 0], c[0]
        self.z = noise_table(3)[: len(IMAGES)].astype("float64")
        self.x = IMAGES.reshape(len(IMAGES), -1).astype("float64")

    def discriminator_step(self, rate, penalty, kernel=0.0, activity=0.0):
        n, fake = len(self.x), self.z @ self.a + self.b
        norm = np.linalg.norm(self.w)
        d_real, d_fake = -expit(-(self.x @ self.w + self.c)), expit(fake @ self.w + self.c)
        d_w = (d_real @ self.x + d_fake @ fake) / n + 2 * kernel * self.w
        d_c = (d_real + d_fake).mean()
        last = fake
        if penalty == "r1":
            d_w += WEIGHT * self.w
        elif penalty == "wgan_gp":
            d_w += WEIGHT * 2 * (norm - 1) * self.w / norm
            last = fake + uniform_table(1)[:n] * (self.x - fake)
        # Of a network's calls in its phase, Keras keeps what the last one added.
        logits = last @ self.w + self.c
        d_w += 2 * activity * logits @ last / n
        d_c += 2 * activity * logits.mean()
        self.w, self.c = self.w - rate * d_w, self.c - rate * d_c

    def generator_step(self, rate, kernel=0.0, activity=0.0):
        fake = self.z @ self.a + self.b
        d_fake = -expit(-(fake @ self.w + self.c))[:, None] * self.w + 2 * activity * fake
        self.a = self.a - rate * (self.z.T @ d_fake / len(fake) + 2 * kernel * self.a)
        self.b = self.b - rate * d_fake.mean(0)

    def assert_is(self, model):
        found = numbers([*model.generator.weights, *model.discriminator.weights])
        expected = [self.a, self.b, self.w[:, None], np.array([self.c])]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


WEIGHT = 0.7


@pytest.mark.parametrize(
    "penalty, factors",
    [
        (None, {}),
        ("r1", {"kernel": 0.3}),
        (None, {"activity": 0.2}),
        ("r1", {"activity": 0.2}),
        ("wgan_gp", {"activity": 0.2}),
    ],
    ids=str,
)
def test_the_generator_answers_the_discriminator_that_has_moved(tabled_noise, penalty, factors):
    """Also: a regulariser of a network, and what it adds by itself, is in its own phase alone."""
    regularizers = {
        f"{name}_regularizer": keras.regularizers.L2(factor) for name, factor in factors.items()
    }
    model = GAN(
        **players(3, hidden=False, **regularizers),
        gradient_penalty=penalty,
        penalty_weight=WEIGHT,
    )
    model.compile(generator_optimizer=SGD(0.5), discriminator_optimizer=SGD(0.2))
    game = LinearGame(model)
    for _ in range(2):
        game.discriminator_step(0.2, penalty, **factors)
        game.generator_step(0.5, **factors)
    train(model, epochs=2)
    game.assert_is(model)


# Sharing


class Recomputing(InfoGAN):
    """Makes the images anew for the generator's phase."""

    def phases(self):
        return [
            Phase(phase.slot, phase.networks, phase.loss)  # differentiates nothing shared
            for phase in super().phases()
        ]

    def generator_objective(self, batch, fake):
        return super().generator_objective(batch, self.generator(batch[-1]["codes"], training=True))


OPTIMIZERS = {"sgd": lambda: SGD(0.2), "adam": lambda: Adam(0.05)}


def trained(cls, optimizer):
    model = compiled(seeded(lambda: info_gan(cls, gradient_penalty="r1")), optimizer)
    return model, train(model, epochs=4)


@pytest.fixture(scope="module")
def sharing():
    return {name: trained(InfoGAN, optimizer) for name, optimizer in OPTIMIZERS.items()}


@pytest.mark.parametrize(
    "name, cls, optimizer",
    [
        *((name, Recomputing, optimizer) for name, optimizer in OPTIMIZERS.items()),
        ("sgd", InfoGAN, lambda: LossScaleOptimizer(SGD(0.2))),
    ],
    ids=["sgd", "adam", "scaled"],
)
def test_shared_images_give_the_same_update_as_images_made_again(sharing, name, cls, optimizer):
    """And so do losses that are scaled, and their gradients scaled back."""
    model, history = trained(cls, optimizer)
    for term, values in sharing[name][1].items():
        np.testing.assert_allclose(history[term], values, rtol=1e-5)
    assert_close_weights(sharing[name][0], model, rtol=1e-4, atol=1e-6)


# Phases


class WithObserver(GAN):
    """A third phase with an optimizer of its own: a Q that watches the two players."""

    def __init__(self, q_head, **kwargs):
        super().__init__(**kwargs)
        self.built = False
        q_head.build((None, *self.features_shape))
        self.q_head = q_head
        self.add_terms("q_loss")
        self.built = True

    def phases(self):
        return [*super().phases(), Phase("q", (self.q_head,), self.q_objective)]

    def q_objective(self, batch, fake):
        _, features = self.discriminate(fake)
        params = self.q_head(features, training=True)
        loss = -sum(self.space.log_likelihood(params, batch[-1]["codes"]).values())
        self.track("q_loss", loss)
        return ops.mean(loss)


def test_a_third_phase_and_frozen_layers():
    model = info_gan(WithObserver, discriminator_steps=2)
    frozen = [model.generator.layers[0], model.discriminator.layers[2]]
    for layer in frozen:
        layer.trainable = False
    compiled(model)
    parts = {
        "generator": model.generator,
        "discriminator": model.discriminator,
        "q": model.q_head,
    }
    assert list(model.optimizer.slots) == ["discriminator", "generator", "q"]
    still = [value for layer in frozen for value in numbers(layer.weights)]
    history = {}
    for moving in parts:
        # The rates are variables, so that one compiled step serves for all.
        for slot in parts:
            model.optimizer[slot].learning_rate = 0.1 if slot == moving else 0.0
        before = {slot: numbers(part.trainable_weights) for slot, part in parts.items()}
        history = train(model)
        for slot, part in parts.items():
            assert len(before[slot]) == 2
            for variable, old in zip(part.trainable_weights, before[slot], strict=True):
                changed = (ops.convert_to_numpy(variable) != old).any()
                assert changed == (slot == moving), variable.path
    assert set(history) == {
        "discriminator_loss",
        "generator_loss",
        "discriminator_accuracy",
        "q_loss",
    }
    for layer in frozen:
        for value in numbers(layer.weights):
            np.testing.assert_array_equal(value, still.pop(0))
    moves = {"discriminator": 2, "generator": 1, "q": 1}
    for slot, number in moves.items():
        assert int(model.optimizer[slot].iterations) == 3 * number
    assert int(model.step) == 3


class TwoNetworks(PhasedModel):
    def __init__(self, make_phases):
        super().__init__()
        self.a, self.b = (network((2,), layers.Dense(1)) for _ in range(2))
        self.make_phases = make_phases
        self.built = True

    def phases(self):
        return self.make_phases(self)


def loss(batch, shared):
    return 0.0


@pytest.mark.parametrize(
    "make_phases, message",
    [
        (lambda m: [Phase("a", (m.a,), loss), Phase("a", (m.b,), loss)], "same variables.*'a'"),
        (
            lambda m: [Phase("a", (m.a,), loss, True), Phase("b", (m.b,), loss, True)],
            r"One phase at most .*`differentiates_shared`. Received: \['a', 'b'\]",
        ),
        (
            lambda m: [Phase("a", (m.a, m.b), loss), Phase("b", (m.b,), loss, True)],
            "must be the first to update its variables. Received: 'b'",
        ),
        (lambda m: [Phase("a", (layers.ReLU(),), loss)], "at least one variable. Received: 'a'"),
        (lambda m: [], "`slots` must be .* Received: slots={}"),
    ],
)
def test_phases_that_cannot_be(make_phases, message):
    model = TwoNetworks(make_phases)
    slots = {phase.slot for phase in model.phases()}
    with pytest.raises(ValueError, match=message):
        model.compile(**{f"{slot}_optimizer": "sgd" for slot in slots})
    assert not model.compiled


def test_a_model_without_terms_logs_its_steps():
    def error(batch, shared):
        return ops.mean(ops.square(model.a(batch) - 1.0))

    model = TwoNetworks(lambda m: [Phase("a", (m.a,), error)])
    model.compile(a_optimizer="sgd", jit_compile=False)
    history = model.fit(np.ones((4, 2), "float32"), batch_size=2, epochs=2, verbose=0).history
    assert history == {"step": [2.0, 4.0]}


# Ways to run a step


class Counting(GAN):
    """Counts how often Python runs through the step."""

    calls = 0

    def prepare(self, x):
        self.calls += 1
        return super().prepare(x)


WAYS = {
    "eagerly": {"run_eagerly": True},
    "four steps in one call": {"steps_per_execution": 4},
    "xla": {"jit_compile": True},
}


def train_in_eight_steps(**way):
    arguments = {"gradient_penalty": "r1", "discriminator_steps": 2, "ema_decay": 0.5}
    model = compiled(seeded(lambda: Counting(**players(2), **arguments)), lambda: Adam(0.02), **way)
    return model, train(model, np.tile(IMAGES, (2, 1, 1, 1)), epochs=2, batch_size=4)


@pytest.fixture(scope="module")
def usual():
    with pytest.MonkeyPatch.context() as patch:
        for name, draw in TABLED.items():
            patch.setattr(keras.random, name, draw)
        yield train_in_eight_steps()


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs Python at every step")
def test_nothing_is_traced_twice(usual):
    assert usual[0].calls == 1 and int(usual[0].step) == 8


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_run_a_step_is_the_same(usual, way):
    # Draws under XLA are others, so they are tabled.
    if BACKEND == "torch" and way != "eagerly":
        pytest.skip("torch runs step by step, without a compiler")
    if BACKEND == "jax" and way == "xla":
        pytest.skip("JAX always compiles")
    model, history = train_in_eight_steps(**WAYS[way])
    for name, values in usual[1].items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, err_msg=name)
    assert_close_weights(usual[0], model, rtol=1e-4, atol=1e-6)


# Precision


class Observed(InfoGAN):
    """Keeps the dtype of what the phases minimise."""

    def loss_of(self, phase, batch, shared):
        loss = super().loss_of(phase, batch, shared)
        self.dtypes = {*getattr(self, "dtypes", ()), keras.backend.standardize_dtype(loss.dtype)}
        return loss


@pytest.fixture
def policy():
    """Sets the dtype policy for one test."""
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


def test_mixed_bfloat16(policy):
    histories = {}
    for name in ("float32", "mixed_bfloat16"):
        policy(name)
        model = seeded(lambda: info_gan(Observed, gradient_penalty="r1"))
        histories[name] = train(compiled(model), epochs=4)
        assert set(model.dtypes) == {"float32"}
        assert {v.dtype for v in model.trainable_variables} == {"float32"}
        images = ops.convert_to_numpy(model.sample(3, seed=0))
        assert images.dtype == np.float32
    assert model.generator.layers[0].compute_dtype == "bfloat16"
    for term, values in histories["float32"].items():
        np.testing.assert_allclose(histories["mixed_bfloat16"][term], values, rtol=0.1, atol=0.1)


def test_float16_needs_scaled_losses(policy):
    policy("mixed_float16")
    model = info_gan()
    message = "LossScaleOptimizer.*Received: generator_optimizer=.*SGD"
    with pytest.raises(ValueError, match=message):
        model.compile(
            discriminator_optimizer=LossScaleOptimizer(SGD(0.1)), generator_optimizer=SGD(0.1)
        )
    assert not model.compiled
    before = numbers(model.trainable_variables)
    compiled(model, lambda: LossScaleOptimizer(SGD(0.1), initial_scale=64.0))
    history = train(model, epochs=2)
    assert np.isfinite(list(history.values())).all()
    for variable, old in zip(model.trainable_variables, before, strict=True):
        new = ops.convert_to_numpy(variable)
        assert variable.dtype == "float32" and np.isfinite(new).all() and (new != old).any()


# Draws of the layers themselves


def test_dropout_goes_on_where_it_stood(tmp_path):
    model = GAN(**players(2, dropout=True), gradient_penalty="r1", seed=1)
    history = train(compiled(model), epochs=2)
    assert history["discriminator_loss"][0] != history["discriminator_loss"][1]
    (dropout,) = (
        layer for layer in model.discriminator.layers if isinstance(layer, layers.Dropout)
    )
    # Real images, generated ones, and these again in the generator's phase.
    assert int(ops.convert_to_numpy(dropout.seed_generator.state)[1]) == 2 * 3
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert train(model, epochs=2) == train(loaded, epochs=2)
    for a, b in zip(numbers(model.variables), numbers(loaded.variables), strict=True):
        np.testing.assert_array_equal(a, b)


# What `fit` and `evaluate` refuse


@pytest.mark.parametrize(
    "given",
    [
        {"validation_data": IMAGES},
        {"validation_data": (IMAGES, None)},
        {"validation_split": 0.5},
        {"sample_weight": np.ones(8)},
        {"class_weight": {0: 1.0}},
    ],
)
def test_there_is_nothing_to_validate_or_to_weigh(given):
    model = compiled(info_gan())
    with pytest.raises(ValueError, match=f"`{next(iter(given))}` must be left out"):
        train(model, **given)
    # By position too.
    with pytest.raises(ValueError, match="`validation_split` must be left out"):
        model.fit(IMAGES, None, 4, 1, 0, None, 0.5)
    with pytest.raises(ValueError, match="InfoGAN has no loss to evaluate"):
        model.evaluate(IMAGES)
    assert int(model.step) == 0


def test_layers_that_were_frozen_since_compile():
    model = compiled(info_gan())
    layer = model.discriminator.layers[2]
    layer.trainable = False
    with pytest.raises(ValueError, match="compiled again .* slot 'discriminator'"):
        train(model)
    still = numbers(layer.weights)
    train(compiled(model))
    for old, new in zip(still, numbers(layer.weights), strict=True):
        np.testing.assert_array_equal(old, new)
