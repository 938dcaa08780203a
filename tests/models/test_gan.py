"""The game in NumPy, the running mean, the cut batch, the images' range, and bad input."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.optimizers import SGD
from scipy.special import expit, log_expit
from tabled_random import noise_table, uniform_table
from tiny_networks import IMAGE_SHAPE, IMAGES, dense, network, player_networks
from tiny_training import assign_by_hand, fit, numbers, weights

from keras_disentangle.callbacks import RampWeight
from keras_disentangle.datasets import image_batches
from keras_disentangle.latents import Categorical, LatentSpace, Normal
from keras_disentangle.layers import QHead
from keras_disentangle.models import GAN, InfoGAN
from keras_disentangle.models._image_data import check_images


def gan(width=3, networks=None, **arguments):
    return GAN(**(networks or player_networks(width)), **{"seed": 1, **arguments})


def linear_players():
    return {
        "generator": dense((3,), 64, None, reshape=IMAGE_SHAPE),
        "discriminator": dense(IMAGE_SHAPE, 1, None),
    }


# The objectives


def both(r, f):
    return -log_expit(r) - log_expit(-f)


# What the discriminator minimises; what the generator does, and its slope.
OBJECTIVES = {
    "non_saturating": (both, lambda f: -log_expit(f), lambda f: -expit(-f)),
    "saturating": (both, lambda f: log_expit(-f), lambda f: -expit(f)),
    "hinge": (
        lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f),
        lambda f: -f,
        lambda f: -np.ones_like(f),
    ),
    "wasserstein": (lambda r, f: f - r, lambda f: -f, lambda f: -np.ones_like(f)),
}


@pytest.mark.parametrize(
    "objective, penalty",
    [("non_saturating", "r1"), ("saturating", None), ("hinge", None), ("wasserstein", "wgan_gp")],
)
def test_objective_and_penalty(tabled_noise, objective, penalty):
    model = gan(networks=linear_players(), objective=objective, gradient_penalty=penalty)
    assign_by_hand(model)
    a, b, w, c = numbers(players_weights(model))
    norm = np.linalg.norm(w)
    fake = noise_table(3)[:16] @ a + b

    model.compile(discriminator_optimizer=SGD(0.05), generator_optimizer=SGD(0.1))
    logs = {name: value[0] for name, value in fit(model, epochs=1, compile_with=False).items()}
    of_discriminator, of_generator, slope = OBJECTIVES[objective]
    _, new_b, new_w, new_c = numbers(players_weights(model))
    real_logits, fake_logits = logits(w, c, fake)
    expected = {"discriminator_loss": of_discriminator(real_logits, fake_logits).mean()}
    if objective != "wasserstein":
        expected["discriminator_accuracy"] = np.mean([real_logits > 0, fake_logits < 0])
    if penalty is not None:
        value = norm**2 / 2 if penalty == "r1" else (norm - 1) ** 2
        expected |= {"gradient_penalty": value, "penalty_weight": 10.0}
    # The generator answers the discriminator that has moved.
    assert (new_w != w).any()
    _, fake_logits = logits(new_w, new_c, fake)
    expected["generator_loss"] = of_generator(fake_logits).mean()
    assert logs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=name)
    gradient = slope(fake_logits)[:, None] * new_w[:, 0]
    np.testing.assert_allclose(new_b, b - 0.1 * gradient.mean(0), rtol=1e-4, atol=1e-6)


def players_weights(model):
    return [*model.generator.weights, *model.discriminator.weights]


def logits(w, c, fake):
    return [(images.reshape(16, -1) @ w + c)[:, 0] for images in (IMAGES, fake)]


def test_the_penalty_is_weighted_by_its_ramp(tabled_noise):
    model = gan(networks=linear_players(), gradient_penalty="r1", penalty_weight=2.0)
    assign_by_hand(model)
    plain = gan(networks=linear_players())
    assign_by_hand(plain)
    for player in ("generator", "discriminator"):
        getattr(plain, player).set_weights(getattr(model, player).get_weights())
    before = ops.convert_to_numpy(model.discriminator.weights[0])
    for m in (model, plain):
        m.compile(discriminator_optimizer=SGD(0.05), generator_optimizer=SGD(0.0))
    ramp = RampWeight("penalty_weight", 6.0, steps=4)
    history = fit(model, epochs=1, compile_with=False, callbacks=[ramp])
    fit(plain, epochs=1, compile_with=False)
    change = numbers([m.discriminator.weights[0] for m in (model, plain)])
    np.testing.assert_allclose(change[0] - change[1], -0.05 * 2.0 * before, rtol=1e-3, atol=1e-6)
    history = fit(model, epochs=4, compile_with=False, callbacks=[ramp])
    np.testing.assert_allclose(history["penalty_weight"], [3, 4, 5, 6], rtol=1e-6)


def test_logits_of_patches():
    image = keras.Input(IMAGE_SHAPE)
    patches = layers.Conv2D(1, 4, strides=4)(image)
    model = gan(networks={**linear_players(), "discriminator": keras.Model(image, patches)})
    history = fit(model, epochs=1)
    assert np.isfinite(list(history.values())).all()
    assert 0 <= history["discriminator_accuracy"][0] <= 1


# A step


class GeneratorWeights(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(numbers(self.model.generator.weights))


def test_running_mean_of_the_generator():
    stack = [layers.BatchNormalization(momentum=0.9), layers.Dense(64), layers.Reshape(IMAGE_SHAPE)]
    generator = network((3,), layers.Dense(5, use_bias=False), *stack)
    model = gan(networks={**linear_players(), "generator": generator}, ema_decay=0.75)
    expected = numbers(model.generator.weights)
    for mean, start in zip(numbers(model.ema_generator.weights), expected, strict=True):
        np.testing.assert_array_equal(mean, start)
    kept = GeneratorWeights()
    fit(model, epochs=4, callbacks=[kept])
    for values in kept.steps:
        for i, variable in enumerate(model.generator.weights):
            # The statistics of batch normalisation are running means already.
            decay = 0.0 if "moving" in variable.path else 0.75
            expected[i] = decay * expected[i] + (1 - decay) * values[i]
    for variable, mean, value in zip(
        model.ema_generator.weights, numbers(model.ema_generator.weights), expected, strict=True
    ):
        np.testing.assert_allclose(mean, value, rtol=1e-5, atol=1e-6, err_msg=variable.path)
    z = model.space.sample(4, seed=0)
    images = numbers([model.decode(z), model.ema_generator(z), model.generator(z)])
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).any()
    moved = {id(variable) for variable in model.trainable_variables}
    assert not moved & {id(variable) for variable in model.ema_generator.weights}


def test_the_batch_is_cut_for_the_discriminator(tabled_noise):
    model = gan(networks=linear_players(), discriminator_steps=3, gradient_penalty="wgan_gp")
    parts = model.prepare(ops.convert_to_tensor(IMAGES))
    assert len(parts) == 3
    for i, part in enumerate(parts):
        real, codes, mix = numbers([part["real"], part["codes"], part["mix"]])
        np.testing.assert_array_equal(real, IMAGES[5 * i : 5 * i + 5])
        np.testing.assert_array_equal(codes, noise_table(3)[:5])
        np.testing.assert_array_equal(mix[:, 0, 0, 0], uniform_table(1)[:5, 0])
        assert mix.shape == (5, 1, 1, 1)
    fit(model, epochs=2, batch_size=8)
    assert int(model.step) == 4
    assert int(model.optimizer["discriminator"].iterations) == 12
    assert int(model.optimizer["generator"].iterations) == 4


def test_each_step_of_the_discriminator_has_codes_of_its_own():
    model = gan(networks=linear_players(), discriminator_steps=2, gradient_penalty="wgan_gp")
    drawn = [part[name] for part in model.prepare(IMAGES) for name in ("codes", "mix")]
    drawn += [part[name] for part in model.prepare(IMAGES) for name in ("codes", "mix")]
    for name in (0, 1):
        values = numbers(drawn[name::2])
        assert len({value.tobytes() for value in values}) == 4
    assert all(0 <= value.min() and value.max() <= 1 for value in numbers(drawn[1::2]))


def test_equal_seeds_give_equal_trainings():
    def seeded(seed):
        keras.utils.set_random_seed(0)
        return gan(networks=linear_players(), seed=seed)

    models = [seeded(seed) for seed in (3, 3, 4)]
    assert fit(models[0]) == fit(models[1])
    codes = numbers([model.prepare(IMAGES)[0]["codes"] for model in models])
    np.testing.assert_array_equal(codes[0], codes[1])
    assert (codes[0] != codes[2]).any()


# The range of images


def ending(*stack, wrap=lambda stack: stack):
    return network((3,), layers.Dense(64), *wrap(stack), layers.Reshape(IMAGE_SHAPE))


def functional_tanh():
    z = keras.Input((3,))
    images = layers.Reshape(IMAGE_SHAPE)(layers.Dense(64)(z))
    return keras.Model(z, layers.Activation("tanh")(images))


GENERATORS = {
    "sigmoid": (lambda: dense((3,), 64, "sigmoid", IMAGE_SHAPE), (0.0, 1.0)),
    "tanh before a reshape": (lambda: dense((3,), 64, "tanh", IMAGE_SHAPE), (-1.0, 1.0)),
    "tanh layer": (lambda: ending(layers.Activation("tanh")), (-1.0, 1.0)),
    "functional": (functional_tanh, (-1.0, 1.0)),
    "nested": (lambda: network((3,), functional_tanh()), (-1.0, 1.0)),
    "nested in a functional": (
        lambda: keras.Model(z := keras.Input((3,)), layers.Identity()(functional_tanh()(z))),
        (-1.0, 1.0),
    ),
    "cropped": (
        lambda: network(
            (3,), layers.Dense(100, "tanh"), layers.Reshape((10, 10, 1)), layers.Cropping2D(1)
        ),
        (-1.0, 1.0),
    ),
    "linear": (lambda: dense((3,), 64, None, IMAGE_SHAPE), None),
    "sigmoid and no more": (
        lambda: network(
            (3,), layers.Dense(64, "sigmoid"), layers.Dense(64), layers.Reshape((8, 8, 1))
        ),
        None,
    ),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_the_range_is_told_from_the_last_activation(name):
    make, expected = GENERATORS[name]
    model = gan(networks={**player_networks(3), "generator": make()})
    assert model.image_range == expected
    assert GAN.from_config(model.get_config()).image_range == expected


@pytest.mark.parametrize(
    "activation, image_range", [("tanh", "auto"), ("sigmoid", "auto"), (None, (-2.0, 6.0))]
)
def test_images_are_in_the_unit_interval_outside(activation, image_range):
    networks = {**player_networks(3), "generator": dense((3,), 64, activation, IMAGE_SHAPE)}
    model = gan(networks=networks, image_range=image_range)
    low, high = model.image_range
    z = 3 * noise_table(3)[:5]
    inside, outside = numbers([model.generator(z), model.decode(z)])
    np.testing.assert_allclose(outside, (inside - low) / (high - low), atol=1e-6)
    np.testing.assert_allclose(outside, model.predict(z, verbose=0), atol=1e-6)
    (part,) = model.prepare(ops.convert_to_tensor(IMAGES))
    seen = ops.convert_to_numpy(part["real"])
    np.testing.assert_allclose(seen, low + (high - low) * IMAGES, rtol=1e-6, atol=1e-6)
    if activation is not None:
        samples = ops.convert_to_numpy(model.sample(4, seed=0))
        assert inside.min() < low + 0.2 < high - 0.2 < inside.max()
        assert 0 <= samples.min() and samples.max() <= 1


def test_data_without_a_range_are_used_as_they_are():
    model = gan(networks=linear_players())
    data = 100 * IMAGES - 30
    (part,) = model.prepare(ops.convert_to_tensor(data))
    np.testing.assert_array_equal(ops.convert_to_numpy(part["real"]), data)
    z = noise_table(3)[:5]
    np.testing.assert_array_equal(*numbers([model.decode(z), model.generator(z)]))


# Use


def test_samples():
    model = gan(space=LatentSpace([Normal(1), Categorical(2)]))
    first, same, other = numbers([model.sample(4, seed=s) for s in (1, 1, 2)])
    np.testing.assert_array_equal(first, same)
    assert (first != other).any() and first.shape == (4, *IMAGE_SHAPE)
    assert first.dtype == np.float32
    assert (model.latent_dim, model.image_shape) == (3, IMAGE_SHAPE)
    assert gan().space.names == ("normal",) and gan().latent_dim == 3
    # Nor does a sample that was drawn disturb a training.
    state = ops.convert_to_numpy(model.seed_generator.state)
    model.sample(4)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.seed_generator.state), state)


# Bad input

image = keras.Input(IMAGE_SHAPE)
three_outputs = keras.Model(image, [layers.Dense(1)(layers.Flatten()(image))] * 3)
by_name = keras.Model(image, {"logits": layers.Dense(1)(layers.Flatten()(image))})


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: gan(space=LatentSpace([Normal(4)])),
            r"input of `generator` must have the width of `space`, 4. .*\('batch', 3\)",
        ),
        (
            lambda: gan(space=[Normal(3)]),
            r"`space` must be a `LatentSpace`. Received: space=\[Normal",
        ),
        (
            lambda: gan(networks={**player_networks(3), "generator": dense((3,), 64)}),
            r"The input of `discriminator` must have the shape \(64,\). Received: \(8, 8, 1\)",
        ),
        (
            lambda: gan(networks={**player_networks(3), "generator": None}),
            "`generator` must be a built Keras model",
        ),
        (
            lambda: gan(networks={**player_networks(3), "discriminator": None}),
            "`discriminator` must be a built Keras model .* Received: discriminator=None",
        ),
        (
            lambda: gan(networks={**player_networks(3), "discriminator": three_outputs}),
            r"`discriminator` must give logits, or \[logits, features\]. Received: .*shapes \[",
        ),
        (
            lambda: gan(networks={**player_networks(3), "discriminator": by_name}),
            r"`discriminator` must have one output, or a list of them. .*'logits': \(1,\)",
        ),
        (lambda: gan(objective="wgan"), "`objective` must be one of .*Received: .*'wgan'"),
        (lambda: gan(gradient_penalty="gp"), "`gradient_penalty` must be .*Received: .*'gp'"),
        (lambda: gan(penalty_weight=-1), "`penalty_weight` .*Received: penalty_weight=-1"),
        (lambda: gan(discriminator_steps=0), "`discriminator_steps` .*discriminator_steps=0"),
        (lambda: gan(ema_decay=1.0), r"`ema_decay` must be .*\[0, 1\). Received: ema_decay=1.0"),
        (lambda: gan(ema_decay="yes"), "`ema_decay` must be .*Received: ema_decay='yes'"),
        (lambda: gan(image_range=(1, 0)), r"`image_range` must be .*image_range=\(1, 0\)"),
        (lambda: gan(image_range="tanh"), "`image_range` must be .*image_range='tanh'"),
        (lambda: gan().sample(0), "`n` must be an integer >= 1. Received: n=0"),
        (lambda: gan().decode(np.zeros(3)), r"`z` must have the shape \(n, 3\). .*\(3,\)"),
        (lambda: gan().decode(np.zeros((2, 4))), r"Received: z.shape=\(2, 4\)"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def with_pixel(value):
    images = IMAGES.copy()
    images[7, 3, 2, 0] = value
    return images


class LastBatch(keras.utils.PyDataset):
    """Two batches of four, then one of `size`."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return (IMAGES[4 * index : 4 * index + (4 if index < 2 else self.size)],)


