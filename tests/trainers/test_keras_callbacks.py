import keras
import numpy as np
import pytest
from factor_images import factor_images
from keras.callbacks import EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau
from model_table import MODELS
from tiny_training import fit

from keras_disentangle.callbacks import FactorMetrics

EAGER = {"run_eagerly": True}


class Score(keras.callbacks.Callback):
    """Adds a score to the logs, and says which end of it is better."""

    def __init__(self, values, end="up"):
        super().__init__()
        self.values, self.end = values, end

    def direction(self, name):
        return self.end if name == "score" else None

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = self.values[epoch]


@pytest.mark.parametrize(
    "name, monitor, mode",
    [
        ("vae_bernoulli", "loss", "auto"),  # Keras knows.
        ("vae_bernoulli", "reconstruction", "min"),
        ("vae_bernoulli", "val_kl", "min"),
        ("info_gan", "generator_loss", "min"),
        ("info_gan", "information_categorical", "max"),
        ("info_gan", "discriminator_accuracy", "max"),
        ("vae_bernoulli", "mig", "max"),
        ("vae_bernoulli", "dci_disentanglement", "max"),
        ("vae_bernoulli", "information_total", "max"),
        ("vae_bernoulli", "total_correlation", "min"),
        # A weight has no better end, nor has what nobody knows of.
        ("vae_bernoulli", "beta", "auto"),
        ("vae_bernoulli", "score", "auto"),
    ],
)
def test_callbacks_learn_what_is_better(name, monitor, mode, tmp_path):
    watching = [
        EarlyStopping(monitor),
        ReduceLROnPlateau(monitor),
        ModelCheckpoint(tmp_path / "best.keras", monitor, save_best_only=True),
        EarlyStopping(monitor, mode="max"),
    ]
    scores = [FactorMetrics(factor_images(), every=9, metrics=["mig"], num_samples=30)]
    scores = [] if name == "info_gan" else scores
    fit(MODELS[name].build(), epochs=1, initial_epoch=1, callbacks=[*scores, *watching])
    assert [callback.mode for callback in watching] == [mode, mode, mode, "max"]


def test_an_attribute_named_direction_is_left_alone():
    class Other(keras.callbacks.Callback):
        direction = "north"

    stop = EarlyStopping("score")
    fit(MODELS["vae_bernoulli"].build(), epochs=1, initial_epoch=1, callbacks=[Other(), stop])
    assert stop.mode == "auto"


def test_the_better_end_is_followed(tmp_path):
    """Two runs of one score: the first epoch is the best of them where more is better."""
    for end, best in (("up", 0), ("down", 2)):
        model, stop = MODELS["vae_bernoulli"].build(), EarlyStopping("score", patience=9)
        fit(model, epochs=3, compile_with=EAGER, callbacks=[Score([3.0, 2.0, 1.0], end), stop])
        assert stop.best_epoch == best


def test_a_term_reduces_the_learning_rate():
    plateau = ReduceLROnPlateau("generator_loss", 0.5, patience=1, min_delta=1e6)
    history = fit(MODELS["gan_tanh"].build(), epochs=3, compile_with=EAGER, callbacks=[plateau])
    np.testing.assert_allclose(history["learning_rate"], [1e-2, 1e-2, 5e-3], rtol=1e-5)


@pytest.mark.parametrize(
    "name, message", [("vae_bernoulli", "schedule"), ("gan_tanh", "in the slot")]
)
@pytest.mark.parametrize(
    "make", [lambda: ReduceLROnPlateau("loss"), lambda: LearningRateScheduler(lambda epoch: 0.1)]
)
def test_a_rate_that_cannot_be_set_is_refused_when_training_begins(name, message, make):
    model = MODELS[name].build()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    optimizer = keras.optimizers.Adam(schedule)
    slots = (
        ["discriminator_optimizer", "generator_optimizer"] if name == "gan_tanh" else ["optimizer"]
    )
    given = dict.fromkeys(slots[:-1], "sgd") | {slots[-1]: optimizer}
    with pytest.raises(ValueError, match=message):
        fit(model, compile_with=given, callbacks=[make()])
    assert int(model.step) == 0
