"""Writes the logs of a training run for TensorBoard, without TensorFlow."""

import os

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.callbacks._pictures import check_log_dir
from keras_disentangle.callbacks._watching import WatchingCallback
from keras_disentangle.schedules import read
from keras_disentangle.trainers.term_metrics import FiniteMean, PresentValue
from keras_disentangle.visualization.event_writer import EventWriter


class TensorBoardScalars(WatchingCallback):
    """Writes the metrics of training for TensorBoard, on every backend, without TensorFlow.

    As with `keras.callbacks.TensorBoard`, the metrics of an epoch appear as `epoch_loss` and so on
    in the runs `train` and `validation`, and those of a batch as `batch_loss` in the run `train`.
    They are grouped: `loss/epoch_loss` and all terms of the objective, `information/`, `ramps/`
    (the weights of terms), `optimizer/epoch_learning_rate`, and `metrics/` for the rest. The
    horizontal axis is `model.step` if the model counts its training steps, so that a resumed run
    continues its curves; otherwise it is the number of finished epochs (for batches, the
    optimizer's iterations). A callback that adds metrics to the logs must come before this one in
    the list.

    An error in writing, as on a full disk, becomes a warning, and training continues.

    Args:
        log_dir: folder of the logs, with sub-folders `train` and `validation`.
        every: number of training steps, >= 1, after which the metrics of the running epoch are
            written too: the numbers of Keras's progress bar, mostly means since the epoch began.
            `None`, the default, reads nothing between epochs. Reading a number waits for the
            device; on JAX and TensorFlow that happens in another thread, unless a further callback
            asks for the logs of each batch.

    Raises:
        ValueError: if `log_dir` is a file or `every` is less than 1.

    Example:

    >>> model.fit(images, epochs=10, callbacks=[TensorBoardScalars("logs", every=100)])
    """

    # Lets Keras hand over the logs of a batch from another thread, rather than hold up training
    # until the numbers have come from the device.
    async_safe = True

    def __init__(self, log_dir, every=None):
        super().__init__()
        self.every = None if every is None else check_int("every", every)
        self.log_dir = check_log_dir(log_dir)
        self._train = EventWriter(os.path.join(self.log_dir, "train"))
        self._validation = EventWriter(os.path.join(self.log_dir, "validation"))
        self._first_step = 0
        self._steps_per_call = 1
        self._terms, self._ramps = set(), set()

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
            self._write(self._train, "batch_", logs, step)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        step = read(getattr(self.model, "step", epoch + 1))
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        validation = {name[4:]: logs[name] for name in logs.keys() - train.keys()}
        self._write(self._train, "epoch_", train, step)
        self._write(self._validation, "epoch_", validation, step)

    def on_train_end(self, logs=None):
        with self._writing():
            self._train.close()
            self._validation.close()

    def _write(self, writer, prefix, logs, step):
        if not self._writes:
            return
        with self._writing():
            for name, value in (logs or {}).items():
                if np.ndim(value) == 0:
                    writer.scalar(f"{self._group(name)}/{prefix}{name}", value, step)
            # A run that is killed loses nothing that was written.
            writer.flush()

    def _group(self, name):
        """The group of charts in TensorBoard to which a metric belongs."""
        if name.startswith("information"):
            return "information"
        if name in self._ramps:
            return "ramps"
        if name in self._terms or name.endswith("loss"):
            return "loss"
        return "optimizer" if name == "learning_rate" else "metrics"
