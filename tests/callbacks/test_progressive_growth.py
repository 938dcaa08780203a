import keras
import numpy as np
import pytest
from keras import ops
from keras.optimizers import Adam
from tiny_networks import flat_networks, progressive_networks
from tiny_training import StepLogs, fit, numbers, weights

from keras_disentangle.callbacks import ExactBackup, ProgressiveGrowth
from keras_disentangle.datasets import image_batches
from keras_disentangle.models import VAE, ProgressiveGAN
from keras_disentangle.trainers import OptimizerGroup

IS_TORCH = keras.backend.backend() == "torch"
IMAGES = np.random.default_rng(0).random((12, 16, 16, 1), dtype="float32")
# With batches of four: three steps an epoch, growth at the steps 2 and 6, within an epoch and at
# its beginning; fades end at the steps 4 and 8, the last stage at step 10.
IMAGES_PER_PART = {"images_per_fade": 8, "images_per_stage": 8}
SCHEDULE = {
    "stage": [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2],
    "fade": [1, 1, 0, 0.5, 1, 1, 0, 0.5, 1, 1, 1, 1],
}


class Counted(ProgressiveGAN):
    """Counts how often Python runs through the step."""

    calls = 0

    def prepare(self, x):
        Counted.calls += 1
        return super().prepare(x)


def gan(resolution=16, cls=ProgressiveGAN, **compile_with):
    networks = progressive_networks(resolution=resolution)
    model = cls(**networks, gradient_penalty=None, seed=1)  # which is slow to compile
    adams = {f"{slot}_optimizer": Adam(1e-3) for slot in ("generator", "discriminator")}
    model.compile(**adams, **compile_with)
    return model


def train(model, *callbacks, epochs=4, **arguments):
    """Returns the logs of each call of the train step."""
    logs = StepLogs()
    size = model.image_shape[0]
    fit(
        model,
        IMAGES[:, :size, :size],
        epochs=epochs,
        batch_size=4,
        compile_with=False,
        callbacks=[*callbacks, logs],
        **arguments,
    )
    return logs


class AtSteps(keras.callbacks.Callback):
    """Keeps what `look(model)` gives after each step."""

    def __init__(self, look):
        super().__init__()
        self.look, self.found = look, []

    def on_train_batch_end(self, batch, logs=None):
        self.found.append(self.look(self.model))


# Growth


@pytest.fixture(scope="module")
def grown():
    """A whole run: the logs of its steps, what was seen after each, and the variables."""
    keras.utils.set_random_seed(0)
    model = gan(cls=Counted)
    variables = model.generator.weights + model.discriminator.weights
    Counted.calls = 0
    looks = {
        "calls": lambda model: Counted.calls,
        "iterations": iterations,
        "values": lambda model: numbers(variables),
    }
    start = numbers(variables)
    callbacks = {name: AtSteps(look) for name, look in looks.items()}
    logs = train(model, ProgressiveGrowth(**IMAGES_PER_PART), *callbacks.values())
    seen = {name: callback.found for name, callback in callbacks.items()}
    seen["values"].insert(0, start)
    return logs, seen, variables


def iterations(model):
    return [int(optimizer.iterations) for optimizer in model.optimizer.slots.values()]


def test_the_schedule_is_exact(grown):
    logs, *_ = grown
    for name, values in SCHEDULE.items():
        np.testing.assert_allclose(logs.column(name), values, atol=1e-6, err_msg=name)


@pytest.mark.skipif(IS_TORCH, reason="torch runs Python at every step")
def test_each_stage_is_compiled_once(grown):
    _, seen, _ = grown
    assert seen["calls"] == [stage + 1 for stage in SCHEDULE["stage"]]


def test_the_optimizers_start_afresh_with_each_fade_and_after_it(grown):
    logs, seen, _ = grown
    assert seen["iterations"] == [[n, n] for n in [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 3, 4]]
    assert logs.model.optimizer["generator"].learning_rate == np.float32(1e-3)


def test_weights_move_while_they_are_in_use(grown):
    """And not after a fade, when Adam had momenta of the old ways from and to an image."""
    _, seen, variables = grown
    # From the step to the one before; with alpha 0, new layers are not yet in use.
    used = {"4x4": (0, 12), "8x8": (3, 12), "16x16": (7, 12)}
    used_rgb = {"4x4": (0, 4), "8x8": (3, 8), "16x16": (7, 12)}
    for i, variable in enumerate(variables):
        layer = variable.path.split("/")[-2]
        first, end = (used_rgb if "rgb" in layer else used).get(layer.split("_")[-1], (0, 12))
        history = [values[i] for values in seen["values"]]
        moved = [(a != b).any() for a, b in zip(history, history[1:], strict=False)]
        assert moved == [first <= step < end for step in range(12)], variable.path


