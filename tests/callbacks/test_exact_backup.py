import keras
import ml_dtypes
import numpy as np
import pytest
from backup_runs import (
    BACKEND,
    EPOCHS,
    Interrupt,
    Interrupted,
    Pairs,
    Stop,
    assert_goes_on,
    assert_same,
    batches,
    files,
    pairs,
    ramp_and_rate,
    regression,
    state,
    train,
    vae,
)
from model_table import CONDITIONAL, DIRECTIONS, MODELS, PAIRED
from tiny_networks import IMAGES, dense_ladder, flat_networks
from tiny_training import adams

from keras_disentangle.callbacks import ExactBackup, ProgressiveFadeIn, TensorBoardScalars
from keras_disentangle.models import VAE, ProgressiveLadderVAE
from keras_disentangle.schedules import read


@pytest.mark.compiled(False)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_goes_on(name, tmp_path):
    def build():
        model = MODELS[name].build()
        model.compile(**adams(model))
        return model

    # Models that take no data are told the steps of an epoch instead.
    data = (lambda: 2) if name in DIRECTIONS else lambda: batches(8, name in CONDITIONAL)
    data = pairs if name in PAIRED else data
    # Within an epoch: few steps, for there are many models.
    assert_goes_on(tmp_path, [(1, 1)], build=build, data=data, epochs=2, save_freq=1)


@pytest.fixture(scope="module")
def undisturbed():
    return train(build=vae, data=batches, after=ramp_and_rate())


# At the end of an epoch and the start of the next, and in its midst.
@pytest.mark.parametrize("save_freq", ["epoch", 1, 6])
@pytest.mark.parametrize("place", ["before", "after"])
def test_wherever_it_stands_and_stops(save_freq, place, tmp_path, undisturbed):
    settings = {"build": vae, "data": batches, "save_freq": save_freq, place: ramp_and_rate()}
    assert_goes_on(tmp_path, [(0, 3), (1, 0), (2, 2)], undisturbed, **settings)


def ladder():
    model = ProgressiveLadderVAE(**dense_ladder(), seed=1)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_growing_model_goes_on(place, tmp_path):
    settings = {place: [ProgressiveFadeIn(epochs_per_stage=1, fade_steps=3)]}
    assert_goes_on(tmp_path, [(1, 0), (1, 3)], build=ladder, data=batches, **settings)


@pytest.mark.parametrize("save_freq", ["epoch", 3])
def test_a_plain_model_with_shuffled_batches(save_freq, tmp_path):
    # On TensorFlow, its metrics and its optimizer are built by the first step.
    settings = {"after": ramp_and_rate()[1:], "validation_data": Pairs()[0], "fresh": True}
    assert_goes_on(tmp_path, [(0, 3), (1, 3)], save_freq=save_freq, **settings)


def test_arrays_in_order(tmp_path):
    x = IMAGES.mean((1, 2, 3))[:, None]
    settings = {"y": x, "batch_size": 4, "shuffle": False}
    assert_goes_on(tmp_path, [(1, 3)], data=lambda: IMAGES, **settings)


def test_data_of_unknown_length(tmp_path):
    tf = pytest.importorskip("tensorflow")

    def first(n):
        data = tf.data.Dataset.from_tensor_slices(Pairs()[0]).repeat(4).batch(4).enumerate()
        return data.take_while(lambda i, pair: i < n).map(lambda i, pair: pair)

    data = first(4)
    # After the last batch of an epoch, when it is not known yet to be the last.
    settings = {"data": lambda: data, "shuffle": False, "epochs": 2}
    with pytest.warns(UserWarning, match="ran out of data"):
        assert_goes_on(tmp_path / "run", [(0, 3), (1, 1)], save_freq=4, **settings)
        assert train(tmp_path / "short", (0, 3), **settings) is None
        settings["data"] = lambda: first(2)
        with pytest.raises(ValueError, match="`data` must be .* Received: data that ends before"):
            train(tmp_path / "short", **settings)


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs one step a call")
def test_several_steps_in_one_call(tmp_path):
    settings = {"data": lambda: batches(2), "build": lambda: vae(steps_per_execution=3)}
    assert_goes_on(tmp_path / "run", [(1, 5)], **settings)
    assert train(tmp_path / "other", (0, 8), save_freq=6, **settings) is None
    settings["build"] = lambda: vae(steps_per_execution=4)
    with pytest.raises(ValueError, match="must divide 6,.* Received: steps_per_execution=4"):
        train(tmp_path / "other", **settings)


