import os

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_disentangle.callbacks.tensorboard_scalars import TensorBoardScalars

X, Y = np.linspace(0, 1, 32).reshape(32, 1), np.ones((32, 1))  # 4 batches of 8


class SteppedModel(keras.Sequential):
    """Counts its training steps on the device, as this library's models do."""

    def __init__(self):
        super().__init__([keras.Input((1,)), keras.layers.Dense(1)])
        self.step = keras.Variable(100, dtype="int32", trainable=False, name="step")

    def compute_loss(self, *args, training=True, **kwargs):
        if training:
            self.step.assign_add(1)
        return super().compute_loss(*args, training=training, **kwargs)


def plain_model():
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])


def fit(model, *callbacks, **arguments):
    model.compile("sgd", "mse", steps_per_execution=arguments.pop("steps_per_execution", 1))
    arguments = {"epochs": 3, "batch_size": 8, "verbose": 0, **arguments}
    return model.fit(X, Y, callbacks=list(callbacks), **arguments).history


def read(folder, tag):
    events = EventAccumulator(str(folder)).Reload().Scalars(tag)
    return {event.step: event.value for event in events}


def test_epochs_stand_at_the_models_step(tmp_path):
    history = fit(SteppedModel(), TensorBoardScalars(tmp_path), validation_data=(X, Y))
    for run, name in (("train", "loss"), ("validation", "val_loss")):
        written = read(tmp_path / run, "loss/epoch_loss")
        assert list(written) == [104, 108, 112]
        np.testing.assert_allclose(list(written.values()), history[name], rtol=1e-6)


def test_without_a_step_or_validation(tmp_path):
    history = fit(plain_model(), TensorBoardScalars(tmp_path))
    written = read(tmp_path / "train", "loss/epoch_loss")
    assert list(written) == [1, 2, 3]
    np.testing.assert_allclose(list(written.values()), history["loss"], rtol=1e-6)
    assert os.listdir(tmp_path) == ["train"]


@pytest.mark.parametrize("make, first", [(SteppedModel, 100), (plain_model, 0)])
def test_batches_are_written_every_few_steps(tmp_path, make, first):
    model, callback = make(), TensorBoardScalars(tmp_path, every=3)
    history = fit(model, callback)
    written = read(tmp_path / "train", "loss/batch_loss")
    expected = [step for step in range(first + 1, first + 13) if step % 3 == 0]
    assert sorted(written) == expected
    assert all(np.isfinite(list(written.values())))
    # The mean over an epoch is complete at its last step.
    if first == 0:
        assert written[12] == pytest.approx(history["loss"][-1], rel=1e-6)
    # A second `fit` goes on where the first stopped.
    fit(model, callback, epochs=1)
    again = [step for step in read(tmp_path / "train", "loss/batch_loss") if step > first + 12]
    start = first + 13 if first else 1  # `compile` made a new optimizer, which counts from 0
    assert again == [
        step for step in range(start, start + 4) if step % 3 == 0 and step > first + 12
    ]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch runs one step a call")
def test_several_steps_an_execution(tmp_path):
    fit(SteppedModel(), TensorBoardScalars(tmp_path, every=4), epochs=2, steps_per_execution=2)
    assert sorted(read(tmp_path / "train", "loss/batch_loss")) == [104, 108]


def test_everything_is_on_disk_after_each_epoch(tmp_path):
    class Killed(BaseException):
        pass

    class Kill(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise Killed

    with pytest.raises(Killed):
        fit(plain_model(), TensorBoardScalars(tmp_path), Kill())
    assert list(read(tmp_path / "train", "loss/epoch_loss")) == [1, 2]


def test_only_numbers_are_written(tmp_path):
    callback = TensorBoardScalars(tmp_path)
    callback.set_model(plain_model())
    callback.on_epoch_end(0, {"mig": np.float32(0.5), "information": [1.0, 2.0], "val_mig": 0.25})
    callback.on_train_end()
    train = EventAccumulator(str(tmp_path / "train")).Reload()
    assert train.Tags()["scalars"] == ["metrics/epoch_mig"]
    assert read(tmp_path / "validation", "metrics/epoch_mig") == {1: 0.25}


def test_bad_input_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`log_dir` must be a folder"):
        TensorBoardScalars(tmp_path / "file")
    with pytest.raises(ValueError, match="every=0"):
        TensorBoardScalars(tmp_path, every=0)
