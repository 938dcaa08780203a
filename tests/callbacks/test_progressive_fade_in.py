import keras
import numpy as np
import pytest
from backup_runs import make
from tiny_networks import IMAGES, dense_ladder, flat_networks
from tiny_training import StepLogs, fit

from keras_disentangle.callbacks import ProgressiveFadeIn
from keras_disentangle.models import VAE, LadderVAE, ProgressiveLadderVAE

IS_TORCH = keras.backend.backend() == "torch"


def ladder(steps_per_execution=1):
    model = ProgressiveLadderVAE(**dense_ladder(), seed=1)
    model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=steps_per_execution)
    return model


def ladder_of_four_steps():
    return ladder(steps_per_execution=4)


class StopAfter(keras.callbacks.Callback):
    """Ends the training as a user would who interrupts it."""

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 == self.epochs


def train(model, *callbacks, epochs=6, **arguments):
    """Four steps an epoch; returns the logs of each call of the train step."""
    logs = StepLogs()
    fit(
        model,
        epochs=epochs,
        batch_size=4,
        compile_with=False,
        callbacks=[*callbacks, logs],
        **arguments,
    )
    return logs


def alpha(first_step, fade_steps, steps):
    if fade_steps == 0:
        return (steps >= first_step).astype(float)
    return np.clip((steps - first_step) / fade_steps, 0, 1)


