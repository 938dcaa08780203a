"""Auto-encoders with quantised codes: objectives, codes, weight decay, callbacks."""

import keras
import numpy as np
import pytest
import scipy.special
from factor_images import factor_images
from keras import layers, ops
from penalty_table import Moments
from tiny_networks import IMAGE_SHAPE, IMAGES, dense
from tiny_training import assign_by_hand, fit, numbers

import keras_disentangle as kd
from keras_disentangle.layers import FiniteScalarQuantization, GaussianSampling
from keras_disentangle.models import QLAE, QuantizedAutoencoder, Tripod

# A few steps each; the compiled ones are those of the shared table.
pytestmark = pytest.mark.compiled(False)
PIXELS = 64


def networks(width=3):
    """Encoder and decoder of one dense layer each."""
    return {
        "encoder": dense(IMAGE_SHAPE, width, None),
        "decoder": dense((width,), PIXELS, None, reshape=IMAGE_SHAPE),
    }


def affine(layer, x):
    kernel, bias = (v.astype("float64") for v in numbers(layer.weights))
    return x.reshape(len(x), -1) @ kernel + bias


def bernoulli(logits, x=IMAGES):
    x, logits = x.reshape(len(x), -1).astype("float64"), logits.reshape(len(x), -1)
    log_p = x * scipy.special.log_expit(logits) + (1 - x) * scipy.special.log_expit(-logits)
    return -log_p.sum(1).mean()


@pytest.fixture
def model():
    """A QLAE whose codebooks are no longer alike, nor in order."""
    model = QLAE(**networks(), num_values=4, seed=1)
    assign_by_hand(model)
    model.quantizer.codebooks.assign(np.random.default_rng(1).normal(size=(3, 4)))
    return model


def parts(model):
    """Codes, nearest values and their indices in NumPy, the codebooks."""
    codebooks = numbers([model.quantizer.codebooks])[0]
    codes = affine(model.encoder.layers[-1], IMAGES)
    index = np.abs(codes[:, :, None] - codebooks).argmin(-1)
    return codes, np.take_along_axis(codebooks, index.T, 1).T, index, codebooks


def test_the_objective_of_qlae(model, evaluate, assert_terms):
    """In the paper's unit: the mean over pixels plus 0.01 of each mean over dimensions."""
    codes, values, _, _ = parts(model)
    reconstruction = bernoulli(affine(model.decoder.layers[0], values))
    error = np.square(codes - values).mean()
    published = reconstruction / PIXELS + 0.01 * error + 0.01 * error
    expected = {
        "loss": PIXELS * published,
        "reconstruction": reconstruction,
        "quantization": error,
        "commitment": error,
        "quantization_weight": 0.64,
        "commitment_weight": 0.64,
    }
    assert_terms(evaluate(model), expected)


def test_codes_of_qlae(model):
    _, values, index, codebooks = parts(model)
    np.testing.assert_array_equal(numbers([model.encode(IMAGES)])[0], values)
    np.testing.assert_array_equal(numbers([model.encode_indices(IMAGES)])[0], index)
    expected = scipy.special.expit(affine(model.decoder.layers[0], values))
    expected = expected.reshape(IMAGES.shape)
    reconstruction, decoded = numbers([model.reconstruct(IMAGES), model.decode(values)])
    np.testing.assert_allclose(reconstruction, expected, rtol=1e-4)
    np.testing.assert_array_equal(decoded, reconstruction)
    path = numbers([model.interpolate(IMAGES[:2], IMAGES[2:4], 3)])[0]
    np.testing.assert_allclose(path[:, 0], expected[:2], rtol=1e-4)
    np.testing.assert_allclose(path[:, -1], expected[2:4], rtol=1e-4)

    # The space has the present values, not those at the beginning.
    assert model.latent_dim == 3 and model.rung_sizes == (3,)
    draws = numbers([model.space.sample(2000, seed=0)])[0]
    for draw, codebook in zip(draws.T, codebooks, strict=True):
        found, counts = np.unique(draw, return_counts=True)
        np.testing.assert_array_equal(found, np.sort(codebook))
        np.testing.assert_allclose(counts / 2000, 0.25, atol=5 * 0.43 / 2000**0.5)
    images = numbers([model.sample(3, seed=4), model.decode(model.space.sample(3, seed=4))])
    np.testing.assert_array_equal(*images)


