"""Short training of tiny models, and what one compares afterwards."""

import keras
import numpy as np
from keras import ops
from tiny_networks import IMAGES

from keras_disentangle.layers import EqualizedConv2D, EqualizedDense
from keras_disentangle.models import GAN
from keras_disentangle.models.frozen_generator_model import FrozenGeneratorModel
from keras_disentangle.trainers import PhasedModel


def assign_by_hand(model, seed=0):
    """Gives every kernel and bias the same values on every backend."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name in ("kernel", "bias"):
            variable.assign(0.3 * rng.standard_normal(variable.shape))
    for layer in model._flatten_layers():
        if isinstance(layer, (EqualizedConv2D, EqualizedDense)):
            # These scale their kernels themselves. Next to the biases they must be large enough for
            # units to be on for some images and off for others: see `player_networks`.
            layer.kernel.assign(ops.convert_to_tensor(layer.kernel) * 4.0)


def adams(model, learning_rate=1e-2, **arguments):
    """What `compile` needs: an Adam, or one for each slot of a model that trains in phases."""

    def adam():
        return keras.optimizers.Adam(learning_rate, **arguments)

    if isinstance(model, PhasedModel):
        return {f"{phase.slot}_optimizer": adam() for phase in model.phases()}
    return {"optimizer": adam()}


def fit(model, images=IMAGES, epochs=2, callbacks=(), compile_with=None, **arguments):
    """Compiles unless `compile_with` is False, trains in order, returns the history's dict.

    A model that takes no data makes one step an epoch, with as many latents as there are images.
    The images that a conditional model gets are of each class in turn.
    """
    if compile_with is not False:
        model.compile(**{**adams(model), **(compile_with or {})})
    if getattr(model, "images_per_example", 1) == 2 and hasattr(images, "shape"):
        images = images.reshape(-1, 2, *images.shape[1:])
    arguments = {"batch_size": len(images), "verbose": 0, **arguments}
    if isinstance(model, FrozenGeneratorModel):
        images = 1  # steps
    else:
        arguments = {"shuffle": False, **arguments}
        if getattr(model, "labels", None) is not None and hasattr(images, "shape"):
            arguments.setdefault("y", np.arange(len(images)) % model.labels.num_classes)
    return model.fit(images, epochs=epochs, callbacks=list(callbacks), **arguments).history


def step_batch(model, images=IMAGES):
    """The data that one step of a model takes, as a tuple."""
    if isinstance(model, FrozenGeneratorModel):
        return (np.zeros(len(images), "float32"),)
    if getattr(model, "images_per_example", 1) == 2:
        images = images.reshape(-1, 2, *images.shape[1:])
    if getattr(model, "labels", None) is None:
        return (images,)
    return images, np.arange(len(images)) % model.labels.num_classes


class StepLogs(keras.callbacks.Callback):
    """Keeps the logs of every call of the train step."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append({name: float(value) for name, value in logs.items()})

    def column(self, name):
        return np.array([logs[name] for logs in self.steps])


# Of a loss after a short training in mixed_bfloat16, relative to float32.
LARGEST_DIFFERENCE = 0.02


def in_both_precisions(row, steps=60):
    """Trains a model of the table in float32 and in mixed_bfloat16, from equal weights.

    Returns a dict from the model's losses to (the first in float32; the means over the last ten
    steps in float32 and in mixed_bfloat16; their difference relative to the former, or to 1 where
    that is smaller).
    """
    found = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            keras.utils.set_random_seed(0)
            model, logs = row.build(), StepLogs()
            assign_by_hand(model)
            assert {v.dtype for v in model.trainable_variables} == {"float32"}
            # Larger steps carry players apart: float32 from weights that differ by a rounding too.
            rate = 1e-3 if isinstance(model, GAN) else 1e-2
            model.compile(**adams(model, rate))
            fit(model, epochs=steps, callbacks=[logs], compile_with=False)
        finally:
            keras.config.set_dtype_policy("float32")
        losses = [name for name in row.terms if name == "loss" or name.endswith("_loss")]
        losses = losses or row.terms[:1]
        found.append({name: logs.column(name) for name in losses})
    rows = {}
    for name, column in found[0].items():
        wide, narrow = column[-10:].mean(), found[1][name][-10:].mean()
        rows[name] = column[0], wide, narrow, abs(narrow - wide) / max(1, abs(wide))
    return rows


def weights(model):
    return numbers(model.weights)


def numbers(variables):
    return [ops.convert_to_numpy(variable) for variable in variables]
