"""Stops training when a term of the objective is not finite."""

import keras
import numpy as np

from keras_disentangle.schedules import read
from keras_disentangle.trainers.term_metrics import FiniteMean


def check_finite(model, stopped="Training was stopped"):
    """Raises a ValueError naming the terms that first were not finite, and the training step."""
    terms = _terms(model)
    bad = {term.name: step for term in terms if (step := term.first_bad())}
    if not bad:
        return
    first = min(bad.values())
    names = ", ".join(f"`{name}`" for name, step in bad.items() if step == first)
    if refusal := _refusal(terms):
        raise ValueError(f"{stopped} at training step {first - 1}: {refusal}")
    hints = "".join(f" ({hint})" for term in terms if (hint := term.hint()))
    raise ValueError(
        f"{stopped}: every term of the objective must stay finite. Received: NaN or infinity in "
        f"{names} at training step {first - 1}{hints}. "
        "Files that were written before are not changed."
    )


def _terms(model):
    return [metric for metric in model.metrics if isinstance(metric, FiniteMean)]


def _refusal(terms):
    return next((text for term in terms if (text := term.refusal())), "")


class StopOnNonFinite(keras.callbacks.Callback):
    """Ends a training run with a ValueError at the batch at which the objective is not finite.

    It must come before callbacks that write files at the end of an epoch. A user's metric that is
    not finite does not stop training.
    """

    # The logs of the batches still arrive without waiting for the device.
    async_safe = True
    only_looks_on = True  # for `ExactBackup`

    def on_train_begin(self, logs=None):
        self._watched = {term.name for term in _terms(self.model)} | {"loss"}

    def on_train_batch_end(self, batch, logs=None):
        if self._bad(logs):
            self._model.stop_training = True

    def on_test_begin(self, logs=None):
        # The validation of an epoch begins by resetting the metrics.
        check_finite(self.model)

    def on_test_end(self, logs=None):
        # A validation loss that is not finite does not stop training; images that are refused do.
        if _refusal(_terms(self.model)):
            check_finite(self.model, "Validation failed")

    def on_epoch_end(self, epoch, logs=None):
        if bad := self._bad(logs):
            check_finite(self.model)
            # The part of the loss that is in no term: regularisers of the networks.
            raise ValueError(
                "Training was stopped: the objective must stay finite. Received: NaN or infinity "
                f"in {', '.join(bad)}, with finite terms, by training step {read(self.model.step)}"
            )
        if self._model.penalties:
            self.model.check_penalties()

    def _bad(self, logs):
        return [k for k, v in (logs or {}).items() if k in self._watched and not np.isfinite(v)]
