"""The bound, whom it trains, and what Q says."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.optimizers import SGD, Adam
from model_table import CODES
from scipy.special import softmax
from tiny_networks import IMAGE_SHAPE, IMAGES, dense, make_space, network, player_networks
from tiny_training import adams, assign_by_hand, fit, numbers, weights

from keras_disentangle.callbacks import RampWeight
from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.layers import QHead, RandomAffine
from keras_disentangle.losses.information import information_per_code
from keras_disentangle.models import GAN, InfoGAN

NAMES = ("categorical", "uniform", "normal_2")


def players(batch_normalization=False):
    """As `player_networks`, of dense layers."""
    width = make_space().dim
    normalize = [layers.BatchNormalization()] if batch_normalization else []
    hidden = [layers.Dense(6, use_bias=not batch_normalization), *normalize]
    image = keras.Input(IMAGE_SHAPE)
    features = network(IMAGE_SHAPE, layers.Flatten(), *hidden, layers.Activation("tanh"))(image)
    end = [layers.Dense(64, "sigmoid"), layers.Reshape(IMAGE_SHAPE)]
    normalize = [layers.BatchNormalization()] if batch_normalization else []
    return {
        "generator": network(
            (width,), layers.Dense(7, use_bias=not batch_normalization), *normalize, *end
        ),
        "discriminator": keras.Model(image, [layers.Dense(1)(features), features]),
    }


def info_gan(batch_normalization=False, **arguments):
    space = make_space()
    q_head = QHead(space, 4, batch_normalization=batch_normalization)
    return InfoGAN(**players(batch_normalization), q_head=q_head, space=space, seed=1, **arguments)


def step(model):
    history = fit(model, epochs=1, compile_with=False)
    return {name: values[0] for name, values in history.items()}


# The bound


def q_params(model, images):
    return model.q_head(model.discriminate(images)[1], training=True)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_the_bound_and_the_gradient_of_q(tabled_noise, player):
    factors = dict(zip(NAMES, (2.0, 0.5, 0.0), strict=True))
    model = info_gan(q_trained_with=player, information_weight=factors)
    assign_by_hand(model)
    model.compile(discriminator_optimizer=SGD(0.1), generator_optimizer=SGD(0.1))
    codes = model.space.sample(16)
    if player == "generator":  # Q then sees the features of a discriminator that has moved.
        model.optimizer["discriminator"].learning_rate = 0.0
    params = q_params(model, model.generator(codes))
    expected = information_per_code(model.space, params, codes)
    bias = model.q_head.weights[-1]
    (before,) = numbers([bias])

    logs = step(model)
    assert set(CODES) <= set(logs)
    for name in NAMES:
        bound = ops.convert_to_numpy(expected[name]).mean()
        np.testing.assert_allclose(logs[f"information_{name}"], bound, rtol=1e-4)
        np.testing.assert_allclose(logs[f"entropy_{name}"], model.space[name].entropy(), rtol=1e-6)
        assert logs[f"information_weight_{name}"] == factors[name]
    # Of a log-softmax, the slope at the logits is the one-hot code less the probabilities; of a
    # Gaussian's logarithm, at the mean, the deviation over the variance.
    change = model.space.split_params((numbers([bias])[0] - before)[None])
    change = {name: value[0] for name, value in change.items()}
    params, codes = model.space.split_params(params), model.space.split(codes)
    logits, one_hot = numbers([params["categorical"], codes["categorical"]])
    slope = (one_hot - softmax(logits, axis=1)).mean(0)
    np.testing.assert_allclose(change["categorical"], 0.1 * 2.0 * slope, rtol=1e-3, atol=1e-6)
    gaussian, code = numbers([params["uniform"], codes["uniform"]])
    deviation = (code - gaussian[:, :2]) / np.exp(2 * gaussian[:, 2:])
    np.testing.assert_allclose(
        change["uniform"][:2], 0.1 * 0.5 * deviation.mean(0), rtol=1e-3, atol=1e-6
    )
    assert (change["normal_2"] == 0).all()


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_categories_are_read_off_augmented_images(player):
    """Of the categorical code alone, and by both players."""
    layer = RandomAffine(90.0, 0.5, 0.2, 0.3)
    model = info_gan(q_augmentation=layer, q_trained_with=player)
    [part] = model.prepare(ops.convert_to_tensor(IMAGES))
    assert tuple(part["augmentation"].shape) == (16, 6)
    fake = model.share([part])

    def bounds(images):
        params = q_params(model, images)
        return information_per_code(model.space, params, part["codes"])

    seen = layer(fake, parameters=part["augmentation"])
    plain, augmented = bounds(fake), bounds(seen)
    assert not np.allclose(numbers([plain["categorical"]]), numbers([augmented["categorical"]]))
    expected = plain | {"categorical": augmented["categorical"]}
    expected = -sum(float(ops.mean(bound)) for bound in expected.values())
    features = model.discriminate(fake)[1]
    for each in {"generator", player}:
        found = float(model.code_objective(each, part, fake, features))
        assert found == pytest.approx(expected, rel=1e-5)


def test_an_augmentation_that_changes_nothing():
    model, augmented = info_gan(), info_gan(q_augmentation=RandomAffine(0.0, 0.0, 0.0, 0.0))
    for each in (model, augmented):
        assign_by_hand(each)
    [part] = augmented.prepare(ops.convert_to_tensor(IMAGES))
    fake = model.share([part])
    features = model.discriminate(fake)[1]
    found = [
        float(each.code_objective("generator", part, fake, features)) for each in (model, augmented)
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_the_weights_are_ramps():
    model = info_gan(information_weight=0.5)
    assert set(model.ramps) == {f"information_weight_{name}" for name in NAMES}
    ramp = RampWeight("information_weight_categorical", 2.5, steps=4)
    history = fit(model, epochs=6, callbacks=[ramp])
    expected = [0.5, 1.0, 1.5, 2.0, 2.5, 2.5]
    np.testing.assert_allclose(history["information_weight_categorical"], expected, rtol=1e-6)
    assert history["information_weight_uniform"] == [0.5] * 6


# Whom it trains


class Players(keras.callbacks.Callback):
    """Keeps the weights of both players after each step."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        model = self.model
        self.steps.append(
            {name: numbers(getattr(model, name).weights) for name in ("generator", "discriminator")}
        )


