import os

import keras
import numpy as np

from keras_disentangle.schedules import read
from keras_disentangle.visualization.event_writer import EventWriter


class TensorBoardScalars(keras.callbacks.Callback):
    """Writes the metrics of training for TensorBoard, on every backend, without TensorFlow.

    As with `keras.callbacks.TensorBoard`, the metrics of an epoch appear as `epoch_loss` and so on
    in the runs `train` and `validation`, those of a batch as `batch_loss` in the run `train`. The
    horizontal axis is `model.step` where the model counts its training steps, so that a resumed
    run continues its curves; otherwise it is the number of finished epochs (and for batches the
    optimizer's iterations). A callback that adds metrics to the logs must stand before this one.

    Args:
        log_dir: Folder of the logs, with sub-folders `train` and `validation`.
        every: Also write the metrics of the running epoch after every so many training steps.
            They are what Keras shows in its progress bar: means since the epoch began, for most.
            None, the default, reads nothing between epochs. Reading a number waits for the device;
            on JAX and TensorFlow that happens in another thread, unless a further callback asks
            for the logs of each batch.

    Raises:
        ValueError: If `log_dir` is a file or `every` is less than 1.

    Example:

    >>> model.fit(data, epochs=10, callbacks=[TensorBoardScalars("logs", every=100)])
    """

    # Lets Keras hand over the logs of a batch from another thread, rather than hold up training
    # until the numbers have come from the device.
    async_safe = True

    def __init__(self, log_dir, every=None):
        super().__init__()
        if every is not None and every < 1:
            raise ValueError(f"`every` must be None or at least 1. Received: every={every}")
        self.log_dir = os.fspath(log_dir)
        self.every = every
        # The writers look only at their own folders.
        if os.path.isfile(self.log_dir):
            raise ValueError(f"`log_dir` must be a folder, not a file. Received: {log_dir}")
        self._train = EventWriter(os.path.join(self.log_dir, "train"))
        self._validation = EventWriter(os.path.join(self.log_dir, "validation"))
        self._first_step = 0
        self._steps_per_call = 1

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
        self._train.close()
        self._validation.close()

    def _write(self, writer, prefix, logs, step):
        for name, value in (logs or {}).items():
            if np.ndim(value) == 0:
                writer.scalar(prefix + name, value, step)
        # A run that is killed loses nothing it has written.
        writer.flush()
