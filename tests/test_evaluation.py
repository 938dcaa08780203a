import keras
import numpy as np
import pytest
from factor_images import SIZES, IgnorantModel, KnowingModel, factor_images
from model_table import MODELS

import keras_disentangle as kd
from keras_disentangle import _progress

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


def test_a_gan_has_no_codes_of_images():
    with pytest.raises(ValueError, match="`model` must .*for a GAN, one .* Received: model=<GAN"):
        kd.evaluate(MODELS["gan_r1"].build(), DATA, **FEW)


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


def test_all_metrics_of_a_model_that_knows_the_factors():
    options = {"metrics": "all", "num_resamples": 3, **FEW}
    scores = kd.evaluate(KnowingModel(), DATA, **options)
    assert list(scores) == [
        "dci_disentanglement",
        "dci_completeness",
        "dci_informativeness",
        "dci_informativeness_train",
        "explicitness",
        "factorized_support",
        "info_modularity",
        "info_compactness",
        "info_explicitness",
        "irs",
        "mcc",
        "med_disentanglement",
        "med_completeness",
        "mig",
        "mig_sup",
        "modularity",
        "sap",
        "total_correlation",
        "wasserstein_correlation",
        "wasserstein_correlation_norm",
        "mutual_information",
        "information",
        "information_total",
        "kl",
        "posterior_mig",
        "posterior_mig_sup",
        "beta_vae",
        "factor_vae",
        "intervals",
    ]
    for name in ("mig", "mig_sup", "modularity", "irs", "posterior_mig", "posterior_mig_sup"):
        assert scores[name] == pytest.approx(1, abs=0.02)
    assert scores["factor_vae"] == scores["beta_vae"] == 1
    named = set(scores) - {"information", "information_total", "kl", "intervals"}
    without = {name for name in named if name.startswith("info_")} | {"factorized_support"}
    assert set(scores["intervals"]) == named - without - {"posterior_mig", "posterior_mig_sup"}
    for name, (low, high) in scores["intervals"].items():
        assert 0 <= low <= high, name
        if name not in ("factor_vae", "beta_vae"):
            assert low - 1e-12 <= scores[name] <= high + 1e-12, name
    assert scores["intervals"]["factor_vae"] == pytest.approx([20 / (20 + 1.96**2), 1], abs=1e-3)


def test_metrics_are_given_in_the_order_asked_for():
    scores = kd.evaluate(KnowingModel(), DATA, ["beta_vae", "irs"], **FEW)
    assert list(scores) == ["beta_vae", "irs"]
    assert list(kd.evaluate(KnowingModel(), DATA, "sap", **FEW)) == ["sap"]


def test_what_has_no_grid():
    labelled = kd.datasets.LabelledImages(DATA.images(np.arange(39)), DATA.factors(np.arange(39)))
    scores = kd.evaluate(KnowingModel(), labelled)
    assert list(scores) == ["mig", "mig_sup", "information", "information_total", "kl"]
    assert scores["mig"] == pytest.approx(1, abs=0.05)
    with pytest.raises(ValueError, match="`dataset` must be a `Factor.*without factor_sizes"):
        kd.evaluate(KnowingModel(), labelled, ["mig", "beta_vae"])


def test_what_gives_codes_alone():
    def encode(images):
        return KnowingModel().encode(images)[0]

    scores = kd.evaluate(encode, DATA, **FEW)
    assert list(scores) == ["mig", "mig_sup", "factor_vae"] and scores["factor_vae"] == 1
    with pytest.raises(ValueError, match=r"log variance .* \['information'\]. Received: codes"):
        kd.evaluate(encode, DATA, ["information"], **FEW)
    mean, log_var = kd.encode_images(encode, DATA.images, 40)
    assert mean.shape == (40, 3) and log_var is None


def test_what_comes_after_mean_and_log_var_is_ignored():
    def encode(images):
        mean, log_var = KnowingModel().encode(images)
        return [mean, log_var, mean]

    assert kd.evaluate(encode, DATA, **FEW) == kd.evaluate(KnowingModel().encode, DATA, **FEW)