def test_the_objective_of_tripod(evaluate):
    """Its two penalties, in the unit of the paper's mean over pixels."""
    decoder = keras.Sequential(
        [keras.Input((3,)), layers.Dense(5, "tanh", name="cond"), layers.Dense(PIXELS)]
    )
    decoder.add(layers.Reshape(IMAGE_SHAPE))
    settings = {"multi_information_weight": 0.5, "hessian_weight": 0.25}
    model = Tripod(networks()["encoder"], decoder, 4, outputs=["cond"], **settings, seed=1)
    found = evaluate(model)
    assert found["multi_information_weight"] == 32 and found["hessian_weight"] == 16
    continuous = np.tanh(affine(model.encoder.layers[-1], IMAGES))
    codes = 2 * np.round((continuous + 1) / 2 * 3) / 3 - 1
    np.testing.assert_allclose(numbers([model.encode(IMAGES)])[0], codes, atol=1e-6)
    dependence = kd.losses.kernel_multi_information(codes, continuous)
    np.testing.assert_allclose(
        found["multi_information"], np.mean(numbers([dependence])), rtol=1e-4
    )
    hidden = np.tanh(affine(decoder.layers[0], codes))
    reconstruction = bernoulli(affine(decoder.layers[1], hidden))
    np.testing.assert_allclose(found["reconstruction"], reconstruction, rtol=1e-5)
    assert found["hessian_penalty"] == found["hessian_penalty_cond"] > 0
    parts = found["multi_information"] * 32 + found["hessian_penalty"] * 16
    np.testing.assert_allclose(found["loss"], reconstruction + parts, rtol=1e-5)


def test_observations(evaluate):
    model = QLAE(**networks(), observation="gaussian")
    found = evaluate(model)
    error = np.square(numbers([model.reconstruct(IMAGES)])[0] - IMAGES).sum((1, 2, 3)).mean()
    expected = 0.5 * error + 0.5 * PIXELS * np.log(2 * np.pi)
    np.testing.assert_allclose(found["reconstruction"], expected, rtol=1e-5)
    assert found["log_std"] == 0


def trained(weight_decay):
    """A QLAE after a step of SGD that decays by a tenth of its rate, and one that does not."""
    keras.utils.set_random_seed(0)
    model = QLAE(
        **networks(), num_values=4, seed=1, penalties=[kd.penalties.HessianPenalty(weight=0.1)]
    )
    assign_by_hand(model)
    before = numbers(model.trainable_variables)
    optimizer = keras.optimizers.SGD(0.5, weight_decay=weight_decay, clipvalue=1e-3)
    fit(model, epochs=1, compile_with={"optimizer": optimizer})
    return model, before


@pytest.fixture(scope="module")
def decayed():
    return trained(0.1)


def test_weight_decay_is_that_of_kernels(decayed):
    (model, before), (free, _) = decayed, trained(None)
    kernels = {id(v) for v in model.decayed_variables}
    assert len(kernels) == 2
    pairs = zip(model.trainable_variables, numbers(free.trainable_variables), before, strict=True)
    for variable, other, old in pairs:
        expected = other - 0.05 * old if id(variable) in kernels else other
        np.testing.assert_allclose(numbers([variable])[0], expected, rtol=1e-5, atol=1e-7)
    names = [v.path.split("/")[-1] for v in model.trainable_variables]
    assert sorted(names) == ["bias", "bias", "codebooks", "kernel", "kernel"]


def test_decay_needs_an_optimizer_that_is_not_built(decayed):
    """But for the model's own, from which the other variables were left out before."""
    model, _ = decayed
    model.compile(model.optimizer)
    built = keras.optimizers.SGD(0.5, weight_decay=0.1)
    built.build(model.trainable_variables)
    for optimizer in (built, keras.optimizers.LossScaleOptimizer(built)):
        with pytest.raises(ValueError, match="`optimizer` must not be built yet if .*decay=0.1"):
            model.compile(optimizer)
    without = keras.optimizers.SGD(0.5)
    without.build(model.trainable_variables)
    QLAE(**networks()).compile(without)


