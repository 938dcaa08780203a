"""The argument `hessian_penalty` of the models."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops
from model_table import GANS, VAES
from tiny_networks import IMAGE_SHAPE, IMAGES, flat_networks, progressive_networks
from tiny_training import fit, numbers

from keras_disentangle.callbacks import RampWeight
from keras_disentangle.losses import HessianPenaltyLoss
from keras_disentangle.models import GAN, VAE, ProgressiveGAN


def gan(hessian_penalty, seed=1):
    keras.utils.set_random_seed(seed)
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(16, "tanh", name="hidden"),
            layers.Dense(math.prod(IMAGE_SHAPE), "sigmoid", name="pixels"),
            layers.Reshape(IMAGE_SHAPE),
        ]
    )
    discriminator = keras.Sequential(
        [keras.Input(IMAGE_SHAPE), layers.Flatten(), layers.Dense(1)],
    )
    return GAN(generator, discriminator, hessian_penalty=hessian_penalty, seed=seed)


def penalty_of(model, epochs, target):
    """The penalty that is logged in each epoch while the weight is at `target` from step 1 on."""
    ramp = RampWeight("hessian_weight", target, 1)
    return fit(model, epochs=epochs, callbacks=[ramp])["hessian_penalty"]


def test_the_weight_lowers_the_penalty_of_a_gan():
    # Without it, the penalty grows as the generator learns.
    free = penalty_of(gan({"reduction": "mean"}), 30, 0.0)
    held = penalty_of(gan({"reduction": "mean"}), 30, 100.0)
    assert held[-1] < 0.1 * held[0] and held[-1] < 0.1 * free[-1]


def test_the_weight_lowers_the_penalty_of_a_vae():
    def vae():
        keras.utils.set_random_seed(0)
        networks = flat_networks(3)
        networks["decoder"] = keras.Sequential(
            [
                keras.Input((3,)),
                layers.Dense(16, "tanh"),
                layers.Dense(math.prod(IMAGE_SHAPE)),
                layers.Reshape(IMAGE_SHAPE),
            ]
        )
        return VAE(**networks, hessian_penalty={"reduction": "mean"}, seed=1)

    held, free = (penalty_of(vae(), 20, target) for target in (1000.0, 0.0))
    assert held[-1] < 0.3 * free[-1]


def test_the_terms_add_up():
    model = VAES["ladder_vae_hessian"].build()
    logs = fit(model, epochs=1, batch_size=16)
    last = {name: values[-1] for name, values in logs.items()}
    total = last["reconstruction"] + last["kl_2"] + last["kl_1"] + 2.0 * last["hessian_penalty"]
    assert last["loss"] == pytest.approx(total, rel=1e-4)
    assert last["hessian_penalty"] > 0

    logs = fit(GANS["gan_hessian"].build(), epochs=1)
    parts = [logs[f"hessian_penalty_{layer}"][0] for layer in ("first", "last")]
    assert logs["hessian_penalty"][0] == pytest.approx(sum(parts), rel=1e-5) and min(parts) > 0


def test_a_single_layer_is_named_too():
    logs = fit(gan({"outputs": "hidden"}), epochs=1)
    assert logs["hessian_penalty_hidden"] == logs["hessian_penalty"]
    model = ProgressiveGAN(**progressive_networks(), hessian_penalty={"num_layers": 1})
    named = [name for name in model.trackers if name.startswith("hessian_penalty")]
    assert named == ["hessian_penalty", "hessian_penalty_dense_4x4"]


def test_a_generator_without_a_graph_has_no_names_to_log():
    model = GAN(**progressive_networks(resolution=4), hessian_penalty={}, seed=1)
    logs = fit(model, IMAGES[:, :4, :4], epochs=1)
    assert [name for name in logs if name.startswith("hessian_penalty")] == ["hessian_penalty"]
    assert logs["hessian_penalty"][0] > 0


def test_a_gans_penalty_is_that_of_the_loss():
    settings = {"outputs": ["hidden", "pixels"], "epsilon": 0.3}
    model = gan(settings)
    z = model.space.sample(4, seed=0)
    directions = ops.sign(keras.random.normal((4, 2, 3), seed=0))
    found = model.generator_penalty(model.penalties[0], z, directions, training=True)
    expected = HessianPenaltyLoss(model.generator, **settings).per_output(z, directions)
    assert set(found) == {"hidden", "pixels"}
    for name, value in found.items():
        assert float(value) == pytest.approx(float(expected[name]), rel=1e-5)
    # It starts without weight.
    assert float(model.ramps["hessian_weight"](model.step)) == 0


@pytest.mark.parametrize("stage, fade", [(0, 1.0), (1, 1.0), (1, 0.25), (2, 0.25)])
def test_layers_of_a_growing_gan(stage, fade):
    model = ProgressiveGAN(
        **progressive_networks(resolution=16), hessian_penalty={"num_layers": 5}, seed=1
    )
    model.set_stage(stage)
    model.ramps["fade"].set(fade, fade, 0, 0)
    z = model.space.sample(4, seed=0)
    directions = ops.sign(keras.random.normal((4, 2, 3), seed=0))
    found = {
        k: float(v)
        for k, v in model.generator_penalty(
            model.penalties[0], z, directions, training=True
        ).items()
    }
    names = model.generator.hidden_names[: min(5, 2 * (stage + 1))]
    assert list(found) == names
    for i, name in enumerate(names):

        def activation(z, i=i):
            return model.generator.activations(z)[i][1]

        expected = float(
            sum(HessianPenaltyLoss(_as_model(activation, z)).per_output(z, directions).values())
        )
        weight = fade if i // 2 == stage and stage else 1.0
        assert found[name] == pytest.approx(weight * expected, rel=1e-3)


def _as_model(fn, z):
    class Wrapped(keras.Model):
        def call(self, z):
            return fn(z)

    model = Wrapped()
    model(z)
    return model


def test_without_a_weight_the_first_step_is_that_of_a_plain_gan():
    results = []
    for settings in (None, {}):
        model = gan(settings)
        fit(model, epochs=1, batch_size=16)
        results.append(numbers(model.generator.weights))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "settings, message",
    [
        (True, "`hessian_penalty` must be None or a dict"),
        ({"lambda": 1.0}, "`hessian_penalty` must be None or a dict"),
        ({"seed": 1}, "`hessian_penalty` must be None or a dict"),
        ({"reduction": ops.max}, "must give its `reduction` by name"),
        ({"outputs": layers.ReLU(name="x")}, "must give its `outputs` by name.*outputs=<ReLU"),
        (
            {"outputs": ["hidden", layers.ReLU()]},
            r"must give its `outputs` by name.*\['hidden', <R",
        ),
        ({"num_directions": 1}, "`num_directions` must be"),
        ({"epsilon": 0.0}, "`epsilon` must be"),
        ({"epsilon": "0.1"}, "`epsilon` must be"),
        ({"outputs": ["nowhere"]}, "`outputs` must be layers of the model"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        gan(settings)


def test_a_vae_regularises_what_it_generates():
    with pytest.raises(ValueError, match="`hessian_penalty` must be None or a dict"):
        VAE(**flat_networks(3), hessian_penalty={"outputs": ["dense"]})


@pytest.mark.parametrize(
    "cls, arguments", [(layers.BatchNormalization, ()), (layers.Dropout, (0.5,))]
)
def test_layers_that_do_not_suit(cls, arguments):
    def model(part):
        networks = flat_networks(3)
        start = keras.Input(networks[part].input_shape[1:]), cls(*arguments, name="unfit")
        networks[part] = keras.Sequential([*start, *networks[part].layers])
        return VAE(**networks, hessian_penalty={"one_pass": True})

    fit(model("encoder"), epochs=1)  # Only what generates matters.
    with pytest.raises(ValueError, match="`one_pass` must be False.*layer 'unfit'"):
        fit(model("decoder"), epochs=1)


@pytest.mark.parametrize("outputs", [["hidden", "pixels"], "pixels"])
def test_a_penalty_that_is_not_finite_names_the_layer(outputs):
    model = gan({"outputs": outputs})
    model.compile(generator_optimizer="adam", discriminator_optimizer="adam")
    kernel = model.generator.get_layer("pixels").kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(ValueError, match="`hessian_penalty_pixels` at training step 0") as error:
        fit(model, epochs=1, compile_with=False)
    assert "hessian_penalty_hidden" not in str(error.value)
