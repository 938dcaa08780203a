"""Small training runs that `ExactBackup` backs up, interrupts that are no kills, comparisons."""

import random
from pathlib import Path

import keras
import numpy as np
from keras import layers
from tiny_networks import IMAGES, flat_networks, network
from tiny_training import numbers

from keras_disentangle.callbacks import ExactBackup, RampWeight
from keras_disentangle.datasets import ArrayFactorDataset, image_batches
from keras_disentangle.models import VAE

BACKEND = keras.backend.backend()
EPOCHS = 3  # of four batches each


class Interrupted(Exception):
    pass


class Interrupt(keras.callbacks.Callback):
    only_looks_on = True

    def __init__(self, epoch, batch):
        super().__init__()
        self.place = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            raise Interrupted


class Seed(keras.callbacks.Callback):
    """Comes after a batch that `fit` may draw to build the model, in an order of its own."""

    def on_train_begin(self, logs=None):
        keras.utils.set_random_seed(0)


class Stop(keras.callbacks.Callback):
    only_looks_on = True

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


def vae(**compile_with):
    model = VAE(**flat_networks(3), seed=1)
    model.compile(keras.optimizers.Adam(1e-2), **compile_with)
    return model


def regression(units=5, optimizer=None, **compile_with):
    """A plain Keras model with random numbers, moving averages and metrics of its own."""
    model = network(
        IMAGES.shape[1:],
        layers.Flatten(),
        layers.Dropout(0.3, seed=2),
        layers.Dense(units, "tanh"),
        layers.BatchNormalization(),
        layers.Dense(1),
    )
    compile_with = {"loss": "mse", "metrics": ["mae"], **compile_with}
    model.compile(optimizer or keras.optimizers.Adam(1e-2), **compile_with)
    return model


class Pairs(keras.utils.PyDataset):
    """Batches of images and their means, the same in each epoch; `fit` shuffles their order."""

    def __init__(self, length=4, **arguments):
        super().__init__(**arguments)
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        x = IMAGES[4 * i : 4 * i + 4]
        return x, x.mean((1, 2, 3))[:, None]


def ramp_and_rate():
    return [
        RampWeight("beta", 4.0, steps=9),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate),
    ]


def batches(batch_size=4, labelled=False):
    labels = np.arange(len(IMAGES)) % 4 if labelled else None
    return image_batches(IMAGES, batch_size, seed=0, labels=labels)


def pairs():
    return ArrayFactorDataset(IMAGES, (4, 4), ("a", "b")).pairs(4, seed=0, steps_per_epoch=2)


_MADE = {}


def make(build):
    """The compiled model as it is at first; traced once only, for there are many runs here."""
    if build not in _MADE:
        keras.utils.set_random_seed(0)
        model = build()
        model.optimizer.build(model.trainable_variables)
        _MADE[build] = model, state(model)
    model, initial = _MADE[build]
    for variable, value in zip(variables(model), initial, strict=True):
        variable.assign(value)
    return model


def train(
    path=None,
    interrupt=None,
    build=regression,
    data=Pairs,
    before=(),
    after=(),
    save_freq=3,
    fresh=False,
    **fit,
):
    """One start of the script that is backed up: all its numbers, or `None` if interrupted."""
    keras.utils.set_random_seed(0)
    model, data = build() if fresh else make(build), data()
    backup = [] if path is None else [ExactBackup(path, save_freq, data=data)]
    interruption = [Interrupt(*interrupt)] if interrupt else []
    callbacks = [Seed(), *before, *backup, *after, *interruption]
    try:
        history = model.fit(data, **{"verbose": 0, "epochs": EPOCHS, **fit}, callbacks=callbacks)
    except Interrupted:
        return None
    return state(model), history.history, history.epoch


def variables(model):
    return [*model.variables, *model.optimizer.variables]


def state(model):
    return numbers(variables(model))


def assert_same(a, b):
    for x, y in zip(a[0], b[0], strict=True):
        np.testing.assert_array_equal(x, y, strict=True)
    assert a[1:] == b[1:]


def assert_goes_on(path, interruptions, whole=None, **settings):
    """However often it is interrupted, the run ends as one that is not."""
    for interruption in interruptions:
        assert train(path, interruption, **settings) is None
        # Another process has another state of these.
        random.seed(None)
        np.random.seed(None)
    result = train(path, **settings)
    assert_same(result, whole or train(**settings))
    return result


def files(path):
    """What is in a folder but for the lock."""
    return sorted(file.name for file in Path(path).iterdir() if file.name != "lock")
