"""The base of the callbacks that hand on the logs of a training run, and their groups."""

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.callbacks._watching import WatchingCallback
from keras_disentangle.schedules import read
from keras_disentangle.trainers.term_metrics import FiniteMean, PresentValue

GROUPS = ("loss", "information", "ramps", "optimizer", "metrics")


class ScalarsCallback(WatchingCallback):
    """Hands on the numbers of each epoch, and of batches, at the model's training step.

    A subclass implements `_write`.

    Args:
        every: `None`, or number of training steps, >= 1, between the batches.

    Raises:
        ValueError: if `every` is less than 1.
    """

    # Lets Keras hand over the logs of a batch from another thread, rather than hold up training
    # until the numbers have come from the device.
    async_safe = True

    def __init__(self, every):
        super().__init__()
        self.every = None if every is None else check_int("every", every)
        self._first_step = 0
        self._steps_per_call = 1
        self._terms, self._ramps = set(), set()

    def _write(self, when, numbers, step):
        """Writes a dict of numbers; `when` is "epoch" or "batch"."""
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        metrics = getattr(self.model, "metrics", ())
        self._terms = {m.name for m in metrics if isinstance(m, FiniteMean)}
        self._ramps = {m.name for m in metrics if isinstance(m, PresentValue)}

    def on_epoch_begin(self, epoch, logs=None):
        if self.every is None:
            return
        model = self.model
        counter = model.step if hasattr(model, "step") else model.optimizer.iterations
        self._first_step = read(counter)
        self._steps_per_call = model.steps_per_execution

    def on_train_batch_end(self, batch, logs=None):
        if self.every is None:
            return
        # Neither reads `self.model`, which on JAX would fetch the whole state, nor remembers
        # anything: calls from several threads need not come in order.
        step = self._first_step + batch + 1
        if step % self.every < self._steps_per_call:
            self._hand_on("batch", logs, step)

    def on_epoch_end(self, epoch, logs=None):
        self._hand_on("epoch", logs, read(getattr(self.model, "step", epoch + 1)))

    def _hand_on(self, when, logs, step):
        if not self._writes:
            return
        logs = (logs or {}).items()
        numbers = {name: float(value) for name, value in logs if np.ndim(value) == 0}
        with self._writing():
            self._write(when, numbers, step)

    def _group(self, name):
        """The group of charts to which a metric belongs, one of `GROUPS`."""
        name = name.removeprefix("val_")
        if name.startswith("information"):
            return "information"
        if name in self._ramps:
            return "ramps"
        if name in self._terms or name.endswith("loss"):
            return "loss"
        return "optimizer" if name == "learning_rate" else "metrics"