def train(model):
    """The players after each of four steps, from weights that are equal for all models."""
    assign_by_hand(model)
    model.compile(**adams(model))
    kept = Players()
    fit(model, epochs=4, compile_with=False, callbacks=[kept])
    return kept.steps


def equal(steps, others, player):
    """In how many of the first steps two trainings agree in a player, to the last bit."""
    pairs = ((a[player], b[player]) for a, b in zip(steps, others, strict=True))
    are_equal = [all(map(np.array_equal, a, b)) for a, b in pairs]
    return (are_equal + [False]).index(False)


@pytest.fixture(scope="module")
def plain():
    """The players of a GAN with the networks and the draws of `info_gan`."""
    return train(GAN(**players(batch_normalization=True), space=make_space(), seed=1))


@pytest.mark.parametrize(
    "arguments, steps",
    [
        # Q reads the features that there are: neither player differs from a GAN's.
        ({"feedback": False}, (4, 4)),
        ({"feedback": False, "q_trained_with": "generator"}, (4, 4)),
        # The discriminator knows nothing of the bound, until the generator has moved by it.
        ({"q_trained_with": "generator"}, (0, 1)),
        ({}, (0, 0)),
    ],
)
def test_whom_the_bound_trains(plain, arguments, steps):
    model = info_gan(batch_normalization=True, **arguments)
    assign_by_hand(model)
    before = numbers(model.q_head.trainable_weights)
    found = train(model)
    assert tuple(equal(plain, found, player) for player in ("generator", "discriminator")) == steps
    for variable, old in zip(model.q_head.trainable_weights, before, strict=True):
        assert (ops.convert_to_numpy(variable) != old).any(), variable.path