def test_half_precision(tmp_path):
    def build():
        # Here the weights themselves, not only what is computed with them.
        keras.config.set_dtype_policy("bfloat16")
        try:
            return regression()
        finally:
            keras.config.set_dtype_policy("float32")

    result = assert_goes_on(tmp_path, [(1, 2)], build=build)
    assert np.dtype(ml_dtypes.bfloat16) in {array.dtype for array in result[0]}


def test_a_finished_run_ends_at_once(finished, copied):
    before = files(copied)
    assert_same(train(copied, interrupt=(2, 0)), finished[1])
    assert files(copied) == before


def test_more_epochs_go_on(finished, copied):
    assert_same(train(copied, epochs=5), train(epochs=5))


def test_a_run_that_was_stopped_has_ended(tmp_path):
    whole = train(after=[Stop()])
    assert_same(train(tmp_path, after=[Stop()]), whole)
    assert_same(train(tmp_path, after=[Stop()]), whole)
    assert whole[2] == [0, 1]
    # More epochs, and it is as if it had not been stopped.
    assert_same(train(tmp_path, epochs=4), train(epochs=4))


def test_the_same_callback_and_model_go_on(tmp_path, undisturbed):
    keras.utils.set_random_seed(0)
    data, model = batches(), vae()
    backup = ExactBackup(tmp_path, save_freq=3)  # the model tells it the data

    def fit(*callbacks, **arguments):
        callbacks = [*ramp_and_rate(), *callbacks]
        return model.fit(data, verbose=0, callbacks=callbacks, **arguments).history

    for interruption in (Interrupt(1, 3), Interrupt(1, 2)):
        with pytest.raises(Interrupted):
            fit(backup, interruption, epochs=EPOCHS)
    history = fit(backup, epochs=EPOCHS)
    assert_same((state(model), history), undisturbed[:2])
    # Without the callback, nothing of it is left in the model.
    step = int(model.step)
    assert len(fit(epochs=1)["loss"]) == 1
    assert int(model.step) == step + 4


def test_curves_of_batches_keep_their_steps(tmp_path):
    seen = []

    class Scalars(TensorBoardScalars):
        def _write(self, when, numbers, step):
            seen.extend((when, step) for name in numbers if name == "loss")

    settings = {"build": vae, "data": batches, "epochs": 2}
    settings["after"] = [Scalars(tmp_path / "logs", every=1)]
    assert train(tmp_path / "run", (1, 3), **settings) is None
    seen.clear()
    train(tmp_path / "run", **settings)
    # The backup was made after step 6.
    assert sorted(step for when, step in seen if when == "batch") == [7, 8]


def test_training_never_waits_for_the_logs_of_a_batch():
    assert ExactBackup.on_train_batch_end is keras.callbacks.Callback.on_train_batch_end
    assert ExactBackup.on_batch_end is keras.callbacks.Callback.on_batch_end


class Poison(keras.callbacks.Callback):
    """Makes the model diverge at the start of an epoch."""

    only_looks_on = True

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            kernel = self.model.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, np.nan))


