"""The two phases: their losses in NumPy, what each trains, and the estimate where it is known."""

import keras
import numpy as np
import pytest
from derivatives import value_and_gradients
from keras import layers, ops
from model_table import factor_vae
from scipy.special import log_expit
from tabled_random import noise_table, uniform_table
from tiny_networks import IMAGES, conditional_flat_networks, dense, flat_networks, network
from tiny_training import adams, assign_by_hand, fit, numbers

import keras_disentangle as kd
from keras_disentangle.models import VAE, FactorVAE

# A few steps each; those of every backend, compiled, are in the shared table.
pytestmark = pytest.mark.compiled(False)


def by_hand(model):
    """The total correlation, the discriminator's loss and accuracy of `IMAGES`."""
    mean, log_var = (x.astype("float64") for x in numbers(model.encode(IMAGES)))
    z = mean + np.exp(log_var / 2) * noise_table(3)[:16]
    order = np.argsort(uniform_table(3)[:16], axis=0)
    permuted = np.take_along_axis(z, order, axis=0)
    a, b, c, d = numbers(model.discriminator.weights)
    ratio, other = (np.tanh(x @ a + b) @ (c[:, 0] - c[:, 1]) + d[0] - d[1] for x in (z, permuted))
    loss = -(log_expit(ratio).mean() + log_expit(-other).mean()) / 2
    return ratio.mean(), loss, ((ratio > 0).mean() + (other < 0).mean()) / 2


@pytest.mark.one_backend
def test_objectives_in_numpy(tabled_noise):
    model = factor_vae(gamma=7.0, beta=2.0)
    assign_by_hand(model)
    correlation, loss, accuracy = by_hand(model)
    expected = {
        "total_correlation": correlation,
        "discriminator_loss": loss,
        "discriminator_accuracy": accuracy,
        "gamma": 7.0,
        "beta": 2.0,
    }
    model.compile(**adams(model))
    evaluated = model.evaluate(IMAGES, batch_size=16, return_dict=True, verbose=0)
    # The discriminator's phase comes after the VAE's, so it uses the same codes.
    trained = {name: values[0] for name, values in fit(model, epochs=1).items()}
    for found in (evaluated, trained):
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-4), name
        bound = found["reconstruction"] + 2 * found["kl"]
        assert found["loss"] == pytest.approx(bound + 7 * correlation, rel=1e-5)
    assert abs(correlation) > 0.05 and abs(loss - np.log(2)) > 0.001


def test_no_gradient_of_the_discriminators_loss_reaches_the_encoder():
    model = factor_vae()
    batch = model.prepare(ops.convert_to_tensor(IMAGES))
    parts = [model.encoder, model.discriminator]
    variables = [v for part in parts for v in part.trainable_variables]
    # `share` is not a constant here, unlike in a train step.
    _, gradients = value_and_gradients(
        lambda: model.discriminator_objective(batch, model.share(batch)), variables
    )
    of_encoder = len(model.encoder.trainable_variables)
    assert all((gradient == 0).all() for gradient in gradients[:of_encoder])
    assert all((gradient != 0).any() for gradient in gradients[of_encoder:])


@pytest.mark.one_backend
def test_each_phase_moves_its_own_variables():
    for still in ("vae", "discriminator"):
        model = factor_vae(observation="gaussian", gamma=100.0)
        others = {"vae": [model.discriminator], "discriminator": [model.encoder, model.decoder]}
        before = [numbers(v) for v in ([model.log_std], *[x.weights for x in others[still]])]
        frozen = {"vae": [model.encoder, model.decoder], "discriminator": [model.discriminator]}
        kept = [numbers(x.weights) for x in frozen[still]]
        fit(model, compile_with={f"{still}_optimizer": keras.optimizers.SGD(0.0)})
        for x, old in zip(frozen[still], kept, strict=True):
            for a, b in zip(numbers(x.weights), old, strict=True):
                np.testing.assert_array_equal(a, b)
        for x, old in zip(others[still], before[1:], strict=True):
            assert all((a != b).any() for a, b in zip(numbers(x.weights), old, strict=True))
        assert (numbers([model.log_std])[0] != before[0][0]) == (still == "discriminator")


