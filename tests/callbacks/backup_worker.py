"""Trains a small model with `ExactBackup`, for the test that kills it: FOLDER.

Says on a line of its own which batch is done, and writes what came of it all to result.npz and into
the files of its callbacks, all in FOLDER.
"""

import json
import pathlib
import sys

import keras
import numpy as np
from keras import ops
from tiny_networks import IMAGES, flat_networks

from keras_disentangle.callbacks import ExactBackup, RampWeight
from keras_disentangle.datasets import image_batches
from keras_disentangle.models import VAE


class Announce(keras.callbacks.Callback):
    only_looks_on = True

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        print(f"done {self.epoch} {batch}", flush=True)


class Score(keras.callbacks.Callback):
    """Logs numbers of which the second is the best, and counts without a word about it."""

    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1

    def on_epoch_end(self, epoch, logs=None):
        logs["score"], logs["batches"] = [3.0, 1.0, 2.0, 1.5, 0.5][epoch], self.batches


def main(folder):
    keras.utils.set_random_seed(0)
    model = VAE(**flat_networks(3), seed=1)
    model.compile(keras.optimizers.Adam(1e-2))
    data = image_batches(IMAGES, batch_size=4, seed=0)
    best = {"monitor": "score", "mode": "min"}
    callbacks = [
        RampWeight("beta", 4.0, steps=9),
        Score(),
        keras.callbacks.CSVLogger(folder / "log.csv"),
        ExactBackup(folder / "backup", 3, data=data),
        keras.callbacks.ReduceLROnPlateau(**best, patience=1, factor=0.5),
        keras.callbacks.ModelCheckpoint(
            folder / "best.weights.h5", **best, save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.EarlyStopping(**best, patience=2, restore_best_weights=True),
        Announce(),
    ]
    history = model.fit(data, epochs=5, verbose=0, callbacks=callbacks).history
    arrays = [ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]
    model.load_weights(folder / "best.weights.h5")
    arrays += [ops.convert_to_numpy(variable) for variable in model.variables]
    np.savez(folder / "result.npz", *arrays, history=json.dumps(history))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