def test_metrics_have_options():
    options = {"dci": {"estimator": "exact"}, "posterior_mig": {"factors_used": [0]}}
    names = ["dci", "posterior_mig"]
    scores = kd.evaluate(KnowingModel(), DATA, names, options=options, **FEW)
    assert scores["posterior_mig"] == pytest.approx(1, abs=0.01)
    with pytest.raises(ValueError, match="`estimator` must be one of"):
        kd.evaluate(KnowingModel(), DATA, "dci", options={"dci": {"estimator": "x"}}, **FEW)
    with pytest.raises(TypeError, match="bins"):
        kd.evaluate(KnowingModel(), DATA, "mig", options={"mig": {"bins": 3}}, **FEW)


def test_a_keras_model_without_encode():
    pixels = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    scores = kd.evaluate(pixels, DATA, ["mig_sup", "factor_vae"], **FEW)
    assert scores["mig_sup"] == pytest.approx(1, abs=1e-6) and scores["factor_vae"] == 1


def test_weights_of_factors_are_followed():
    small = kd.datasets.WeightedFactors(DATA, lambda factors: factors[:, 0] < 3)
    seen = set()

    def encode(images):
        seen.update(np.rint(255 * images[:, 0, 0, 0] / 50).astype(int).tolist())
        return KnowingModel().encode(images)

    kd.evaluate(encode, small, ["mig"], num_samples=40)
    assert seen == {0, 1, 2}


@pytest.mark.parametrize("verbose", ["auto", 1, 0])
def test_progress_is_shown(verbose, capsys, monkeypatch):
    monkeypatch.setattr(_progress, "_WRITTEN", 0.0)
    kd.evaluate(KnowingModel(), DATA, "irs", verbose=verbose, batch_size=8, **FEW)
    kd.encode_images(KnowingModel(), DATA.images, 8, verbose=verbose)
    found = capsys.readouterr().err
    assert ("batches of images 5/5" in found) == ("metrics 1/1" in found) == (verbose != 0)


@pytest.mark.parametrize("batch_size", [1, 7, 40, 500])
def test_images_are_encoded_in_order(batch_size):
    mean, log_var = kd.encode_images(KnowingModel(), DATA.images, 40, batch_size)
    assert mean.dtype == log_var.dtype == np.float64
    np.testing.assert_allclose(mean + (2, 1.5, 0.5), DATA.factors(np.arange(40)), atol=1e-6)


@pytest.mark.parametrize(
    "model, options, message",
    [
        (object(), {}, "`model` must have a method `encode`, .* Received: model=<object"),
        ("model", {}, "`model` must have a method `encode`, .* Received: model='model'"),
        (
            KnowingModel(),
            {"batch_size": 0},
            "`batch_size` must be an integer >= 1. Received: batch_size=0",
        ),
        (KnowingModel(), {"num_samples": 0}, "`num_samples` must be .* Received: num_samples=0"),
        (KnowingModel(), {"num_samples": -3}, "`num_samples` must be .* Received: num_samples=-3"),
        (KnowingModel(), {"num_votes": 0}, "Received: .*=0"),
        (
            KnowingModel(),
            {"metrics": "mug"},
            r"`metrics` must be .all. or names .* Received: 'mug'",
        ),
        (KnowingModel(), {"metrics": []}, r"`metrics` must be .* Received: \[\]"),
        (KnowingModel(), {"num_resamples": -1}, "`num_resamples` must be an integer >= 2"),
        (KnowingModel(), {"num_resamples": 1}, "`num_resamples` must be an integer >= 2"),
        (lambda x: {"code": x}, {}, r"`model` must encode images as codes.*dict of \['code'\]"),
        (lambda x: (x[:, 0, :, 0], x, x), {}, r"shape \(40, 8\) and \(40, 8, 8, 1\)"),
        (lambda x: (), {}, "`model` must encode images as codes.*tuple"),
        (lambda x: np.float32(1), {}, r"Received: shape \(\)"),
        (KnowingModel(), {"seed": -1}, "`seed` must be an integer >= 0. Received: seed=-1"),
        (KnowingModel(), {"options": {"mug": {}}}, r"`options` must be a dict with names.*'mug'"),
        (lambda x: np.zeros((7, 2)), {}, r"`model` must encode 40 images .* shape \(7, 2\)"),
        (lambda x: np.full((len(x), 2), np.nan), {}, "must be finite"),
    ],
)
def test_bad_arguments_are_named(model, options, message):
    with pytest.raises(ValueError, match=message):
        kd.evaluate(model, DATA, **{**FEW, **options})


