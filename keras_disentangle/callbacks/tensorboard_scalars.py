"""Writes the logs of a training run for TensorBoard, without TensorFlow."""

import os

from keras_disentangle.callbacks._pictures import check_log_dir
from keras_disentangle.callbacks._scalars import ScalarsCallback
from keras_disentangle.visualization.event_writer import EventWriter


class TensorBoardScalars(ScalarsCallback):
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

    def __init__(self, log_dir, every=None):
        super().__init__(every)
        self.log_dir = check_log_dir(log_dir)
        self._train = EventWriter(os.path.join(self.log_dir, "train"))
        self._validation = EventWriter(os.path.join(self.log_dir, "validation"))

    def on_train_end(self, logs=None):
        with self._writing():
            self._train.close()
            self._validation.close()

    def _write(self, when, numbers, step):
        for name, value in numbers.items():
            writer = self._validation if name.startswith("val_") else self._train
            writer.scalar(f"{self._group(name)}/{when}_{name.removeprefix('val_')}", value, step)
        # A run that is killed loses nothing that was written.
        self._train.flush()
        self._validation.flush()