@pytest.mark.parametrize("save_freq", ["epoch", 1])
def test_what_is_not_finite_is_not_saved(save_freq, tmp_path, finished):
    message = "logs must be finite. Received: non-finite loss, mae. This state was not saved; "
    with pytest.raises(ValueError, match=message + "there is no backup"):
        train(tmp_path, after=[Poison(0)], save_freq=save_freq)
    assert files(tmp_path) == []
    with pytest.raises(ValueError, match=f"{message}the newest backup is .*backup-00000"):
        train(tmp_path, after=[Poison(1)], save_freq=save_freq)
    assert_same(train(tmp_path), finished[1])


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    # Before they have reached the loss.
    with pytest.raises(ValueError, match="state must be finite. Received: non-finite .*kernel"):
        train(tmp_path, before=[Poison(1)], save_freq="epoch")
    assert files(tmp_path) == []


def test_a_model_may_say_itself_what_is_not_finite(tmp_path):
    class Diverging(VAE):
        def check_finite(self):
            if int(self.step) == 9:
                raise ValueError("The term kl became infinite at step 7.")

    def build():
        model = Diverging(**flat_networks(3), seed=1)
        model.compile(keras.optimizers.Adam(1e-2))
        return model

    message = "The term kl became infinite at step 7. This .* newest backup is .*backup-000002"
    with pytest.raises(ValueError, match=message):
        train(tmp_path, build=build, data=batches)
    assert files(tmp_path) == ["backup-000001", "backup-000002"]


def test_the_model_may_tell_the_data(tmp_path):
    backup = ExactBackup(tmp_path)
    with pytest.raises(ValueError, match="`data` must be given .* Received: data=None"):
        regression().fit(Pairs(), verbose=0, callbacks=[backup])
    with pytest.raises(ValueError, match="`data` must have a reproducible order.*image_batches"):
        backup.set_data(IMAGES, shuffle=True)
    with pytest.raises(ValueError, match="`data` must have a reproducible order"):
        backup.set_data({"a": [IMAGES, IMAGES]}, shuffle=True)
    backup.set_data(IMAGES, shuffle=False)
    backup.set_data(Pairs(), shuffle=True)
    regression().fit(Pairs(), verbose=0, callbacks=[backup])
    assert files(tmp_path) == ["backup-000001"]


def test_data_that_cannot_be_had_again():
    with pytest.raises(ValueError, match="`data` must be .* Received: a generator"):
        ExactBackup("backups", data=(x for x in IMAGES))
    for arguments in ({"workers": 2}, {"use_multiprocessing": True}):
        with pytest.raises(ValueError, match="`data` must be prepared by one worker.* Received"):
            ExactBackup("backups", data=Pairs(**arguments))
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(IMAGES, shuffle=True)
    with pytest.raises(ValueError, match="`data` must have a reproducible order"):
        ExactBackup("backups", data=loader)
    ExactBackup("backups", data=torch.utils.data.DataLoader(IMAGES))


def test_epochs_that_do_not_begin_with_the_data(tmp_path):
    message = "`steps_per_epoch` must be left out.* Received: epochs of 3 batches, .* with 4"
    with pytest.raises(ValueError, match=message):
        train(tmp_path, steps_per_epoch=3)


@pytest.mark.parametrize("save_freq", ["batch", 0, 2.5, True, None])
def test_bad_frequencies(save_freq):
    message = '`save_freq` must be "epoch" or an integer >= 1. Received: save_freq='
    with pytest.raises(ValueError, match=message):
        ExactBackup("backups", save_freq)


def test_a_model_is_told_of_what_was_restored(tmp_path):
    class Told(VAE):
        steps = ()

        def restored(self):
            self.steps += (read(self.step),)

    def build():
        model = Told(**flat_networks(3), seed=1)
        model.compile(keras.optimizers.Adam(1e-2))
        return model

    def fit(model, callback):
        model.fit(batches(), epochs=2, callbacks=[callback, Interrupt(1, 1)], verbose=0)

    with pytest.raises(Interrupted):
        fit(build(), ExactBackup(tmp_path, save_freq=1))
    model = build()
    with pytest.raises(Interrupted):
        fit(model, ExactBackup(tmp_path, save_freq=1))
    assert model.steps and set(model.steps) == {5}
