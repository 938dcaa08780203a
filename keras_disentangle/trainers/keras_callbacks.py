"""Prepares Keras's own callbacks for the models of this library."""

import keras

from keras_disentangle._keras_graph import direction_of
from keras_disentangle.trainers.optimizer_group import OptimizerGroup, has_schedule

_MODES = {"up": "max", "down": "min"}
_RATE_CALLBACKS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


class PrepareKerasCallbacks(keras.callbacks.Callback):
    """Prepares the other callbacks of a training run when it begins.

    - `EarlyStopping`, `ModelCheckpoint` and `ReduceLROnPlateau` without `mode` get the direction in
      which their metric improves: Keras reads it only from the metrics of `compile`, of which the
      models of this library have none. Their trackers have it as Keras's metrics do, in
      `_direction`, and a callback that adds scores to the logs gives it by `direction(name)`.
    - A learning rate that cannot be set is refused now, not when the first plateau is reached.
    - So are calls of more training steps than an epoch has.

    Args:
        callbacks: the callbacks of the training run.
    """

    only_looks_on = True  # for `ExactBackup`: it has no state of its own

    def __init__(self, callbacks):
        super().__init__()
        self._others = callbacks

    def set_params(self, params):
        super().set_params(params)
        # Before any callback empties or takes a file.
        _check_steps(self.model.steps_per_execution, params.get("steps"))

    def on_train_begin(self, logs=None):
        for callback in self._others:
            monitor = getattr(callback, "monitor", None)
            if isinstance(monitor, str) and getattr(callback, "mode", None) == "auto":
                direction = self._direction(monitor.removeprefix("val_"))
                if direction is not None:
                    callback.mode = _MODES[direction]
            if isinstance(callback, _RATE_CALLBACKS):
                _check_rate(self.model.optimizer, callback)

    def _direction(self, name):
        """ "up", "down", or `None` if the direction of a name in the logs is not known."""
        for metric in self.model.metrics:
            if metric.name == name:
                return direction_of(metric)
        for callback in self._others:
            direction = getattr(callback, "direction", None)
            # A user's callback may have an attribute of that name with another meaning.
            if callable(direction) and (found := direction(name)) in _MODES:
                return found
        return None


def _check_steps(steps, most):
    if most is not None and steps > most:
        raise ValueError(
            f"`steps_per_execution` must be at most {most}, the number of batches of an epoch. "
            f"Received: steps_per_execution={steps}"
        )


def _check_rate(optimizer, callback):
    if isinstance(optimizer, OptimizerGroup):
        optimizer.check_settable()
    elif has_schedule(optimizer):
        raise ValueError(
            f"`{type(callback).__name__}` needs an optimizer whose learning rate is a number. "
            f"Received: {optimizer.name} with a schedule"
        )