@pytest.mark.parametrize(
    "stages, fade_steps, length",
    [
        ({"steps_per_stage": 8}, 8, 8),
        ({"steps_per_stage": 5}, 3, 5),
        ({"steps_per_stage": 7}, 0, 7),
        ({"epochs_per_stage": 2}, 3, 8),
        ({"epochs_per_stage": 1}, 4, 4),
    ],
)
@pytest.mark.parametrize("build", [ladder] if IS_TORCH else [ladder, ladder_of_four_steps])
def test_alphas_are_exact(stages, fade_steps, length, build):
    model = make(build)
    logs = train(model, ProgressiveFadeIn(**stages, fade_steps=fade_steps))
    steps = np.arange(model.steps_per_execution - 1, 24, model.steps_per_execution)
    for stage, name in ((1, "alpha_2"), (2, "alpha_1")):
        expected = alpha(stage * length, fade_steps, steps)
        np.testing.assert_allclose(logs.column(name), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(IS_TORCH, reason="torch runs one step a call")
def test_alphas_are_exact_within_eight_steps_a_call():
    model, logs = ladder(steps_per_execution=8), StepLogs()
    fade_in = ProgressiveFadeIn(epochs_per_stage=1, fade_steps=8)
    fit(model, epochs=3, batch_size=2, compile_with=False, callbacks=[fade_in, logs])
    for name, first_step in (("alpha_2", 8), ("alpha_1", 16)):
        expected = alpha(first_step, 8, np.array([7, 15, 23]))
        np.testing.assert_allclose(logs.column(name), expected, rtol=1e-6, atol=1e-6)


def test_stages_count_from_where_training_begins():
    model = make(ladder)
    train(model, epochs=1)
    logs = train(model, ProgressiveFadeIn(steps_per_stage=6, fade_steps=4))
    np.testing.assert_allclose(logs.column("alpha_2"), alpha(6, 4, np.arange(24)), rtol=1e-6)
    np.testing.assert_allclose(logs.column("alpha_1"), alpha(12, 4, np.arange(24)), rtol=1e-6)


def fade_in_within_two_epochs():
    return ProgressiveFadeIn(epochs_per_stage=2, fade_steps=5)


@pytest.fixture(scope="module")
def whole():
    """The logs of a run that was never stopped."""
    return train(make(ladder), fade_in_within_two_epochs())


# While dormant, at the start of a stage, and within a fade.
@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_a_resumed_run_goes_on(epochs, tmp_path, whole):
    model = make(ladder)
    first = train(model, fade_in_within_two_epochs(), StopAfter(epochs))
    model.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    rest = train(model, fade_in_within_two_epochs(), initial_epoch=epochs)
    assert int(model.step) == 24
    for name in ("alpha_2", "alpha_1"):
        resumed = np.concatenate([first.column(name), rest.column(name)])
        np.testing.assert_allclose(resumed, whole.column(name), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "callback, arguments, message",
    [
        (
            {"steps_per_stage": 10, "fade_steps": 5},
            {},
            "`steps_per_stage` must .* at step 24. Received: steps_per_stage=10, .* at step 30",
        ),
        (
            {"epochs_per_stage": 3, "fade_steps": 5},
            {},
            "`epochs_per_stage` must .* Received: epochs_per_stage=3, .* at step 36",
        ),
        (
            {"steps_per_stage": 4, "fade_steps": 5},
            {},
            "`fade_steps` must be at most .* stage, 4 steps. Received: fade_steps=5",
        ),
        ({"epochs_per_stage": 2}, {}, "at most .*, 8 steps. Received: fade_steps=5000"),
    ],
)
def test_what_does_not_fit_the_training_is_refused(callback, arguments, message):
    model = make(ladder)
    with pytest.raises(ValueError, match=message):
        train(model, ProgressiveFadeIn(**callback), **arguments)
    assert int(model.step) == 0
    assert all(float(ramp(0)) == 1.0 for ramp in model.ramps.values())


def test_epochs_need_data_of_known_length():
    def endless():
        while True:
            yield (IMAGES[:4],)

    model = make(ladder)
    with pytest.raises(ValueError, match="`epochs_per_stage` needs data of known length"):
        model.fit(
            endless(), verbose=0, callbacks=[ProgressiveFadeIn(epochs_per_stage=1, fade_steps=1)]
        )


def test_steps_do_for_data_of_unknown_length():
    def images():
        for _ in range(9):
            yield (IMAGES[:4],)

    model, logs = make(ladder), StepLogs()
    fade_in = ProgressiveFadeIn(steps_per_stage=3, fade_steps=2)
    model.fit(images(), verbose=0, callbacks=[fade_in, logs])
    np.testing.assert_allclose(logs.column("alpha_2"), alpha(3, 2, np.arange(9)))


@pytest.mark.parametrize(
    "build",
    [
        lambda: VAE(**flat_networks(2)),
        lambda: LadderVAE(**dense_ladder()),
        lambda: ProgressiveLadderVAE(**dense_ladder((3,), (6,))),
    ],
    ids=["no ladder", "no ramps", "one rung"],
)
def test_models_without_rungs_to_fade_in(build):
    message = r"needs a model with ramps alpha_1 .* Received: .* the ramps \['beta'\]"
    model = build()
    model.compile("adam")
    with pytest.raises(ValueError, match=message):
        train(model, ProgressiveFadeIn(steps_per_stage=4, fade_steps=2))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "Exactly one of .* Received: epochs_per_stage=None, steps_per_stage=None"),
        (
            {"epochs_per_stage": 1, "steps_per_stage": 2},
            "Exactly one of .* Received: epochs_per_stage=1, steps_per_stage=2",
        ),
        ({"epochs_per_stage": 0}, "`epochs_per_stage` must be an integer >= 1. Received: .*=0"),
        ({"steps_per_stage": -3}, "`steps_per_stage` must be .* Received: steps_per_stage=-3"),
        ({"steps_per_stage": 1.5}, "`steps_per_stage` must be .* Received: steps_per_stage=1.5"),
        (
            {"steps_per_stage": 5, "fade_steps": -1},
            "`fade_steps` must be an integer >= 0. Received: fade_steps=-1",
        ),
        ({"steps_per_stage": 5, "fade_steps": 0.5}, "`fade_steps` must be an integer >= 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProgressiveFadeIn(**arguments)


def test_another_schedule_begins_growth_anew():
    model = make(ladder)
    train(model, ProgressiveFadeIn(steps_per_stage=4, fade_steps=2), epochs=3)
    logs = train(model, ProgressiveFadeIn(steps_per_stage=10, fade_steps=2), epochs=8)
    np.testing.assert_allclose(logs.column("alpha_2"), alpha(10, 2, np.arange(32)), rtol=1e-6)
    np.testing.assert_allclose(logs.column("alpha_1"), alpha(20, 2, np.arange(32)), rtol=1e-6)


def test_a_late_start_leaves_too_few_steps():
    model = make(ladder)
    with pytest.raises(ValueError, match="`epochs_per_stage` must .* Received: epochs_per_stage=2"):
        train(model, ProgressiveFadeIn(epochs_per_stage=2, fade_steps=2), initial_epoch=4)