@pytest.mark.one_backend
def test_without_a_weight_the_bound_is_that_of_a_vae(tabled_noise):
    networks = flat_networks(3)
    model = FactorVAE(**networks, discriminator=dense((3,), 2, None), gamma=0.0)
    plain = VAE(**networks)
    plain.compile("adam")
    model.compile(**adams(model))
    found, expected = (
        m.evaluate(IMAGES, batch_size=16, return_dict=True, verbose=0) for m in (model, plain)
    )
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-6)


# Where the total correlation is known: codes that are the images, which are normal.

COVARIANCE = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, -0.3], [0.0, -0.3, 1.0]])
KNOWN = float(-0.5 * np.log(np.linalg.det(COVARIANCE)))  # 0.65 nats


def samples(n, seed):
    draws = np.random.default_rng(seed).multivariate_normal(np.zeros(3), COVARIANCE, size=n)
    return draws.astype("float32").reshape(n, 1, 1, 3)


def of_its_images(discriminator):
    """A model whose codes are its images, and whose encoder and decoder stay as they are."""
    encoder = network((1, 1, 3), layers.Flatten(), layers.Dense(6))
    encoder.set_weights([np.eye(3, 6), np.repeat([0.0, -40.0], 3)])
    decoder = network((3,), layers.Reshape((1, 1, 3)), layers.Dense(3))
    model = FactorVAE(encoder, decoder, discriminator, observation="gaussian", seed=1)
    model.compile(
        vae_optimizer=keras.optimizers.SGD(0.0),
        discriminator_optimizer=keras.optimizers.Adam(3e-3, beta_1=0.5, beta_2=0.9),
    )
    return model


def test_the_estimate_of_the_true_log_odds():
    """D is log q(z) - log q(z_1) q(z_2) q(z_3), in two logits."""
    quadratic = np.linalg.inv(COVARIANCE) - np.eye(3)
    z = keras.Input((3,))
    ratio = KNOWN - 0.5 * ops.sum(z * ops.matmul(z, quadratic.astype("float32")), axis=1)
    logits = layers.Dense(2, kernel_initializer="ones", use_bias=False)(ops.stack([ratio], axis=1))
    discriminator = keras.Model(z, logits)
    discriminator.layers[-1].set_weights([np.array([[0.75, -0.25]])])
    model = of_its_images(discriminator)
    x = samples(20_000, seed=1)
    found = model.evaluate(x, batch_size=20_000, return_dict=True, verbose=0)
    assert found["total_correlation"] == pytest.approx(KNOWN, rel=0.03)
    # No discriminator does better, and by chance it is below log 2.
    assert found["discriminator_loss"] < np.log(2) - 0.1
    # It is a mean over the codes, which others make negative: those of independent dimensions.
    independent = np.random.default_rng(2).normal(size=x.shape).astype("float32")
    found = model.evaluate(independent, batch_size=20_000, return_dict=True, verbose=0)
    expected = KNOWN - 0.5 * np.trace(quadratic)
    assert found["total_correlation"] == pytest.approx(expected, rel=0.03) and expected < -0.5


@pytest.mark.one_backend
def test_the_estimate_of_a_trained_discriminator():
    hidden = (layers.Dense(32, "leaky_relu") for _ in range(2))
    model = of_its_images(network((3,), *hidden, layers.Dense(2)))
    history = model.fit(samples(100_000, seed=3), batch_size=500, epochs=2, verbose=0).history
    found = model.evaluate(samples(20_000, seed=4), batch_size=500, return_dict=True, verbose=0)
    assert found["total_correlation"] == pytest.approx(KNOWN, rel=0.1)
    assert found["discriminator_accuracy"] > 0.6
    assert history["discriminator_loss"][-1] < history["discriminator_loss"][0]
    np.testing.assert_array_equal(numbers(model.encoder.weights)[0], np.eye(3, 6))


