import keras
import pytest
from factor_images import factor_images
from tiny_models import MODELS, fit

import keras_disentangle as kd
from keras_disentangle.callbacks import FactorMetrics

DATA = factor_images()
FEW = {"num_samples": 30, "num_votes": 10, "seed": 2}
NAMES = {
    "mig",
    "mig_sup",
    "factor_vae",
    "information_total",
    "information_2",
    "information_1",
}


class EpochLogs(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(dict(logs))


def test_scores_join_the_logs_every_few_epochs():
    model, logs = MODELS["ladder_vae"].build(), EpochLogs()
    fit(model, epochs=4, callbacks=[FactorMetrics(DATA, every=2, **FEW), logs])
    for epoch, found in enumerate(logs.epochs, start=1):
        assert NAMES & set(found) == (NAMES if epoch % 2 == 0 else set()), epoch
    scores = kd.evaluate(model, DATA, **FEW)
    last = logs.epochs[-1]
    for name in ("mig", "mig_sup", "factor_vae", "information_total"):
        assert last[name] == scores[name]
    assert [last["information_2"], last["information_1"]] == scores["information"]


def test_training_goes_as_it_would_without():
    histories = []
    for callbacks in ([], [FactorMetrics(DATA, **FEW)]):
        keras.utils.set_random_seed(0)
        histories.append(fit(MODELS["vae_bernoulli"].build(), callbacks=callbacks)["loss"])
    assert histories[0] == histories[1]


@pytest.mark.parametrize("every", [0, -1, 1.5])
def test_bad_arguments_are_named(every):
    with pytest.raises(ValueError, match=f"`every` must be an integer >= 1. .* every={every}"):
        FactorMetrics(DATA, every=every)