def test_the_information_rises_to_the_entropy():
    space = LatentSpace([Normal(2), Categorical(3)])
    rng = np.random.default_rng(0)
    centres = np.float32([[0.1, 0.1], [0.9, 0.2], [0.5, 0.9]])
    data = centres[rng.integers(3, size=1024)] + 0.03 * rng.normal(size=(1024, 2))
    data = data.astype("float32").reshape(1024, 1, 2, 1)
    image = keras.Input((1, 2, 1))
    features = layers.Dense(16, "tanh")(layers.Flatten()(image))
    model = InfoGAN(
        network((5,), layers.Dense(16, "tanh"), layers.Dense(2), layers.Reshape((1, 2, 1))),
        keras.Model(image, [layers.Dense(1)(features), features]),
        QHead(space, 16, batch_normalization=False),
        space,
        seed=0,
    )
    model.compile(
        discriminator_optimizer=Adam(5e-3, beta_1=0.5), generator_optimizer=Adam(5e-3, beta_1=0.5)
    )
    history = fit(model, data, epochs=10, batch_size=64, compile_with=False)
    information, entropy = history["information_categorical"], math.log(3)
    assert information[0] < 0.3 * entropy and max(information) <= entropy
    assert np.median(information[-3:]) > 0.9 * entropy
    codes = model.space.sample(60, seed=1)
    classes = ops.convert_to_numpy(model.classify(model.decode(codes)))
    drawn = ops.convert_to_numpy(space.split(codes)["categorical"]).argmax(1)
    # Q reads off the image which category it was made from.
    assert np.mean(classes == drawn) > 0.9


# Use


def test_a_single_image_may_be_encoded():
    model = info_gan(batch_normalization=True)
    encoded = {name: numbers([value])[0] for name, value in model.encode(IMAGES[:3]).items()}
    for name, value in model.encode(IMAGES[:1]).items():
        np.testing.assert_allclose(numbers([value])[0], encoded[name][:1], rtol=1e-5, atol=1e-6)


