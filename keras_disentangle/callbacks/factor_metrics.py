"""Watches the disentanglement of a model while it trains."""

import warnings

import keras

from keras_disentangle._arguments import check_int
from keras_disentangle.evaluation import evaluate


class FactorMetrics(keras.callbacks.Callback):
    """Adds the scores of `evaluate` to the logs every few epochs.

    Callbacks that come after it in the list, such as `TensorBoardScalars`, find `mig`, `mig_sup`,
    `factor_vae`, `information_total` and one `information_<rung>` a rung (1 next to the image)
    in the epoch's logs. In the other epochs these keys are absent.

    Args:
        dataset: a `FactorDataset`.
        every: number of epochs between two evaluations, >= 1.
        **options: passed on to `evaluate` (`num_samples`, `num_votes`, `seed`, ...).

    Raises:
        ValueError: if `every` is not an integer >= 1.

    Example:

    >>> model.fit(data, callbacks=[FactorMetrics(dataset, every=5), TensorBoardScalars("logs")])
    """

    def __init__(self, dataset, every=1, **options):
        super().__init__()
        self.dataset = dataset
        self.every = check_int("every", every)
        self.options = options

    def on_epoch_end(self, epoch, logs=None):
        if logs is None or (epoch + 1) % self.every:
            return
        try:
            scores = evaluate(self.model, self.dataset, **self.options)
        except ValueError as error:  # A model that has diverged: no reason to end its training.
            warnings.warn(f"The metrics of epoch {epoch + 1} are left out: {error}", stacklevel=2)
            return
        rungs = scores["information"]
        logs.update(
            {name: scores[name] for name in ("mig", "mig_sup", "factor_vae", "information_total")}
        )
        for rung, value in enumerate(rungs):
            logs[f"information_{len(rungs) - rung}"] = value