@pytest.mark.skipif(IS_TORCH, reason="torch runs one step a call")
@pytest.mark.usefixtures("scanning")
def test_several_steps_a_call():
    model, logs = gan(cls=Counted, steps_per_execution=2), StepLogs()
    Counted.calls = 0
    calls = AtSteps(lambda model: Counted.calls)
    callbacks = [ProgressiveGrowth(images_per_fade=6, images_per_stage=6), calls, logs]
    fit(model, IMAGES, epochs=3, batch_size=3, compile_with=False, callbacks=callbacks)
    for name, values in SCHEDULE.items():
        np.testing.assert_allclose(logs.column(name), values[1::2], atol=1e-6, err_msg=name)
    assert calls.found == [stage + 1 for stage in SCHEDULE["stage"][1::2]]


def test_without_a_fade_and_without_a_fresh_start():
    model, taken = gan(resolution=8), AtSteps(iterations)
    growth = ProgressiveGrowth(images_per_fade=0, images_per_stage=9, reset_optimizer=False)
    logs = train(model, growth, taken, epochs=2)
    # 9 images are three steps of four.
    assert logs.column("stage").tolist() == [0] * 3 + [1] * 3
    assert logs.column("fade").tolist() == [1] * 6
    assert taken.found == [[step, step] for step in range(1, 7)]


# Going on


def test_a_saved_run_goes_on(tmp_path):
    """From where the fade has just ended: what is due there is done."""

    class StopAfter(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    def growth():
        return ProgressiveGrowth(images_per_fade=8, images_per_stage=16)

    whole, first = AtSteps(iterations), AtSteps(iterations)
    logs = train(gan(resolution=8), growth(), whole)
    first_logs = train(gan(resolution=8), growth(), StopAfter(), first)
    first_logs.model.save(tmp_path / "model.keras")
    model, rest = keras.models.load_model(tmp_path / "model.keras"), AtSteps(iterations)
    rest_logs = train(model, growth(), rest, initial_epoch=2)
    assert first.found + rest.found == whole.found
    for name in SCHEDULE:
        resumed = [*first_logs.column(name), *rest_logs.column(name)]
        np.testing.assert_allclose(resumed, logs.column(name), atol=1e-6, err_msg=name)


class Interrupted(Exception):
    pass


class Interrupt(keras.callbacks.Callback):
    only_looks_on = True

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        self.step -= 1
        if self.step == 0:
            raise Interrupted


@pytest.fixture(scope="module")
def whole_run():
    return state(two_stages(ProgressiveGrowth(**IMAGES_PER_PART)))


def two_stages(*callbacks, seed=0):
    """Three epochs of three steps: growth at step 2, within the first; the fade ends at step 4."""
    keras.utils.set_random_seed(seed)
    model = gan(resolution=8)
    data = image_batches(IMAGES[:, :8, :8], batch_size=4, seed=0)
    model.fit(data, epochs=3, verbose=0, callbacks=list(callbacks))
    return model


def state(model):
    return [*weights(model), *numbers(model.optimizer.variables)]


@pytest.mark.parametrize(
    "save_freq, step, first",
    [
        # Where a backup falls, and which callback is called first, is alike on all backends.
        pytest.param("epoch", 5, "growth", marks=pytest.mark.one_backend),
        # Made where the stage begins, and in the midst of its fade.
        (2, 3, "growth"),
        pytest.param(3, 4, "backup", marks=pytest.mark.one_backend),
    ],
)
def test_a_backup_across_growth_is_exact(whole_run, save_freq, step, first, tmp_path):
    def callbacks():
        found = [ProgressiveGrowth(**IMAGES_PER_PART), ExactBackup(tmp_path / "b", save_freq)]
        return found if first == "growth" else found[::-1]

    with pytest.raises(Interrupted):
        two_stages(*callbacks(), Interrupt(step))
    model = two_stages(*callbacks(), seed=1)
    assert model.stage == 1 and int(model.step) == 9
    for expected, found in zip(whole_run, state(model), strict=True):
        np.testing.assert_array_equal(expected, found)


class GrowInTheSecondEpoch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.grow(fade_steps=2)


@pytest.mark.one_backend
def test_a_backup_across_growth_by_a_callback_of_ones_own(tmp_path):
    def run(*callbacks):
        keras.utils.set_random_seed(0)
        model = gan(resolution=8)
        model.set_stage(0)
        data = image_batches(IMAGES[:, :8, :8], batch_size=4, seed=0)
        model.fit(data, epochs=3, verbose=0, callbacks=[GrowInTheSecondEpoch(), *callbacks])
        return model

    whole = run()
    with pytest.raises(Interrupted):
        run(ExactBackup(tmp_path), Interrupt(8))
    model = run(ExactBackup(tmp_path))
    assert model.stage == 1 and int(model.step) == 9
    for expected, found in zip(state(whole), state(model), strict=True):
        np.testing.assert_array_equal(expected, found)


@pytest.mark.one_backend
def test_a_finished_run_is_trained_on_in_its_last_stage():
    model = gan(resolution=8)
    train(model, ProgressiveGrowth(**IMAGES_PER_PART), epochs=2)
    logs = train(model, ProgressiveGrowth(**IMAGES_PER_PART), epochs=1)
    assert logs.column("stage").tolist() == [1] * 3
    assert logs.column("fade").tolist() == [1] * 3


@pytest.mark.one_backend
def test_another_schedule_begins_growth_anew():
    model = gan(resolution=8)
    train(model, ProgressiveGrowth(**IMAGES_PER_PART), epochs=2)
    logs = train(model, ProgressiveGrowth(images_per_fade=4, images_per_stage=16), epochs=3)
    np.testing.assert_array_equal(logs.column("stage"), [0] * 4 + [1] * 5)
    np.testing.assert_allclose(logs.column("fade"), [1] * 4 + [0] + [1] * 4)


# The optimizers' state


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "adagrad", "lion"])
def test_a_reset_optimizer_is_a_new_one(optimizer):
    def group():
        keras.utils.set_random_seed(0)
        variables = {name: [keras.Variable(np.ones((2, 3)))] for name in ("a", "b")}
        group = OptimizerGroup({name: keras.optimizers.get(optimizer) for name in variables})
        group.build_slots(variables)
        return group, variables

    (used, variables), (new, _) = group(), group()
    used.learning_rate = 0.25
    for slot in ("a", "b"):
        used[slot].apply([ops.ones((2, 3))], variables[slot])
    moved = numbers(variables["b"])
    used.reset("a")
    assert [int(used[slot].iterations) for slot in ("a", "b")] == [0, 1]
    used.reset()
    for variable, expected in zip(used.variables, new.variables, strict=True):
        value = 0.25 if "learning_rate" in variable.path else ops.convert_to_numpy(expected)
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), value, variable.path)
    np.testing.assert_array_equal(numbers(variables["b"]), moved)


