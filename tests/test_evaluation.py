import numpy as np
import pytest
from factor_images import SIZES, IgnorantModel, KnowingModel, factor_images
from tiny_models import MODELS

import keras_disentangle as kd

DATA = factor_images()
FEW = {"num_samples": 40, "num_votes": 40}


def test_a_model_that_knows_the_factors():
    scores = kd.evaluate(KnowingModel(), DATA, **FEW)
    assert list(scores) == [
        "mig",
        "mig_sup",
        "factor_vae",
        "information",
        "information_total",
        "kl",
    ]
    assert scores["mig"] == pytest.approx(1, abs=0.01)
    assert scores["mig_sup"] == pytest.approx(1, abs=0.01)
    assert scores["factor_vae"] == 1
    # All three factors are told apart, the first two in the rung of two dimensions.
    np.testing.assert_allclose(scores["information"], [np.log(20), np.log(2)], atol=0.01)
    assert scores["information_total"] == pytest.approx(np.log(40), abs=0.01)
    variances = [(size**2 - 1) / 12 for size in SIZES]
    kl = [0.5 * (v + 0.01**2 - 1 - 2 * np.log(0.01)) for v in variances]
    np.testing.assert_allclose(scores["kl"], [kl[0] + kl[1], kl[2]], rtol=1e-5)


def test_a_model_that_knows_nothing():
    scores = kd.evaluate(IgnorantModel(), DATA, **FEW)
    assert scores["kl"] == [0, 0]
    np.testing.assert_allclose([*scores["information"], scores["information_total"]], 0, atol=0.01)
    assert scores["mig"] == pytest.approx(0, abs=0.01)


def test_the_seed_decides():
    model = MODELS["ladder_vae"].build()
    options = {"num_samples": 30, "num_votes": 20}
    first, same, other = (kd.evaluate(model, DATA, seed=s, **options) for s in (1, 1, 2))
    assert first == same != other
    assert len(first["information"]) == len(first["kl"]) == 2


def test_a_model_without_rungs_has_one():
    class Flat:
        encode = KnowingModel().encode

    scores = kd.evaluate(Flat(), DATA, **FEW)
    assert len(scores["information"]) == len(scores["kl"]) == 1


@pytest.mark.parametrize("batch_size", [1, 7, 40, 500])
def test_images_are_encoded_in_order(batch_size):
    mean, log_var = kd.encode_images(KnowingModel(), DATA.images, 40, batch_size)
    assert mean.dtype == log_var.dtype == np.float64
    np.testing.assert_allclose(mean + (2, 1.5, 0.5), DATA.factors(np.arange(40)), atol=1e-6)


@pytest.mark.parametrize(
    "model, options, message",
    [
        (object(), {}, "`model` must have a method `encode`. Received: model=<object"),
        (
            KnowingModel(),
            {"batch_size": 0},
            "`batch_size` must be an integer >= 1. Received: batch_size=0",
        ),
        (KnowingModel(), {"num_samples": 0}, "`num_samples` must be .* Received: num_samples=0"),
        (KnowingModel(), {"num_samples": -3}, "`num_samples` must be .* Received: num_samples=-3"),
        (KnowingModel(), {"num_votes": 0}, "Received: .*=0"),
    ],
)
def test_bad_arguments_are_named(model, options, message):
    with pytest.raises(ValueError, match=message):
        kd.evaluate(model, DATA, **{**FEW, **options})


def test_images_of_another_shape():
    data = kd.datasets.DSprites(image_size=16)
    with pytest.raises(ValueError, match=r"8, 8, 1\). Received: x.shape=\(30, 16, 16, 1\)"):
        kd.evaluate(MODELS["vae_bernoulli"].build(), data, num_samples=30, num_votes=5)
