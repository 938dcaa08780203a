"""Control over Keras's calls of the callbacks and of the train function during training."""

import inspect
import itertools

import keras

from keras_disentangle._keras_graph import wait_for_callbacks
from keras_disentangle.callbacks._backup_state import jax_train_state


class CallList:
    """All callbacks of the `fit` that is calling `backup`; Keras gives callbacks no such list.

    Attributes:
        all: the callbacks, in their order.
    """

    def __init__(self, backup):
        self._backup = backup
        self._list = None
        frame = inspect.currentframe()
        while frame is not None and self._list is None:
            caller = frame.f_locals.get("self")
            if isinstance(caller, keras.callbacks.CallbackList):
                self._list = caller
            frame = frame.f_back
        self.all = [backup] if self._list is None else self._list.callbacks

    def mute(self):
        """From the next call on, only the backup is called."""
        if self._list is not None:
            self._list.callbacks = [self._backup]

    def unmute(self):
        """From the next call on, all are called again."""
        self.wait()
        if self._list is not None:
            self._list.callbacks = self.all

    def wait(self):
        """Waits until the calls that Keras makes from other threads are over."""
        if self._list is not None:
            wait_for_callbacks(self._list)


def skip_batches(model, state, steps, is_first, at_last):
    """Makes the next call of the train function only draw its batches.

    Args:
        model: the model that trains.
        state: header of the backup, which was made in the epoch of these batches.
        steps: how many batches a call draws.
        is_first: whether the call is the first of the epoch.
        at_last: function to call once the batches are drawn, if they are the last ones to skip;
            otherwise `None`.
    """
    train = model.train_function
    # If metrics are built by the first training step, it is run, and its results are overwritten.
    skips = not is_first or len(model.metrics_variables) >= len(state["metrics"])

    def skip(*arguments):  # (iterator); on JAX (train_state, iterator); on torch ([batch])
        model.train_function = train
        if not skips:
            return train(*arguments)
        *train_state, batches = arguments
        if not list(itertools.islice(batches, steps)):
            raise StopIteration
        if at_last is None:
            return ({}, *train_state) if train_state else {}
        at_last()
        return (state["logs"], jax_train_state(model)) if train_state else state["logs"]

    model.train_function = skip