@pytest.mark.one_backend
def test_conditional_on_labels():
    labels = np.arange(16) % 4
    networks = conditional_flat_networks(3, 4)
    model = FactorVAE(**networks, discriminator=dense((3,), 2, None), labels=4, seed=1)
    model.compile(**adams(model))
    history = model.fit(IMAGES, labels, batch_size=8, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all() and len(history["total_correlation"]) == 2
    found = model.evaluate(IMAGES, labels, batch_size=16, return_dict=True, verbose=0)
    assert found["discriminator_loss"] > 0
    a, b = (numbers([model.sample(2, seed=0, labels=np.array(x))])[0] for x in ([0, 1], [2, 1]))
    assert (a[0] != b[0]).any() and (a[1] == b[1]).all()


@pytest.mark.one_backend
def test_the_discriminator_of_the_paper():
    model = FactorVAE(**flat_networks(3))
    assert [layer.units for layer in model.discriminator.layers] == [1000] * 6 + [2]
    hidden = model.discriminator.layers[0].activation
    np.testing.assert_allclose(numbers([hidden(np.array([-1.0, 1.0]))])[0], [-0.2, 1.0])


@pytest.mark.one_backend
def test_to_the_outside_it_is_a_vae(tmp_path):
    """Callbacks, ramps, validation, backups and scores."""
    images = (255 * np.concatenate([IMAGES, IMAGES])).astype("uint8")
    data = kd.datasets.ArrayFactorDataset(images, (4, 8), ("a", "b"))
    scores = kd.callbacks.FactorMetrics(data, metrics=["mig"], num_samples=32)
    runs = []
    for epochs in ((2,), (1, 2)):
        for last in epochs:
            model = factor_vae(gamma=1.0)
            model.compile(**adams(model))
            callbacks = [
                kd.callbacks.RampWeight("gamma", 3.0, steps=4),
                kd.callbacks.LatentTraversal(str(tmp_path / "logs")),
                kd.callbacks.InformationFlow(str(tmp_path / "logs"), images),
                scores,
                kd.callbacks.ExactBackup(tmp_path / str(len(epochs))),
            ]
            keras.utils.set_random_seed(0)
            history = model.fit(
                IMAGES,
                validation_data=IMAGES,
                batch_size=8,
                epochs=last,
                callbacks=callbacks,
                verbose=0,
            ).history
        runs.append((numbers([*model.variables, *model.optimizer.variables]), history))
    for a, b in zip(runs[0][0], runs[1][0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert runs[0][1]["gamma"] == [1.5, 2.5] and len(runs[0][1]["val_total_correlation"]) == 2
    assert set(kd.evaluate(model, data, ["mig"], num_samples=32)) == {"mig"}
    assert len(list((tmp_path / "logs").rglob("*.gif"))) >= 1


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda n: FactorVAE(**n, gamma=-1.0), "`gamma` must be a finite number >= 0"),
        (
            lambda n: FactorVAE(**n, discriminator=dense((2,), 2, None)),
            r"The input of `discriminator` must have the shape \(3,\). Received: \(2,\)",
        ),
        (
            lambda n: FactorVAE(**n, discriminator=dense((3,), 1, None)),
            r"The output of `discriminator` must have the shape \(2,\). Received: \(1,\)",
        ),
        (
            lambda n: FactorVAE(**n, discriminator=dense((3,), 2, "softmax")),
            "`discriminator` must give logits.* Received: a network that ends in softmax",
        ),
        (lambda n: FactorVAE(**n, discriminator="mlp"), "`discriminator` must be a built Keras"),
        (
            lambda n: fit(FactorVAE(**n), IMAGES[:9], batch_size=8),
            "`batch_size` must leave at least 2 images .* permuted .* Received: a batch of 1",
        ),
        (
            lambda n: fit(FactorVAE(**n), sample_weight=np.ones(16)),
            "`sample_weight` must be left out",
        ),
    ],
)
@pytest.mark.one_backend
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make(flat_networks(3))


def test_batches_of_one_from_a_generator():
    model = factor_vae()
    model.compile(**adams(model))
    batches = ((x,) for x in (IMAGES[:8], IMAGES[8:9]))
    with pytest.raises(ValueError, match="permuted .* Received: a batch of 1"):
        model.fit(batches, verbose=0)