def test_a_model_with_discrete_codes_says_so():
    class Quantized(KnowingModel):
        discrete_codes = True

    assert kd.models.QuantizedAutoencoder.discrete_codes
    of = {"metrics": "info_mec", "num_samples": 40}
    index = DATA.sample_index(40, np.random.default_rng(0))
    codes, factors = DATA.factors(index) - (2, 1.5, 0.5), DATA.factors(index)
    for model, discrete in ((KnowingModel(), False), (Quantized(), True)):
        expected = kd.metrics.info_mec(codes, factors, discrete)
        found = kd.evaluate(model, DATA, **of)
        assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-3)
    chosen = kd.evaluate(KnowingModel(), DATA, options={"info_mec": {"discrete_codes": True}}, **of)
    assert chosen == kd.evaluate(Quantized(), DATA, **of)
    assert chosen != kd.evaluate(KnowingModel(), DATA, **of)


class Rotated(KnowingModel):
    """The same knowledge in other dimensions, and one that is not in use."""

    def __init__(self, seed):
        self.rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))

    def encode(self, x):
        mean, log_var = super().encode(x)
        dead = np.random.default_rng(1).standard_normal((len(mean), 1)) / 100
        mean = np.concatenate([np.asarray(mean) @ self.rotation, dead], axis=1)
        return mean, np.pad(log_var, ((0, 0), (0, 1)))


def test_models_are_ranked_without_factors():
    models = [
        KnowingModel(),
        Rotated(0),
        Rotated(1),
        Rotated(2),
        lambda x: KnowingModel().encode(x)[0],
    ]
    groups = ["a", "b", "b", "b", "a"]
    found = kd.rank_models((model for model in models), DATA.images, len(DATA), groups)
    assert found["order"][:2] == [0, 4] and list(found["groups"]) == ["a", "b"]
    assert found["groups"]["a"] == found["udr"][0] == pytest.approx(0.9, abs=1e-6)
    assert found["groups"]["b"] == np.median(found["udr"][1:4]) < 0.8
    variances = [(size**2 - 1) / 12 for size in SIZES]
    kl = [0.5 * (v + 0.01**2 - 1 - 2 * np.log(0.01)) for v in variances]
    np.testing.assert_allclose(found["kl"][0], kl, rtol=1e-5)
    assert found["kl"][1][3] < 0.01 and found["kl"][4] is None
    whole = kd.rank_models(models[:2], DATA.images, len(DATA), method="spearman")
    assert set(whole) == {"udr", "order", "kl"}
    for one, received in (([KnowingModel()], "list of 1"), (KnowingModel(), "KnowingModel")):
        with pytest.raises(ValueError, match=f"`models` must be a list .* Received: {received}"):
            kd.rank_models(one, DATA.images, len(DATA))
    with pytest.raises(ValueError, match="`groups` must have at least two models with each"):
        kd.rank_models(models, DATA.images, len(DATA), [0, 0, 0, 0, 1])


def test_images_of_another_shape():
    data = kd.datasets.DSprites(image_size=16)
    with pytest.raises(ValueError, match=r"8, 8, 1\). Received: x.shape=\(30, 16, 16, 1\)"):
        kd.evaluate(MODELS["vae_bernoulli"].build(), data, num_samples=30, num_votes=5)


def test_data_that_are_no_data_set():
    with pytest.raises(ValueError, match=r"`dataset` must be a `Factor.*without \['sample_"):
        kd.evaluate(KnowingModel(), np.zeros((10, 8, 8, 1)))