def test_what_q_says_of_images():
    space = LatentSpace(
        [
            Normal(3),
            Categorical(4),
            Uniform(2, posterior_std=1.0),
            Categorical(2, name="style"),
            Normal(1, informative=True, name="slant"),
            Categorical(3, informative=False, name="noise"),
        ]
    )
    networks = player_networks(space.dim, activation="tanh", features=True)
    model = InfoGAN(**networks, q_head=QHead(space, 7), space=space)
    encoded = model.encode(IMAGES[:5])
    shapes = {name: tuple(value.shape) for name, value in encoded.items()}
    assert shapes == {"categorical": (5, 4), "uniform": (5, 2), "style": (5, 2), "slant": (5, 2)}
    predicted = model.predict_codes(IMAGES[:5])
    shapes = {name: tuple(value.shape) for name, value in predicted.items()}
    assert shapes == {"categorical": (5, 4), "uniform": (5, 2), "style": (5, 2), "slant": (5, 1)}
    for values in (encoded, predicted):
        assert {value.dtype for value in numbers(values.values())} == {np.dtype("float32")}
    np.testing.assert_allclose(numbers([predicted["style"]])[0].sum(1), 1, rtol=1e-5)

    for code, name in ((None, "categorical"), ("categorical", "categorical"), ("style", "style")):
        classes = ops.convert_to_numpy(model.classify(IMAGES[:5], code))
        assert classes.shape == (5,) and classes.dtype == np.int32
        np.testing.assert_array_equal(classes, numbers([encoded[name]])[0].argmax(1))
    # A generator that ends in tanh means a discriminator that has seen [-1, 1].
    seen = model.discriminator(2 * IMAGES[:5] - 1, training=False)[1]
    params = numbers([model.q_head(seen, training=False), *encoded.values()])
    np.testing.assert_allclose(np.concatenate(params[1:], axis=1), params[0], atol=1e-6)
    # In inference nothing moves.
    before = weights(model)
    model.classify(IMAGES)
    for old, new in zip(before, weights(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_q_network_of_any_kind():
    """A functional network in place of a `QHead`, and features that are maps."""
    space = make_space()
    image = keras.Input(IMAGE_SHAPE)
    maps = layers.Conv2D(2, 4, strides=4)(image)
    logits = layers.Dense(1)(layers.Flatten()(maps))
    networks = {
        **player_networks(space.dim),
        "discriminator": keras.Model(image, [logits, maps]),
        "space": space,
    }
    for q_head in (
        dense((2, 2, 2), space.num_params, None),
        keras.Sequential([layers.Flatten(), layers.Dense(space.num_params)]),
        QHead(space, 4),
    ):
        model = InfoGAN(**networks, q_head=q_head)
        assert set(model.encode(IMAGES)) == set(NAMES)


# Bad input

SPACE = make_space()


def make(width=None, **changed):
    networks = player_networks(width or SPACE.dim, features=changed.pop("features", True))
    arguments = {**networks, "q_head": QHead(SPACE, 4), "space": SPACE, **changed}
    return InfoGAN(**arguments)


def channels_first():
    image = keras.Input(IMAGE_SHAPE)
    features = layers.Flatten(data_format="channels_first")(image)
    return keras.Model(image, [layers.Dense(1)(features), layers.Dense(5)(features)])


def built_for(width):
    q_head = QHead(SPACE, None)
    q_head.build((None, width))
    return q_head


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"width": 9}, r"the width of `space`, 10. Received: an input of shape \('batch', 9\)"),
        (
            {"features": False},
            r"`discriminator` must give \[logits, features\].* Received: one output",
        ),
        ({"space": LatentSpace([Normal(10)])}, "`space` must have an informative code"),
        ({"space": None}, "`space` must have an informative code"),
        (
            {"q_head": QHead(LatentSpace([Categorical(3)]), 4)},
            r"`q_head` must map .*\(5,\) to the \(10,\) parameters .*from \(5,\) to \(3,\)",
        ),
        (
            {"q_head": dense((5,), 9)},
            r"`q_head` must map .* Received: a network from \(5,\) to \(9,\)",
        ),
        (
            {"q_head": dense((6,), 10)},
            r"`q_head` must map .* Received: a network from \(6,\) to \(10,\)",
        ),
        ({"q_head": built_for(6)}, r"`q_head` must map .*\(5,\)"),
        ({"q_head": None}, "`q_head` must be a .*layer.* Received: q_head=None"),
        (
            {"information_weight": {"categorical": 1.0}},
            r"`information_weight` .* keys \['categorical', 'uniform', 'normal_2'\]. Received",
        ),
        (
            {"information_weight": dict.fromkeys((*NAMES, "normal_1"), 1.0)},
            "`information_weight` .* Received: .*normal_1",
        ),
        ({"information_weight": -1}, r"`information_weight\['categorical'\]` .* Received: .*-1"),
        ({"information_weight": "all"}, "`information_weight.*'all'"),
        ({"q_trained_with": "q"}, "`q_trained_with` must be .* Received: q_trained_with='q'"),
        ({"feedback": "no"}, "`feedback` must be True or False. Received: feedback='no'"),
        ({"objective": "kl"}, "`objective` must be one of"),
        (
            {"q_augmentation": layers.RandomFlip()},
            "`q_augmentation` must be a .*RandomAff",
        ),
        ({"q_augmentation": True}, "`q_augmentation` must be a .* Received: q_augmentation=True"),
        (
            {"q_augmentation": RandomAffine(), "discriminator": channels_first()},
            "channels_last.* for `q_augmentation`",
        ),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda m: m.encode(IMAGES[..., 0]), r"`x` must have the shape .*Received: .*16, 8, 8\)"),
        (
            lambda m: m.classify((255 * IMAGES).astype("uint8")),
            r"`x` must lie in \[0, 1\] .*divide uint8 images by 255",
        ),
        (lambda m: m.classify(IMAGES[0]), r"`x` must have the shape .*Received: .*8, 8, 1\)"),
        (lambda m: m.predict_codes([1.0]), "`x` must have the shape .*Received"),
        (
            lambda m: m.classify(IMAGES, "uniform"),
            r"`code` must be one of .*\['categorical'\]. Received: code='uniform'",
        ),
        (
            lambda m: fit(m, callbacks=[RampWeight("information_weight_normal_1", 1.0, 3)]),
            "`name` must be one of .*information_weight_uniform.*weight_normal_1'",
        ),
        (lambda m: fit(m, 2 * IMAGES), r"`x` must lie in \[0, 1\] .*by its sigmoid"),
        (lambda m: fit(m, batch_size=15), "Received: a batch of 1$"),
    ],
)
def test_bad_input_changes_nothing(use, message):
    model = make()
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        use(model)
    assert int(model.step) == 0
    for old, new in zip(before, weights(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_augmentation_without_categories():
    space = LatentSpace([Normal(8, informative=False, name="noise"), Uniform(2)])
    with pytest.raises(ValueError, match="`q_augmentation` must be None unless `space` has"):
        make(space=space, q_head=QHead(space, 4), q_augmentation=RandomAffine())


def test_no_categories_to_tell_apart():
    space = LatentSpace([Uniform(2), Categorical(3, informative=False)])
    networks = player_networks(5, features=True)
    model = InfoGAN(**networks, q_head=QHead(space, 4), space=space)
    with pytest.raises(ValueError, match=r"categorical codes, \[\]. Received: code=None"):
        model.classify(IMAGES)