def test_what_cannot_be_reset():
    group = OptimizerGroup({"a": "adam"})
    with pytest.raises(ValueError, match="must be built before it is reset"):
        group.reset()
    with pytest.raises(ValueError, match=r"`slot` must be one of \['a'\]. Received: slot='b'"):
        group.reset("b")


# Bad input


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"images_per_fade": -1}, "`images_per_fade` must be an integer >= 0. Received: .*=-1"),
        ({"images_per_stage": 0}, "`images_per_stage` must be an integer >= 1. Received: .*=0"),
        ({"images_per_stage": 6e5}, "`images_per_stage` must be an integer >= 1. Rec.*600000.0"),
        ({"reset_optimizer": 1}, "`reset_optimizer` must be True or False. Received: .*=1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProgressiveGrowth(**arguments)


def test_a_training_that_is_too_short():
    model = gan()
    message = (
        "must let all stages end within the training run, at step 9. Received: .* step 10 .4 im"
    )
    with pytest.raises(ValueError, match=message):
        train(model, ProgressiveGrowth(**IMAGES_PER_PART), epochs=3)
    assert int(model.step) == 0 and model.stage == 2
    with pytest.raises(ValueError, match="must let all stages .* at step 6. Rec.* at step 10"):
        train(model, ProgressiveGrowth(**IMAGES_PER_PART), epochs=4, initial_epoch=2)


def test_images_of_a_generator_are_counted():
    model = gan()

    def images():
        for _ in range(4):
            yield (IMAGES[:4],)

    message = r"must let all stages end within the training.* \(4 images a step\)"
    with pytest.raises(ValueError, match=message):
        model.fit(images(), steps_per_epoch=2, verbose=0, callbacks=[ProgressiveGrowth()])


def test_a_model_without_stages():
    model = VAE(**flat_networks(2))
    model.compile("adam")
    with pytest.raises(ValueError, match="needs a model that has stages.* Received: .*VAE"):
        model.fit(IMAGES[:, :8, :8], verbose=0, callbacks=[ProgressiveGrowth()])


@pytest.mark.one_backend
def test_a_backup_of_another_schedule(tmp_path):
    backup = [ExactBackup(tmp_path / "b", 1)]
    with pytest.raises(Interrupted):
        two_stages(ProgressiveGrowth(**IMAGES_PER_PART), *backup, Interrupt(4))
    message = "must be that of the backup .*images_per_fade = 4 .*: 8"
    with pytest.raises(ValueError, match=message):
        two_stages(ProgressiveGrowth(images_per_fade=4, images_per_stage=8), *backup)