def test_a_loaded_model_decays_the_same(decayed, tmp_path):
    model, _ = decayed
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    fit(model, epochs=1, compile_with=False)
    fit(loaded, epochs=1, compile_with=False)
    for a, b in zip(numbers(model.weights), numbers(loaded.weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_callbacks_and_scores(tmp_path, monkeypatch):
    """Pictures visit the values of the codebooks, scores are of quantised codes."""
    model, data, seen = QLAE(**networks(), num_values=4, seed=1), factor_images(), []
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda z: seen.append(numbers([z])[0]) or decode(z))
    callbacks = [
        kd.callbacks.LatentTraversal(tmp_path / "logs", images=IMAGES[:2]),
        kd.callbacks.FactorMetrics(data, num_samples=30, num_votes=10, max_share=None),
        kd.callbacks.ExactBackup(tmp_path / "backup"),
    ]
    history = fit(model, epochs=1, callbacks=callbacks)
    assert {"mig", "mig_sup", "factor_vae"} <= set(history)
    assert "information_total" not in history  # It needs posteriors.
    names = {path.name for path in (tmp_path / "logs" / "pictures").iterdir()}
    assert {"epoch_0001_traversal.png", "traversal.gif"} <= names
    codebooks = numbers([model.quantizer.codebooks])[0]
    after = seen[-4:]  # Since the last step: those before visited other values.
    assert max(map(len, after)) == 12
    for codes in after:
        for column, codebook in zip(codes.T, codebooks, strict=True):
            assert np.isin(column, codebook).all()

    codes, log_var = kd.encode_images(model, data.images, len(data))
    assert codes.shape == (40, 3) and log_var is None
    assert kd.evaluate(model, data, ["mig"], num_samples=30, seed=0)["mig"] >= 0


def test_values_of_fixed_levels():
    model = QuantizedAutoencoder(**networks(), quantizer=FiniteScalarQuantization(3), seed=1)
    codes, draws = numbers([model.encode(IMAGES), model.space.sample(50, seed=0)])
    assert set(np.unique(codes)) <= {-1, 0, 1} == set(np.unique(draws))
    index = numbers([model.encode_indices(IMAGES)])[0]
    np.testing.assert_array_equal(index - 1, codes)
    assert model.quantizer.name in {layer.name for layer in model.layers}
    history = fit(model, epochs=1)
    assert set(history) == {"loss", "reconstruction"}
    assert history["loss"] == history["reconstruction"]


def test_codes_that_diverge_end_training(model):
    model.encoder.layers[-1].bias.assign([np.nan, 0, 0])
    with pytest.raises(ValueError, match="`reconstruction`|`quantization`"):
        fit(model, epochs=1)
    assert np.isnan(numbers([model.encode(IMAGES)])[0][:, 0]).all()


def quantized(**changes):
    settings = {**networks(), "quantizer": FiniteScalarQuantization(3), **changes}
    return QuantizedAutoencoder(**settings)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Tripod(**networks(), num_levels=1), "`num_levels` must be an integer >= 2"),
        (
            lambda: Tripod(**networks(), hessian_weight=-1),
            "`hessian_weight` must be a finite number >= 0.*=-1",
        ),
        (
            lambda: Tripod(**networks(), multi_information_weight=None),
            "`multi_information_weight` must be a finite number >= 0.*=None",
        ),
        (lambda: Tripod(**networks(), outputs=["a"]), "`outputs` must be layers of the model.*'a'"),
        (lambda: fit(Tripod(**networks()), IMAGES[:1]), "at least 2 images"),
        (lambda: QLAE(**networks(), num_values=1), "`num_values` must be an integer >= 2.*=1"),
        (
            lambda: QLAE(**networks(), quantization_weight=-1),
            "`quantization_weight` must be a finite number >= 0.*=-1",
        ),
        (
            lambda: QLAE(**networks(), commitment_weight="1"),
            "`commitment_weight` must be a finite number >= 0.*='1'",
        ),
        (
            lambda: quantized(encoder=dense(IMAGE_SHAPE, 48, None, reshape=(4, 4, 3))),
            r"`encoder` must give codes \(batch, d\). Received: .*\(batch, 4, 4, 3\)",
        ),
        (
            lambda: quantized(decoder=dense((4,), PIXELS, None, reshape=IMAGE_SHAPE)),
            "The input of `decoder` must have the shape",
        ),
        (
            lambda: quantized(decoder=dense((3,), PIXELS, "sigmoid", reshape=IMAGE_SHAPE)),
            "`decoder` must give logits",
        ),
        (
            lambda: quantized(quantizer=GaussianSampling()),
            "`quantizer` must be a `LatentQuantization` or a `FiniteScalarQuantization`",
        ),
        (
            lambda: quantized(penalties=[Moments()]),
            "`penalties` of a posterior must not need its variance",
        ),
        (lambda: quantized(penalties=1), "`penalties` must be a list of penalties"),
        (lambda: quantized(labels=3), "`labels` must be None: `QuantizedAutoencoder` cannot"),
        (lambda: quantized().reconstruct(IMAGES, labels=1), "`labels` must be None"),
        (lambda: quantized().encode(2 * IMAGES), r"must lie in \[0, 1\]"),
        (lambda: quantized().compile("adam", loss="mse"), "`loss` must be left out"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_metrics_of_one_value():
    """A code that has collapsed to one value everywhere is scored 0, not NaN."""
    model = QLAE(**networks(), num_values=4)
    model.encoder.layers[-1].kernel.assign(ops.zeros((PIXELS, 3)))
    scores = kd.evaluate(model, factor_images(), ["mig", "mig_sup"], num_samples=30)
    assert scores == {"mig": 0.0, "mig_sup": 0.0}
