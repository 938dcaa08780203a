"""The terms of an objective in the logs; what notices when one of them is no number any more."""

import inspect

import keras
import numpy as np
from keras import ops

from keras_disentangle.schedules import read


class FiniteMean(keras.metrics.Mean):
    """The mean of a term over an epoch; keeps the first training step at which it was not finite.

    Args:
        name: the term's name in the logs.
        step: function that gives the model's step counter.
    """

    def __init__(self, name, step):
        super().__init__(name=name)
        self._step = step
        # 0 for none, otherwise the step + 1.
        self.not_finite = self.add_variable(
            shape=(),
            initializer="zeros",
            dtype="int32",
            aggregation="only_first_replica",
            name="not_finite",
        )

    def update_state(self, values, sample_weight=None):
        values = ops.stop_gradient(ops.convert_to_tensor(values))
        super().update_state(values, sample_weight)
        is_bad = ops.logical_not(ops.all(ops.isfinite(values)))
        known, step = ops.convert_to_tensor(self.not_finite), ops.cast(self._step(), "int32")
        self.not_finite.assign(ops.where((known == 0) & is_bad, step + 1, known))

    def reset_state(self):
        super().reset_state()
        self.not_finite.assign(0)

    def first_bad(self):
        """The first step that was not finite on any replica, plus 1; 0 if there is none."""
        value = self.not_finite.value
        # Each replica of TensorFlow keeps its own.
        is_mirrored = keras.backend.backend() == "tensorflow" and hasattr(value, "values")
        found = [read(part) for part in (value.values if is_mirrored else [value])]
        return min((step for step in found if step), default=0)


class PresentValue(keras.metrics.Mean):
    """The value of the last update, not the mean of the epoch: for ramps."""

    def update_state(self, value):
        # A quotient, so that summing the variables over replicas leaves the value as it is.
        self.total.assign(value)
        self.count.assign(1.0)


def check_finite(model):
    """Raises a ValueError naming the terms that first were not finite, and the training step."""
    steps = {
        metric.name: metric.first_bad()
        for metric in model.metrics
        if isinstance(metric, FiniteMean)
    }
    bad = {name: step for name, step in steps.items() if step}
    if bad:
        first = min(bad.values())
        names = ", ".join(f"`{name}`" for name, step in bad.items() if step == first)
        raise ValueError(
            f"Training was stopped: every term of the objective must stay finite. Received: NaN or "
            f"infinity in {names} at training step {first - 1}. Files that were written before are "
            "left as they are."
        )


class StopOnNonFinite(keras.callbacks.Callback):
    """Ends a training at the batch at which the objective is not finite, with a ValueError.

    It must stand before callbacks that write files at an epoch's end. A metric of the user's that
    is not finite stops nothing.
    """

    # The batches' logs come as they did before: without waiting for the device.
    async_safe = True

    def on_train_begin(self, logs=None):
        metrics = self.model.metrics
        self._watched = {m.name for m in metrics if isinstance(m, FiniteMean)} | {"loss"}

    def on_train_batch_end(self, batch, logs=None):
        if self._bad(logs):
            self._model.stop_training = True

    def on_test_begin(self, logs=None):
        # The validation of an epoch begins by resetting the metrics.
        check_finite(self.model)

    def on_epoch_end(self, epoch, logs=None):
        if bad := self._bad(logs):
            check_finite(self.model)
            # What the terms leave out of the loss: regularisers of the networks.
            raise ValueError(
                "Training was stopped: the objective must stay finite. Received: NaN or infinity "
                f"in {', '.join(bad)}, with finite terms, by training step {read(self.model.step)}"
            )

    def _bad(self, logs):
        return [k for k, v in (logs or {}).items() if k in self._watched and not np.isfinite(v)]


def fit_arguments(*args, **kwargs):
    """The arguments of a call of `keras.Model.fit`, as a dict by name."""
    arguments = inspect.signature(keras.Model.fit).bind(None, *args, **kwargs).arguments
    return {name: value for name, value in arguments.items() if name != "self"}


def training_callbacks(callbacks, x, shuffle=True):
    """What `fit` is to be given: the user's callbacks, told about the data, after the guard."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    callbacks = keras.tree.flatten(callbacks) if callbacks else []
    for callback in callbacks:
        if hasattr(callback, "set_data"):
            callback.set_data(x, shuffle)
    return [StopOnNonFinite(), *callbacks]
