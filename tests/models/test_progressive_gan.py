"""What a stage sees and gives, the terms of its own, where its state is kept, and bad input."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.optimizers import SGD
from tabled_random import noise_table, uniform_table
from tiny_networks import player_networks, progressive_networks
from tiny_training import adams, assign_by_hand, fit, numbers

from keras_disentangle.applications.progressive_gan.networks import q_network
from keras_disentangle.datasets import image_batches
from keras_disentangle.latents import LatentSpace, Normal
from keras_disentangle.models import ProgressiveGAN, ProgressiveInfoGAN

# A few steps each; the compiled ones of every model are those of the shared table.
pytestmark = pytest.mark.compiled(False)

IMAGES = np.random.default_rng(0).random((12, 16, 16, 1), dtype="float32")
LAST = 2


def gan(stage=LAST, alpha=1.0, resolution=16, **arguments):
    model = ProgressiveGAN(**progressive_networks(resolution=resolution), seed=1, **arguments)
    model.set_stage(stage)
    model.ramps["fade"].set(alpha, alpha, 0, 0)
    return model


def info_gan(code_dim=2, **arguments):
    space = LatentSpace([Normal(code_dim, informative=True, posterior_std=1.0), Normal(3)])
    networks = progressive_networks(space.dim, resolution=8)
    networks["q_head"] = q_network(networks["discriminator"], code_dim)
    return ProgressiveInfoGAN(**networks, space=space, seed=1, **arguments)


def pooled(x, factor):
    n, h, w, c = x.shape
    return x.reshape(n, h // factor, factor, w // factor, factor, c).mean(axis=(2, 4))


def enlarged(x, factor=2):
    return x.repeat(factor, axis=1).repeat(factor, axis=2)


# What goes in and what comes out


@pytest.mark.parametrize("stage, alpha", [(2, 1.0), (2, 0.25), (1, 0.5), (0, 1.0), (0, 0.5)])
def test_real_images_of_a_stage(stage, alpha):
    (part,) = gan(stage, alpha).prepare(IMAGES)
    seen = pooled(IMAGES, 4 >> stage)
    if stage > 0:
        seen = alpha * seen + (1 - alpha) * enlarged(pooled(seen, 2))
    np.testing.assert_allclose(ops.convert_to_numpy(part["real"]), 2 * seen - 1, atol=1e-5)


@pytest.mark.compiled(True)
def test_images_given_in_every_stage():
    model = gan(0, ema_half_life=None)
    z = noise_table(3)[:5]
    for stage, size in enumerate((4, 8, 16)):
        model.set_stage(stage)
        model.generator.to_rgb[stage].bias.assign([1.0])
        assert (model.stage, model.resolution) == (stage, size)
        images = model.decode(z)
        assert images.shape == (5, size, size, 1)
        raw = (ops.convert_to_numpy(model.generator(z, stage=stage)) + 1) / 2
        assert (raw > 1).any()
        np.testing.assert_allclose(ops.convert_to_numpy(images), np.clip(raw, 0, 1), atol=1e-6)
        # Compiled for each stage anew.
        predicted = model.predict(z, verbose=0)
        np.testing.assert_allclose(predicted, ops.convert_to_numpy(images), atol=1e-5)
        assert model.sample(2, seed=0).shape == (2, size, size, 1)


@pytest.mark.parametrize("stage", [1, 2])
def test_growth_changes_nothing_at_first(stage):
    model = gan(stage - 1, ema_half_life=None)
    z = noise_table(3)[:6]

    def seen():
        images = model.generate(z)
        (part,) = model.prepare(IMAGES)
        return numbers([images, model.discriminate(images)[0], part["real"]])

    images, logits, real = seen()
    model.grow(fade_steps=10)
    assert model.stage == stage
    for after, before in zip(seen(), (enlarged(images), logits, enlarged(real)), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-5)
    model.step.assign(5)
    np.testing.assert_allclose(ops.convert_to_numpy(model.alpha()), 0.5)


# The objective


def test_the_terms_of_a_step(tabled_noise):
    model = gan(1, 0.5, drift_weight=0.5, penalty_weight=10.0)
    assign_by_hand(model)
    zero_steps = {f"{player}_optimizer": SGD(0.0) for player in ("generator", "discriminator")}
    z, mix = noise_table(3)[:12], uniform_table(1)[:12].reshape(-1, 1, 1, 1)
    (part,) = model.prepare(IMAGES)
    fake = ops.convert_to_numpy(model.generate(z))
    real_logits, fake_logits = (
        ops.convert_to_numpy(model.discriminate(x)[0]) for x in (part["real"], fake)
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(part["mix"]), mix)
    between = ops.convert_to_tensor(fake + mix * (ops.convert_to_numpy(part["real"]) - fake))
    _, gradients = model.input_gradient(model.discriminate, between)
    norms = np.linalg.norm(ops.convert_to_numpy(gradients).reshape(12, -1), axis=1)
    expected = {
        "discriminator_loss": fake_logits.mean() - real_logits.mean(),
        "generator_loss": -fake_logits.mean(),
        "gradient_penalty": ((norms - 1) ** 2).mean(),
        "penalty_weight": 10.0,
        "drift": (real_logits**2).mean(),
        "stage": 1,
        "fade": 0.5,
    }
    logs = fit(model, IMAGES, epochs=1, compile_with=zero_steps)
    assert logs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name][0], value, rtol=1e-4, err_msg=name)


def test_the_drift_moves_the_discriminator(tabled_noise):
    """By hand for the bias of the logits, which the rest of the objective does not move."""
    biases = []
    for weight in (0.0, 0.25):
        model = gan(0, drift_weight=weight)
        assign_by_hand(model)
        (part,) = model.prepare(IMAGES)
        mean = ops.convert_to_numpy(model.discriminate(part["real"])[0]).mean()
        before = ops.convert_to_numpy(model.discriminator.logits.bias)[0]
        model.compile(generator_optimizer=SGD(0.0), discriminator_optimizer=SGD(0.1))
        history = fit(model, IMAGES, epochs=1, compile_with=False)
        assert ("drift" in history) == (weight > 0)
        biases.append(ops.convert_to_numpy(model.discriminator.logits.bias)[0] - before)
    np.testing.assert_allclose(biases, [0.0, -0.1 * 0.25 * 2 * mean], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_size, discriminator_steps", [(6, 1), (12, 2)])
def test_the_half_life_is_in_images(batch_size, discriminator_steps):
    model = gan(0, ema_half_life=24, discriminator_steps=discriminator_steps)
    before = numbers(model.ema_generator.weights)
    fit(model, IMAGES[:batch_size], epochs=1)
    keep = 0.5 ** (batch_size / 24)
    pairs = zip(
        before, numbers(model.generator.weights), numbers(model.ema_generator.weights), strict=True
    )
    for old, weight, mean in pairs:
        np.testing.assert_allclose(mean, weight + keep * (old - weight), rtol=1e-5, atol=1e-6)


def test_layers_that_are_not_in_use_do_not_move():
    model = gan(1, 1.0)
    before = numbers(model.generator.weights + model.discriminator.weights)
    fit(model, IMAGES, epochs=2)
    after = numbers(model.generator.weights + model.discriminator.weights)
    weights = model.generator.weights + model.discriminator.weights
    # The old ways from and to an image are in the step, with no weight in it: alpha is 1.
    for variable, old, new in zip(weights, before, after, strict=True):
        is_unused = "16x16" in variable.path or "rgb_4x4" in variable.path
        assert (old == new).all() == is_unused, variable.path


# Its state


def test_a_file_keeps_the_stage(tmp_path):
    model = gan()
    model.step.assign(7)
    model.set_stage(1, fade_steps=4)
    model.step.assign(9)
    model.compile(**adams(model))
    z = noise_table(3)[:4]
    expected = ops.convert_to_numpy(model.decode(z))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    with_weights = gan(0)
    with_weights.load_weights(tmp_path / "model.weights.h5")
    for other in (keras.models.load_model(tmp_path / "model.keras"), with_weights):
        assert (other.stage, float(other.alpha())) == (1, 0.5)
        np.testing.assert_array_equal(ops.convert_to_numpy(other.decode(z)), expected)
    assert with_weights.get_config().keys() == model.get_config().keys()


@pytest.mark.compiled(True)
def test_weights_loaded_after_a_training_are_trained_in_their_stage(tmp_path):
    saved, model = gan(0), gan(1)
    saved.compile(**adams(saved))
    saved.save_weights(tmp_path / "model.weights.h5")
    assert fit(model, IMAGES, epochs=1)["stage"] == [1]
    model.load_weights(tmp_path / "model.weights.h5")
    assert fit(model, IMAGES, epochs=1, compile_with=False)["stage"] == [0]


@pytest.mark.compiled(True)
def test_the_stage_may_be_set_by_a_callback():
    class Grow(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 1:
                self.model.grow(fade_steps=2)

    model = gan(1)
    data = image_batches(IMAGES, batch_size=4, seed=0)
    model.compile(**adams(model))
    model.fit(data, verbose=0, callbacks=[Grow()])
    assert model.stage == 2
    assert float(model.alpha()) == 1.0 and float(model.ramps["fade"](2)) == 0.5
    assert model.images_per_step == 4


# The InfoGAN baseline


def test_the_bound_is_a_squared_error(tabled_noise):
    model = info_gan(information_weight=2 / 2)
    assign_by_hand(model)
    zero_steps = {f"{player}_optimizer": SGD(0.0) for player in ("generator", "discriminator")}
    codes = model.space.sample(12)
    _, features = model.discriminate(model.generate(codes))
    error = ops.convert_to_numpy(model.q_head(features) - codes[:, :2])
    history = fit(model, IMAGES[:, :8, :8], epochs=1, compile_with=zero_steps)
    # The constant is log sqrt(2 pi) for each of two codes, and their entropy one half more.
    expected = -0.5 * (error**2).sum(axis=1).mean() + 2 * 0.5
    np.testing.assert_allclose(history["information_normal_1"], [expected], rtol=1e-4)


def test_full_images_are_encoded_in_every_stage():
    model = info_gan()
    images = IMAGES[:, :8, :8]
    for stage in (0, 1):
        model.set_stage(stage)
        small = pooled(images, 2 >> stage)
        _, features = model.discriminate(2 * small - 1)
        expected = ops.convert_to_numpy(model.q_head(features))
        found = ops.convert_to_numpy(model.encode(images)["normal_1"])
        np.testing.assert_allclose(found, expected, atol=1e-5)


# Bad input


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {**progressive_networks(), "discriminator": player_networks(3)["discriminator"]},
            "must have equally many stages, `num_stages`. Received: 2 and None",
        ),
        (
            {
                "generator": progressive_networks()["generator"],
                "discriminator": progressive_networks(resolution=16)["discriminator"],
            },
            "must have equally many stages, `num_stages`. Received: 2 and 3",
        ),
        (player_networks(3), "must have equally many stages, .* Received: None and None"),
        (
            {**progressive_networks(), "ema_half_life": 0},
            "`ema_half_life` must be None or a number of images > 0. Received: ema_half_life=0",
        ),
        ({**progressive_networks(), "ema_half_life": "1k"}, "`ema_half_life` .* Received: .*'1k'"),
        ({**progressive_networks(), "drift_weight": -1}, "`drift_weight` must .* >= 0. Rec.*=-1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProgressiveGAN(**arguments)


def test_bad_stages_are_named():
    model = gan()
    for stage, message in ((3, "less than 3. Rec.*=3"), (-1, "an integer >= 0. Rec.*=-1")):
        with pytest.raises(ValueError, match=f"`stage` must be {message}"):
            model.set_stage(stage)
    with pytest.raises(ValueError, match="`stage` must be less than 3. Received: stage=3"):
        model.grow()
    with pytest.raises(ValueError, match="`num_steps` must be an integer >= 0"):
        model.set_stage(1, fade_steps=-1)
    assert model.stage == LAST and float(model.alpha()) == 1.0


@pytest.mark.parametrize("stage", [0, 2])
def test_images_are_wanted_at_full_resolution(stage):
    with pytest.raises(ValueError, match=r"`x` must hold images of the shape \('n', 16, 16, 1\)"):
        fit(gan(stage), IMAGES[:, ::4, ::4])
