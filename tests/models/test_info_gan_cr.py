"""The pairs that are drawn, the losses in NumPy, what each phase trains, and wrong arguments."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from model_table import info_gan_cr
from scipy.special import log_softmax
from tiny_networks import IMAGES, dense, make_space, network, player_networks
from tiny_training import adams, fit, numbers

from keras_disentangle.latents import Categorical, LatentSpace, Normal, Quantized, Uniform
from keras_disentangle.layers import QHead
from keras_disentangle.models import InfoGANCR

# That backends agree is tested by the shared table.
pytestmark = pytest.mark.one_backend


def pairs(model, n=2000):
    drawn = model._draw_pair(n)
    first, second = (
        {name: numbers([part])[0] for name, part in model.space.split(drawn[key]).items()}
        for key in ("first", "second")
    )
    return first, second, numbers([drawn["index"]])[0]


def differences(model, first, second):
    """How far each factor of the two is apart, (n, k), in the order of the factors."""
    found = []
    for code in model.space.informative:
        a, b = first[code.name], second[code.name]
        if isinstance(code, Categorical):
            found.append((a.argmax(1) != b.argmax(1))[:, None].astype("float32"))
        else:
            found.append(np.abs(a - b))
    return np.concatenate(found, axis=1)


@pytest.mark.parametrize("gap", [0.0, 0.75, 2.0])
def test_pairs_share_one_factor_and_all_noise(gap):
    model = info_gan_cr(gap=gap)
    first, second, index = pairs(model)
    np.testing.assert_array_equal(first["normal_1"], second["normal_1"])
    apart = differences(model, first, second)
    assert apart.shape == (2000, 4)
    # Exactly the factor that the index names is the same.
    np.testing.assert_array_equal(apart == 0, np.eye(4, dtype=bool)[index])
    np.testing.assert_allclose(np.bincount(index, minlength=4) / 2000, 0.25, atol=0.04)
    uniform = apart[:, 1:3][apart[:, 1:3] > 0]
    # Of two draws from what is left of an interval of width 2, the mean distance is a third of it.
    assert uniform.min() >= gap - 1e-6
    assert uniform.mean() == pytest.approx(gap + (2 - gap) / 3, rel=0.04)
    for codes in (first, second):
        assert np.abs(codes["uniform"]).max() <= 1 + 1e-6
        np.testing.assert_array_equal(codes["categorical"].sum(1), 1)
        np.testing.assert_allclose(codes["categorical"].mean(0), 0.25, atol=0.04)
    shared = first["uniform"][index == 1, 0]
    # The same draw as without a regulariser.
    assert shared.mean() == pytest.approx(0, abs=0.1) and shared.std() == pytest.approx(
        1 / np.sqrt(3), rel=0.08
    )


def test_quantised_codes_that_differ_have_other_values():
    model = cr(LatentSpace([Quantized(4, num_values=2)]))
    first, second, index = pairs(model)
    apart = differences(model, first, second)
    np.testing.assert_array_equal(apart == 0, np.eye(4, dtype=bool)[index])
    assert set(np.unique([first["quantized"], second["quantized"]])) == {-1, 1}


def test_a_ramp_closes_the_gap():
    model = info_gan_cr(gap=1.5)
    model.ramps["gap"].set(1.5, 0.0, 0, 10)
    for step, smallest in ((0, 1.5), (5, 0.75)):
        model.step.assign(step)
        apart = differences(model, *pairs(model, 500)[:2])[:, 1:3]
        assert smallest - 1e-6 <= apart[apart > 0].min() < smallest + 0.1


def test_objectives_in_numpy():
    model = info_gan_cr(contrastive_weight=3.0)
    batch = model.prepare(ops.convert_to_tensor(IMAGES))
    shared = model.share(batch)
    pair = {key: numbers([value])[0] for key, value in batch[-1]["pair"].items()}
    first, second = (numbers([model.generate(pair[key])])[0] for key in ("first", "second"))
    # Side by side in the channels: the two of a pixel are neighbours.
    x = np.stack([first[..., 0], second[..., 0]], axis=-1).reshape(16, -1)
    a, b, c, d = numbers(model.contrastive_discriminator.weights)
    logits = np.tanh(x @ a + b) @ c + d
    expected = -log_softmax(logits, axis=1)[np.arange(16), pair["index"]].mean()

    found = float(numbers([model.contrastive_objective(batch, shared)])[0])
    assert found == pytest.approx(expected, rel=1e-4)
    accuracy = (logits.argmax(1) == pair["index"]).mean()
    tracked = {name: float(model.trackers[name].result()) for name in model.trackers}
    assert tracked["contrastive_loss"] == pytest.approx(expected, rel=1e-4)
    assert tracked["contrastive_accuracy"] == pytest.approx(accuracy)

    with_contrast, without = [], []
    for weight, kept in ((3.0, with_contrast), (0.0, without)):
        model.ramps["contrastive_weight"].set(weight, weight, 0, 0)
        kept.append(float(numbers([model.generator_objective(batch, shared)])[0]))
    assert with_contrast[0] - without[0] == pytest.approx(3 * expected, rel=1e-3)


def test_the_generator_follows_the_contrastive_loss():
    """From equal weights and draws, with a rate of 0 for the others."""
    found = []
    for weight in (0.0, 5.0):
        keras.utils.set_random_seed(0)
        model = info_gan_cr(contrastive_weight=weight)
        others = [model.discriminator, model.q_head, model.contrastive_discriminator]
        before = [x for part in others for x in numbers(part.trainable_variables)]
        rates = {"generator": 0.1, "discriminator": 0.0, "contrastive": 0.0}
        fit(
            model,
            epochs=1,
            compile_with={f"{k}_optimizer": keras.optimizers.SGD(v) for k, v in rates.items()},
        )
        after = [x for part in others for x in numbers(part.trainable_variables)]
        for x, y in zip(before, after, strict=True):
            np.testing.assert_array_equal(x, y)
        found.append(numbers(model.generator.trainable_variables))
    assert all((x != y).any() for x, y in zip(*found, strict=True))


def test_images_of_which_it_can_see_the_factor():
    """A generator that shows its codes: after some steps H knows which one is shared."""
    space = LatentSpace([Uniform(3)])
    generator = network((3,), layers.Dense(3, "sigmoid"), layers.Reshape((1, 1, 3)))
    generator.set_weights([2 * np.eye(3), np.zeros(3)])
    image = keras.Input((1, 1, 3))
    flat = layers.Flatten()(image)
    discriminator = keras.Model(image, [layers.Dense(1)(flat), flat])
    pair = keras.Input((1, 1, 6))
    difference = ops.abs(pair[..., :3] - pair[..., 3:])
    hidden = layers.Dense(16, "relu")(layers.Flatten()(difference))
    which = keras.Model(pair, layers.Dense(3)(hidden))
    q_head = QHead(space, hidden=None)
    model = InfoGANCR(generator, discriminator, q_head, space, which, gap=1.0, seed=1)
    still = keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0)
    model.compile(
        generator_optimizer=still[0],
        discriminator_optimizer=still[1],
        contrastive_optimizer=keras.optimizers.Adam(0.03),
    )
    images = np.random.default_rng(0).random((1600, 1, 1, 3), dtype="float32")
    history = model.fit(images, batch_size=32, epochs=2, verbose=0).history
    assert history["contrastive_loss"][0] < np.log(3) + 0.3
    assert history["contrastive_accuracy"][-1] > 0.9
    np.testing.assert_array_equal(numbers(generator.weights)[0], 2 * np.eye(3))


def cr(space=None, contrastive=None, **arguments):
    space = make_space() if space is None else space
    networks = player_networks(space.dim, features=True)
    contrastive = dense((8, 8, 2), 4, None) if contrastive is None else contrastive
    q_head = QHead(space, hidden=None)
    return InfoGANCR(
        **networks,
        q_head=q_head,
        space=space,
        **arguments,
        **{"contrastive_discriminator": contrastive},
    )


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: cr(gap=2.5), "`gap` must be at most the width of the uniform codes.* 2. Received"),
        (
            lambda: cr(LatentSpace([Normal(4, informative=True)]), gap=0.5),
            "`gap` must be at most .* and 0 without any, 0. Received: gap=0.5",
        ),
        (lambda: cr(gap=-1.0), "`gap` must be a finite number >= 0"),
        (lambda: cr(contrastive_weight=-1.0), "`contrastive_weight` must be a finite number >= 0"),
        (
            lambda: cr(LatentSpace([Normal(3), Categorical(4)])),
            "`space` must have at least two factors",
        ),
        (
            lambda: cr(contrastive=dense((8, 8, 2), 3, None)),
            r"The output of `contrastive_discriminator` must have the shape \(4,\)",
        ),
        (
            lambda: cr(contrastive=dense((8, 8, 1), 4, None)),
            r"The input of `contrastive_discriminator` must have the shape \(8, 8, 2\)",
        ),
        (
            lambda: cr(contrastive=dense((8, 8, 2), 4, "softmax")),
            "`contrastive_discriminator` must give logits.* Received: .* softmax",
        ),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_it_needs_three_optimizers():
    model = cr()
    optimizers = adams(model)
    del optimizers["contrastive_optimizer"]
    with pytest.raises(ValueError, match="contrastive_optimizer"):
        model.compile(**optimizers)