NORMALIZED = player_networks(3, batch_normalization=True)
BATCHES = [
    # data, batch size, discriminator steps, normalised, message or None
    (IMAGES, 15, 1, True, "at least 2 images .* Received: a batch of 1$"),
    (IMAGES, 1, 1, True, ".*Received: a batch of 1$"),
    (IMAGES[:1], 32, 1, True, ".*Received: a batch of 1$"),
    (IMAGES[:3], 32, 2, True, "at least 2 images to each of the 2 .* Received: a batch of 3$"),
    (IMAGES, 15, 2, False, "at least 1 images to each of the 2 .* Received: a batch of 1$"),
    (LastBatch(1), None, 1, True, ".*Received: a batch of 1$"),
    (image_batches(np.uint8(255 * IMAGES), 1, 0), None, 1, True, ".*Received: a batch of 1$"),
    ([IMAGES], 15, 1, True, ".*Received: a batch of 1$"),
    (LastBatch(1), None, 1, False, None),
    (LastBatch(2), None, 1, True, None),
    (IMAGES, 15, 1, False, None),
    (IMAGES[:4], None, 2, True, None),
]


@pytest.mark.parametrize("case", BATCHES, ids=range(len(BATCHES)))
def test_batches_that_are_too_small(case):
    data, batch_size, steps, normalized, message = case
    networks = NORMALIZED if normalized else player_networks(3)
    model = gan(networks=networks, discriminator_steps=steps)
    before = weights(model)
    if message is None:
        model.check_sizes(check_images("x", data, IMAGE_SHAPE, None, batch_size).sizes)
        return
    with pytest.raises(ValueError, match=f"`batch_size` must leave {message}"):
        fit(model, data, batch_size=batch_size)
    assert_unchanged(model, before)


