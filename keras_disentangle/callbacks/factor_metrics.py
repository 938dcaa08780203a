"""Measures the disentanglement of a model while it trains."""

import inspect
import time
import warnings

import numpy as np

from keras_disentangle._arguments import check_int, check_number
from keras_disentangle.callbacks._watching import WatchingCallback
from keras_disentangle.evaluation import check_settings, encode_images, evaluate
from keras_disentangle.metrics import METRICS, Metric

_FEW = 100  # images on which the metrics are tried when training begins
_ENDS = {"higher": "up", "lower": "down", None: None}


class FactorMetrics(WatchingCallback):
    """Adds the scores of `evaluate` to the logs every few epochs.

    Callbacks that come after it in the list, such as `TensorBoardScalars`, find each score in the
    epoch's logs under its name in `evaluate`; the information is logged as `information_total` and
    one `information_<rung>` for each rung (1 is next to the image). In the other epochs these keys
    are absent.

    Evaluations take a limited share of the training time. The first one is always made, and
    measures how long one takes; from then on, an evaluation that is due is postponed, epoch by
    epoch, until all of them together take at most `max_share` of the time since training began.
    Only the logs depend on this: the weights are the same with and without the callback. When
    training begins, the metrics are tried on a few images.

    With a model of this library, `keras.callbacks.EarlyStopping(monitor="mig")` and similar
    callbacks do not need `mode=`: whether more is better is inferred from the metric.

    Args:
        dataset: a `FactorDataset`, or `LabelledImages`.
        every: number of epochs between two evaluations, >= 1.
        max_share: largest share of the training time in (0, 1], or `None` to evaluate every
            `every` epochs, however long it takes.
        **options: passed on to `evaluate` (`metrics`, `num_samples`, `num_votes`, `seed`, ...).

    Raises:
        ValueError: if `every` is not an integer >= 1, `max_share` is out of range, or `evaluate`
            does not know an option; when training begins, as `evaluate`, or if evaluating fails.

    Example:

    >>> scores = FactorMetrics(data, every=5, metrics=["mig", "sap"])
    >>> model.fit(images, callbacks=[scores, kd.callbacks.TensorBoardScalars("logs")])
    """

    def __init__(self, dataset, every=1, *, max_share=0.05, **options):
        super().__init__()
        try:
            inspect.signature(evaluate).bind(None, dataset, **options)
        except TypeError as error:
            raise ValueError(
                f"`options` must be arguments of `evaluate`. Received: options={options} ({error})"
            ) from error
        if max_share is not None:
            max_share = check_number("max_share", max_share, maximum=1, above=0)
        self.max_share = max_share
        self.dataset = dataset
        self.every = check_int("every", every)
        self.options = options

    def direction(self, name):
        """ "up" or "down": where a score of `evaluate` is better; `None` for other names."""
        asked = self.options.get("metrics")
        asked = asked if isinstance(asked, (list, tuple, set)) else [asked]
        metrics = [*METRICS.values(), *(metric for metric in asked if isinstance(metric, Metric))]
        ends = {score.name: score.better for metric in metrics for score in metric.scores or ()}
        base, _, rung = name.rpartition("_")
        return _ENDS[ends.get(base if rung.isdigit() else name)]

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._began = time.perf_counter()
        self._spent = self._last = 0.0
        self._is_due = False

    def _try(self):
        check_settings(self.dataset, **self.options)
        arguments = inspect.signature(evaluate).bind(self.model, self.dataset, **self.options)
        arguments.apply_defaults()
        settings = arguments.arguments
        seed = np.random.default_rng(settings["seed"])
        self.dataset.sample_index(settings["num_samples"], seed)
        few = {"num_samples": _FEW, "num_votes": 2, "num_resamples": 2}
        few = {name: min(number, settings[name]) for name, number in few.items()}
        try:
            evaluate(**{**settings, **few, "verbose": 0})
        except Exception:
            # A metric may need more images than these: only if it fails with all, it cannot work.
            evaluate(**{**settings, "verbose": 0})

    def on_epoch_end(self, epoch, logs=None):
        self._is_due |= (epoch + 1) % self.every == 0
        if logs is None or not self._is_due or not self._has_time():
            return
        self._is_due = False
        begin = time.perf_counter()
        try:
            options = {"verbose": (self.params or {}).get("verbose", 0), **self.options}
            scores = evaluate(self.model, self.dataset, **options)
        except ValueError as error:
            if not self._has_diverged():
                raise
            # This is no reason to end a training run.
            warnings.warn(f"The metrics of epoch {epoch + 1} are left out: {error}", stacklevel=2)
            return
        finally:
            self._last = time.perf_counter() - begin
            self._spent += self._last
        rungs = scores.get("information", [])
        for rung, value in enumerate(rungs):
            logs[f"information_{len(rungs) - rung}"] = value
        logs.update({name: value for name, value in scores.items() if isinstance(value, float)})

    def get_backup_state(self):
        # The time of a resumed run includes that of earlier processes.
        elapsed = time.perf_counter() - self._began
        return {"elapsed": elapsed, "spent": self._spent, "last": self._last, "due": self._is_due}

    def set_backup_state(self, state):
        self._began = time.perf_counter() - state["elapsed"]
        self._spent, self._last, self._is_due = state["spent"], state["last"], state["due"]

    def _has_diverged(self):
        """Whether the model's codes are not finite."""
        mean, _ = encode_images(
            self.model, self.dataset.images, min(64, len(self.dataset)), verbose=0
        )
        return not np.isfinite(mean).all()

    def _has_time(self):
        if self.max_share is None or not self._spent:
            return True
        elapsed = time.perf_counter() - self._began
        return self._spent + self._last <= self.max_share * (elapsed + self._last)
