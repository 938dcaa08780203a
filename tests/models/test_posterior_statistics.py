"""VAEs whose objective holds a statistic of the batch: their objectives, and small batches."""

import keras
import pytest
from tiny_networks import IMAGES, flat_networks

from keras_disentangle.models import DIPVAE, VAE, AnnealedVAE, BetaTCVAE
from keras_disentangle.penalties import DIP, Capacity, FactorizedSupport, TotalCorrelation

pytestmark = pytest.mark.one_backend


def logs_of(model):
    model.compile("adam", run_eagerly=True)
    return model.evaluate(IMAGES, batch_size=16, return_dict=True, verbose=0)


@pytest.mark.parametrize(
    "make, extra",
    [
        (lambda **n: BetaTCVAE(**n, beta=6.0), lambda f: f["kl"] + 5 * f["total_correlation"]),
        (lambda **n: BetaTCVAE(**n, beta=0.5), lambda f: f["kl"] - 0.5 * f["total_correlation"]),
        (lambda **n: DIPVAE(**n, weight=3.0), lambda f: f["kl"] + 3 * f["dip"]),
        (
            lambda **n: AnnealedVAE(**n, gamma=100.0, capacity=2.0),
            lambda f: 100 * abs(f["kl"] - 2.0),
        ),
    ],
)
def test_the_objective(make, extra):
    found = logs_of(make(**flat_networks(3), seed=1))
    expected = found["reconstruction"] + extra(found)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)


def test_a_model_by_name_is_a_vae_with_the_penalty():
    networks = flat_networks(3)
    penalty = TotalCorrelation(5.0)
    a, b = BetaTCVAE(**networks, seed=1), VAE(**networks, penalties=[penalty], seed=1)
    assert logs_of(a)["loss"] == pytest.approx(logs_of(b)["loss"], rel=1e-6)


PENALTIES = [TotalCorrelation, DIP, Capacity, lambda: FactorizedSupport(num_shifts=1)]


@pytest.mark.parametrize("make", [*PENALTIES, "model"])
def test_a_batch_of_one_is_refused(make):
    message = "`batch_size` must leave at least 2 images to the last .* Received: a batch of 1"

    def model():
        networks = flat_networks(3)
        found = BetaTCVAE(**networks) if make == "model" else VAE(**networks, penalties=[make()])
        found.compile("adam", run_eagerly=True)
        return found

    trained = model()
    before = int(trained.step)
    for images, size in ((IMAGES[:9], 8), (IMAGES[:3], 1)):
        with pytest.raises(ValueError, match=message):
            trained.fit(images, batch_size=size, verbose=0)
    assert int(trained.step) == before
    batches = ((x,) for x in (IMAGES[:8], IMAGES[8:9]))
    with pytest.raises(ValueError, match=message):
        trained.fit(batches, verbose=0)


@pytest.mark.parametrize("make", PENALTIES)
def test_a_batch_of_one_is_not_evaluated(make):
    message = "the last .* is a statistic of the batch. Received: a batch of 1"
    model = VAE(**flat_networks(3), penalties=[make()])
    model.compile("adam")
    for given in ({"validation_data": (IMAGES[:9],)}, {"validation_split": 1 / 16}):
        with pytest.raises(ValueError, match=message):
            model.fit(IMAGES[:16], batch_size=8, verbose=0, **given)
    with pytest.raises(ValueError, match=message):
        model.evaluate(IMAGES[:9], batch_size=8, verbose=0)
    assert int(model.step) == 0


def test_a_last_batch_of_two_has_fewer_combinations():
    penalty = FactorizedSupport(num_shifts=2)
    model = VAE(**flat_networks(3), penalties=[penalty])
    model.compile("adam", run_eagerly=True)
    history = model.fit(IMAGES[:10], batch_size=8, verbose=0).history
    assert history["factorized_support"][0] > 0 and penalty.num_shifts == 2


def test_a_data_set_smaller_than_a_batch_is_refused():
    options = {"dataset_size": 12, "estimator": "stratified"}
    penalty = TotalCorrelation(**options)
    for model in (
        BetaTCVAE(**flat_networks(3), **options),
        VAE(**flat_networks(3), penalties=[penalty]),
    ):
        model.compile(keras.optimizers.Adam())
        for use in (model.fit, model.evaluate):
            with pytest.raises(ValueError, match="`dataset_size` must be at least .*_size=12"):
                use(IMAGES, batch_size=16, verbose=0)
