"""Sends the logs and pictures of a training run to Weights & Biases, MLflow or another tracker."""

import os
import re

from keras_disentangle.callbacks._pictures import check_log_dir
from keras_disentangle.callbacks._scalars import ScalarsCallback
from keras_disentangle.callbacks._tracker_runs import TRACKERS, check_installed
from keras_disentangle.schedules import read

_PICTURE = re.compile(r"(?:epoch_\d+_)?(.+)\.(png|gif)")


class ExperimentTracker(ScalarsCallback):
    """Sends the logs and pictures of training to an experiment tracker, on every backend.

    The numbers of an epoch are sent under their names in the logs, grouped as by
    `TensorBoardScalars`: `loss/loss`, `loss/val_kl`, `ramps/beta`, `metrics/mig`; those of batches
    as `loss/batch_kl`. Pictures that other callbacks, such as `LatentTraversal`, write to
    `log_dir/pictures` are sent at the end of the epoch or training in which they were written: PNG
    files as `pictures/traversal`, GIF files as `animations/traversal`. All stand at `model.step`
    (the number of finished epochs if the model has none); in W&B, that is the axis `step`. A
    callback that adds metrics or writes pictures must come before this one in the list.

    An error in sending, as of a network, becomes a warning, and training continues. Of several
    processes that train one model, the first sends.

    Args:
        tracker: "wandb" for the run that `wandb.init()` began, "mlflow" for the one that
            `mlflow.start_run()` began, or a function of `(numbers, pictures, step)`: dicts of names
            to floats, and of names to paths of files.
        log_dir: `None`, or the `log_dir` of the callbacks whose pictures are sent.
        every: number of training steps, >= 1, after which the metrics of the running epoch are sent
            too, or `None`, as in `TensorBoardScalars`.

    Raises:
        ValueError: if `tracker` is something else, `log_dir` is a file or `every` is less than 1;
            when training begins, if the tracker has no active run.
        ImportError: if the package of the tracker is not installed.

    Example:

    >>> def tracker(numbers, pictures, step):
    ...     print(step, sorted(numbers), sorted(pictures))
    >>> traversal = kd.callbacks.LatentTraversal("logs", every=5)
    >>> model.fit(images, epochs=5, callbacks=[traversal, ExperimentTracker(tracker, "logs")])
    """

    def __init__(self, tracker, log_dir=None, every=None):
        super().__init__(every)
        if not (callable(tracker) or isinstance(tracker, str) and tracker in TRACKERS):
            raise ValueError(
                f"`tracker` must be one of {tuple(TRACKERS)} or a function of "
                f"(numbers, pictures, step). Received: tracker={tracker!r}"
            )
        if not callable(tracker):
            check_installed(tracker)
        self.tracker = tracker
        self.log_dir = None if log_dir is None else check_log_dir(log_dir)
        self._send, self._sent, self._epochs = None, {}, 0

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._sent, self._epochs = self._pictures(), 0

    def on_epoch_end(self, epoch, logs=None):
        self._epochs = epoch + 1
        super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs=None):
        self._hand_on("end", {}, read(getattr(self.model, "step", self._epochs)))
        self._send = None  # A run cannot be copied, as callbacks can.

    def _try(self):
        if callable(self.tracker):
            self._send = self.tracker
        elif self._writes:
            run = TRACKERS[self.tracker]
            try:
                self._send = run()
            except LookupError as error:
                raise ValueError(
                    f"`tracker` must have an active run: call {run.needs} before `fit`. "
                    f"Received: tracker={self.tracker!r} without one"
                ) from error
            self._failures = (OSError, self._send.failures)

    def _write(self, when, numbers, step):
        before = "batch_" if when == "batch" else ""
        numbers = {f"{self._group(name)}/{before}{name}": value for name, value in numbers.items()}
        pictures = {}
        if when != "batch":
            found = self._pictures()
            written = [path for path in found if found[path] != self._sent.get(path)]
            self._sent = found
            for path in sorted(written):
                name, kind = _PICTURE.fullmatch(os.path.basename(path)).groups()
                pictures[f"{'pictures' if kind == 'png' else 'animations'}/{name}"] = path
        if numbers or pictures:
            self._send(numbers, pictures, step)

    def _pictures(self):
        """The times at which the files of pictures were written, by their paths."""
        folder = os.path.join(self.log_dir or "", "pictures")
        if self.log_dir is None or not os.path.isdir(folder):
            return {}
        with os.scandir(folder) as files:
            return {
                file.path: file.stat().st_mtime_ns
                for file in files
                if _PICTURE.fullmatch(file.name)
            }