def test_normalisation_of_the_q_head_counts_too():
    space = LatentSpace([Normal(3, informative=True)])
    networks = player_networks(3, features=True)
    InfoGAN(**networks, q_head=QHead(space, 4, batch_normalization=False), space=space)
    model = InfoGAN(**networks, q_head=QHead(space, 4), space=space)
    with pytest.raises(ValueError, match="Received: a batch of 1$"):
        fit(model, batch_size=15)


def assert_unchanged(model, before):
    assert int(model.step) == 0
    for old, new in zip(before, weights(model), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("activation, of", [("sigmoid", r"\[0, 1\]"), ("tanh", r"\[-1, 1\]")])
@pytest.mark.parametrize(
    "images, message",
    [
        (with_pixel(1.5), r"`x` must lie in \[0, 1\] .*{of}, by its {by}; .*in \[.*, 1.5\]"),
        (with_pixel(-1.0), r"`x` must lie in \[0, 1\] .*{of}, by its {by}; .*in \[-1, "),
        ((255 * IMAGES).astype("uint8"), "divide uint8 images by 255"),
        (with_pixel(np.nan), "`x` must hold finite numbers. Received: NaN"),
        (IMAGES[..., 0], r"`x` must hold images .*8, 8, 1.* Received: x.shape=\(16, 8, 8\)"),
        (np.zeros_like(IMAGES), "`x` must not be constant"),
        ([255 * IMAGES], r"`x` must lie in \[0, 1\]"),
    ],
)
def test_images_to_train_on(activation, of, images, message):
    model = gan(networks=player_networks(3, activation=activation))
    before = weights(model)
    message = message.replace("{of}", of).replace("{by}", activation)
    with pytest.raises(ValueError, match=message):
        fit(model, images)
    assert_unchanged(model, before)


def test_a_range_that_was_given_is_named_as_it_is():
    model = gan(networks=linear_players(), image_range=(-1, 1))
    with pytest.raises(ValueError, match=r"generator's range is \[-1, 1\]; the model maps"):
        fit(model, 2 * IMAGES - 1)


def test_weights_that_the_running_mean_lacks_are_refused():
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(16, name="dense")])
    generator.add(layers.Reshape((4, 4, 1)))
    critic = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    model = GAN(generator, critic, ema_decay=0.9)
    generator.get_layer("dense").enable_lora(2)
    with pytest.raises(ValueError, match="Make the model after `enable_lora`.* Received: 4 weig"):
        model.compile(generator_optimizer="sgd", discriminator_optimizer="sgd")
    # Made after, it has them too.
    model = GAN(generator, critic, ema_decay=0.9)
    model.compile(generator_optimizer="sgd", discriminator_optimizer="sgd", run_eagerly=True)
    model.fit(np.random.default_rng(0).uniform(size=(4, 4, 4, 1)), verbose=0)
