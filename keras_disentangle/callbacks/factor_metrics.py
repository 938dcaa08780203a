"""Watches the disentanglement of a model while it trains."""

import time
import warnings

import keras
import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.evaluation import check_settings, encode_images, evaluate


class FactorMetrics(keras.callbacks.Callback):
    """Adds the scores of `evaluate` to the logs every few epochs.

    Callbacks that come after it in the list, such as `TensorBoardScalars`, find each score in the
    epoch's logs under its name in `evaluate`; of the information `information_total` and one
    `information_<rung>` a rung (1 next to the image). In the other epochs these keys are absent.

    Training is held up by a share of its time at most. The first evaluation is always made, and
    tells what one takes; from then on, one that is due is put off, epoch by epoch, until all of
    them together are within `max_share` of the time since training began. What is put off shows in
    the logs alone: weights are what they are without the callback.

    Args:
        dataset: a `FactorDataset`, or `LabelledImages`.
        every: number of epochs between two evaluations, >= 1.
        max_share: largest share of the training's time in (0, 1], or `None` to evaluate every
            `every` epochs, whatever it takes.
        **options: passed on to `evaluate` (`metrics`, `num_samples`, `num_votes`, `seed`, ...).

    Raises:
        ValueError: if `every` is not an integer >= 1, or `max_share` is out of range; when training
            begins, as `evaluate`.

    Example:

    >>> scores = FactorMetrics(dataset, every=5, metrics=["mig", "dci"])
    >>> model.fit(data, callbacks=[scores, TensorBoardScalars("logs")])
    """

    def __init__(self, dataset, every=1, *, max_share=0.05, **options):
        super().__init__()
        if max_share is not None and not 0 < max_share <= 1:
            raise ValueError(
                f"`max_share` must be in (0, 1], or None. Received: max_share={max_share!r}"
            )
        self.dataset = dataset
        self.every = check_int("every", every)
        self.max_share = max_share
        self.options = options

    def on_train_begin(self, logs=None):
        check_settings(self.dataset, **self.options)
        self._began = time.perf_counter()
        self._spent = self._last = 0.0
        self._is_due = False

    def on_epoch_end(self, epoch, logs=None):
        self._is_due |= (epoch + 1) % self.every == 0
        if logs is None or not self._is_due or not self._has_time():
            return
        self._is_due = False
        begin = time.perf_counter()
        try:
            scores = evaluate(self.model, self.dataset, **self.options)
        except ValueError as error:
            if not self._has_diverged():
                raise
            # No reason to end a training.
            warnings.warn(f"The metrics of epoch {epoch + 1} are left out: {error}", stacklevel=2)
            return
        finally:
            self._last = time.perf_counter() - begin
            self._spent += self._last
        rungs = scores.get("information", [])
        for rung, value in enumerate(rungs):
            logs[f"information_{len(rungs) - rung}"] = value
        logs.update({name: value for name, value in scores.items() if isinstance(value, float)})

    def _has_diverged(self):
        """Whether the model gives codes that are not finite."""
        mean, _ = encode_images(self.model, self.dataset.images, min(64, len(self.dataset)))
        return not np.isfinite(mean).all()

    def _has_time(self):
        if self.max_share is None or not self._spent:
            return True
        elapsed = time.perf_counter() - self._began
        return self._spent + self._last <= self.max_share * (elapsed + self._last)
