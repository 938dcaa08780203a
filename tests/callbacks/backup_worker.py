"""Trains a small model with `ExactBackup`, for the test that kills it: FOLDER RESULT.

Says on a line of its own which batch is done, and writes what came of it all to RESULT.
"""

import json
import sys

import keras
import numpy as np
from keras import ops
from tiny_models import IMAGES, flat_networks

from keras_disentangle.callbacks import ExactBackup, RampWeight
from keras_disentangle.datasets import image_batches
from keras_disentangle.models import VAE


class Announce(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        print(f"done {self.epoch} {batch}", flush=True)


def main(folder, result):
    keras.utils.set_random_seed(0)
    model = VAE(**flat_networks(3), seed=1)
    model.compile(keras.optimizers.Adam(1e-2))
    data = image_batches(IMAGES, batch_size=4, seed=0)
    callbacks = [RampWeight("beta", 4.0, steps=9), ExactBackup(folder, 3, data=data), Announce()]
    history = model.fit(data, epochs=4, verbose=0, callbacks=callbacks).history
    variables = [*model.variables, *model.optimizer.variables]
    arrays = [ops.convert_to_numpy(variable) for variable in variables]
    np.savez(result, *arrays, history=json.dumps(history))


if __name__ == "__main__":
    main(*sys.argv[1:])
