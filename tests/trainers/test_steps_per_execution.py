"""Several training steps in one call: a scan on JAX, Keras's own ways on the other backends."""

import keras
import numpy as np
import pytest
from model_table import MODELS
from tiny_networks import IMAGES, flat_networks
from tiny_training import StepLogs, adams, fit, numbers

from keras_disentangle.callbacks import ExactBackup, RampWeight
from keras_disentangle.datasets import image_batches
from keras_disentangle.models import VAE

BACKEND = keras.backend.backend()
only_jax = pytest.mark.skipif(BACKEND != "jax", reason="others make calls as Keras does")
MANY = np.tile(IMAGES, (3, 1, 1, 1))[:44]  # 11 batches of 4


class Places(keras.callbacks.Callback):
    """The numbers that Keras gives the first and the last batch of each call."""

    def __init__(self):
        super().__init__()
        self.begun, self.ended = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.begun.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.ended.append(batch)


def train(build, steps, images=MANY, epochs=2, callbacks=()):
    """The model, its history, the logs of each call and the batches' numbers."""
    keras.utils.set_random_seed(0)
    model = build()
    settings = {name: keras.optimizers.SGD(1e-2) for name in adams(model)}
    logs, places = StepLogs(), Places()
    history = fit(
        model,
        images,
        epochs=epochs,
        batch_size=4,
        callbacks=[*callbacks, logs, places],
        compile_with={**settings, "steps_per_execution": steps},
    )
    return model, history, logs, places


def assert_close(found, expected):
    """XLA may add numbers in another order in a loop than outside of one: the last digits."""
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@only_jax
@pytest.mark.usefixtures("scanning")
@pytest.mark.parametrize("name", ["beta_tc_vae", "gan_hessian", "factor_vae"])
def test_weights_and_histories_are_those_of_single_steps(name):
    """11 batches in calls of 4: the last call of an epoch has three."""
    model, history, logs, _ = train(MODELS[name].build, 1)
    other, history_4, logs_4, places = train(MODELS[name].build, 4)
    assert int(other.step) == int(model.step) == 22
    assert_close(numbers(other.variables), numbers(model.variables))
    assert_close(numbers(other.optimizer.variables), numbers(model.optimizer.variables))
    assert history_4.keys() == history.keys()
    assert_close(history_4.values(), history.values())
    ends = [3, 7, 10, 14, 18, 21]  # The last steps of the calls, of all.
    for term in history:
        assert_close(logs_4.column(term), logs.column(term)[ends])
    assert places.begun == 2 * [0, 4, 8] and places.ended == 2 * [3, 7, 11]


class Counted(VAE):
    """Counts how often Python runs through the objective."""

    calls = 0

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        Counted.calls += 1
        return super().compute_loss(x, y, y_pred, sample_weight, training)


@only_jax
def test_convolutions_are_not_scanned_over_on_a_cpu():
    Counted.calls = 0
    model, *_ = train(lambda: Counted(**flat_networks(3), seed=1), 5, MANY[:40], epochs=1)
    assert Counted.calls == 2  # One to see that there are convolutions, and a single step.
    single, *_ = train(lambda: VAE(**flat_networks(3), seed=1), 1, MANY[:40], epochs=1)
    for a, b in zip(numbers(model.weights), numbers(single.weights), strict=True):
        np.testing.assert_array_equal(a, b)


@only_jax
@pytest.mark.usefixtures("scanning")
def test_a_call_is_traced_once_for_each_number_and_shape():
    Counted.calls = 0
    ramp = RampWeight("beta", 4.0, steps=9)
    # 43 images: two calls of 4 batches, one of 2 whole ones, and the rest by itself.
    train(lambda: Counted(**flat_networks(3), seed=1), 4, MANY[:43], epochs=3, callbacks=[ramp])
    assert Counted.calls == 3


@only_jax
@pytest.mark.usefixtures("scanning")
def test_a_single_batch_left_over_is_a_step():
    def build():
        return VAE(**flat_networks(3), seed=1)

    model, history, *_ = train(build, 1, MANY[:20], epochs=1)
    other, history_4, *_ = train(build, 4, MANY[:20], epochs=1)
    assert_close(numbers(other.weights), numbers(model.weights))
    assert_close(history_4.values(), history.values())


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs one step a call")
@pytest.mark.one_backend
def test_more_steps_than_an_epoch_has(tmp_path):
    model = VAE(**flat_networks(3), seed=1)
    model.compile("adam", steps_per_execution=5)
    before = numbers(model.weights)
    log = tmp_path / "log.csv"
    log.write_text("of an earlier run")
    callbacks = [ExactBackup(tmp_path / "run"), keras.callbacks.CSVLogger(log)]
    batches = image_batches(IMAGES, 4, seed=0)
    message = "`steps_per_execution` must be at most 4, .* Received: steps_per_execution=5"
    for data in (IMAGES, batches):
        with pytest.raises(ValueError, match=message):
            model.fit(data, batch_size=None if data is batches else 4, callbacks=callbacks)
    assert log.read_text() == "of an earlier run" and not (tmp_path / "run").exists()
    for now, then in zip(numbers(model.weights), before, strict=True):
        np.testing.assert_array_equal(now, then)
