import functools

import keras
import numpy as np
import pytest
from factor_images import factor_images
from model_table import MODELS
from tiny_training import fit

import keras_disentangle as kd
from keras_disentangle.callbacks import FactorMetrics, factor_metrics

DATA = factor_images()
FEW = {"num_samples": 30, "num_votes": 10, "seed": 2, "max_share": None}
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
    scores = kd.evaluate(model, DATA, num_samples=30, num_votes=10, seed=2)
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


def test_the_metrics_may_be_chosen():
    logs = EpochLogs()
    callbacks = [FactorMetrics(DATA, metrics=["sap", "unsupervised"], num_samples=30), logs]
    fit(MODELS["vae_bernoulli"].build(), epochs=1, callbacks=callbacks)
    assert {"sap", "total_correlation", "mutual_information"} <= set(logs.epochs[0])
    assert "mig" not in logs.epochs[0]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"metrics": ["mug"]}, "`metrics` must be"),
        ({"num_votes": 0}, "`num_votes` must be an integer >= 1"),
    ],
)
def test_what_cannot_be_evaluated_ends_training_at_its_beginning(options, message):
    model = MODELS["vae_bernoulli"].build()
    with pytest.raises(ValueError, match=message):
        fit(model, callbacks=[FactorMetrics(DATA, **options)])
    assert int(model.step) == 0


def test_images_that_do_not_fit_end_training():
    data = kd.datasets.DSprites(16)
    with pytest.raises(ValueError, match="Received: x.shape"):
        fit(MODELS["vae_bernoulli"].build(), callbacks=[FactorMetrics(data, num_samples=10)])


def test_a_model_that_has_diverged_goes_on():
    model, logs = MODELS["vae_bernoulli"].build(), EpochLogs()

    class Diverge(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            model.encoder.set_weights([np.nan * w for w in model.encoder.get_weights()])

    with pytest.warns(UserWarning, match="The metrics of epoch 1 are left out: .*finite"):
        fit(model, epochs=1, callbacks=[Diverge(), FactorMetrics(DATA, **FEW), logs])
    assert "mig" not in logs.epochs[0]


def test_training_is_held_up_by_a_share_of_its_time(monkeypatch):
    """An epoch of 10 s, an evaluation of 2 s: after the first, one in four epochs at 5%."""
    clock = [0.0]
    monkeypatch.setattr(factor_metrics.time, "perf_counter", lambda: clock[0])

    @functools.wraps(kd.evaluate)
    def evaluate(*args, **options):
        clock[0] += 2
        return {"mig": 0.5}

    monkeypatch.setattr(factor_metrics, "evaluate", evaluate)
    callback, done = FactorMetrics(DATA), []
    callback.on_train_begin()
    for epoch in range(60):
        clock[0] += 10
        logs = {}
        callback.on_epoch_end(epoch, logs)
        done.append("mig" in logs)
    assert done[0] and not any(done[1:7])
    spent = 2 * sum(done)
    assert 0.04 < spent / clock[0] <= 0.05


@pytest.mark.parametrize("share", [0, -0.1, 1.5, float("nan")])
def test_bad_shares_are_named(share):
    with pytest.raises(ValueError, match="`max_share` must be .* <= 1 and > 0. Received"):
        FactorMetrics(DATA, max_share=share)


@pytest.mark.parametrize("every", [0, -1, 1.5])
def test_bad_arguments_are_named(every):
    with pytest.raises(ValueError, match=f"`every` must be an integer >= 1. .* every={every}"):
        FactorMetrics(DATA, every=every)
