"""Every model, layer and loss: it builds, trains, saves, loads and goes on. A new one is a row."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from model_table import MODELS
from tiny_networks import frozen_classifier
from tiny_training import fit, numbers, weights

from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.layers import (
    ConditionalBatchNormalization,
    EqualizedConv2D,
    EqualizedDense,
    FadeIn,
    FeatureNetwork,
    FiniteScalarQuantization,
    GaussianSampling,
    LatentDirections,
    MinibatchStd,
    PixelNormalization,
    ProjectionHead,
    QHead,
    SelfAttention2D,
    SpectralConv2D,
    SpectralDense,
    Truncation,
    UpConv2D,
)
from keras_disentangle.losses import (
    FeatureMatchingLoss,
    bernoulli_nll,
    gaussian_kl,
    gaussian_nll,
)


def assert_equal_weights(model, other):
    assert len(model.weights) == len(other.weights)
    for variable, a, b in zip(model.weights, weights(model), weights(other), strict=True):
        np.testing.assert_array_equal(a, b, variable.path)


# Models


def build(row):
    keras.utils.set_random_seed(0)
    return row.build()


@pytest.fixture(scope="module", params=MODELS)
def trained(request):
    """A model after two steps, its logs, the weights before, and its row."""
    row = MODELS[request.param]
    model = build(row)
    before = numbers(model.trainable_variables)
    return model, fit(model), before, row


def test_two_steps_of_a_model(trained):
    model, history, before, row = trained
    assert set(history) == set(row.terms)
    for name, values in history.items():
        assert len(values) == 2 and np.isfinite(values).all(), name
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert (ops.convert_to_numpy(variable) != old).any(), variable.path
    assert int(model.step) == 2


def test_weights_of_a_model(trained, tmp_path):
    model, *_, row = trained
    model.save_weights(tmp_path / "model.weights.h5")
    other = row.build()
    other.load_weights(tmp_path / "model.weights.h5")
    assert_equal_weights(model, other)
    assert int(other.step) == 2
    for name, ramp in model.ramps.items():
        assert float(other.ramps[name](5)) == float(ramp(5))


# Trains its model on, so it comes last.
def test_a_loaded_model_goes_on(trained, tmp_path):
    model, *_, row = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert loaded.get_config().keys() == model.get_config().keys()
    assert_equal_weights(model, loaded)
    for name, ramp in model.ramps.items():
        assert float(loaded.ramps[name](loaded.step)) == float(ramp(model.step))
    for a, b in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b), a.path)
    for a, b in zip(numbers(row.outputs(model)), numbers(row.outputs(loaded)), strict=True):
        np.testing.assert_array_equal(a, b)
    # The noise too goes on where it stood.
    history = fit(model, compile_with=False)
    assert fit(loaded, compile_with=False) == history
    assert_equal_weights(model, loaded)


@pytest.mark.parametrize("name", ["vae_gaussian", "wgan_gp"])
def test_saving_changes_nothing(name, tmp_path):
    saved, never_saved = (build(MODELS[name]) for _ in range(2))
    assert fit(saved) == fit(never_saved)
    saved.save(tmp_path / "model.keras")
    assert fit(saved, compile_with=False) == fit(never_saved, compile_with=False)
    assert_equal_weights(saved, never_saved)


# Layers: each between dense layers of its own, so that there is something to train.

PIXELS = np.random.default_rng(1).random((6, 4, 4, 2), dtype="float32")


def _fade(x, old):
    return FadeIn()(layers.Dense(3)(x), alpha=0.25, old=layers.Dense(3)(x) if old else None)


def _directions(x):
    return LatentDirections(6, 2, block="mid")(layers.Dense(2)(layers.Flatten()(x)))


def _conditional_norm(x):
    rows = Truncation(3)(x)
    return ConditionalBatchNormalization(3)(layers.Dense(3)(x), layers.Flatten()(x), rows)


def _features(x):
    # Of the two layers, the deeper one.
    return FeatureNetwork(frozen_classifier((4, 4, 2)), ["norm", "hidden"])(layers.Dense(2)(x))[1]


def _feature_matching(x, **scale):
    loss = FeatureMatchingLoss(frozen_classifier((4, 4, 2)), ["norm", "hidden"], **scale)
    return loss(x, layers.Dense(2)(x))


def _attention(x):
    x, attention = layers.Dense(8)(x), SelfAttention2D()
    y = attention(x)
    # With its initial 0 only gamma itself would move at first.
    attention.gamma.assign(0.5)
    return y


def _sample(x):
    mean, log_var = (layers.Dense(3)(layers.Flatten()(x)) for _ in range(2))
    return GaussianSampling(seed=3)(mean, log_var)


def _projection(x):
    index = ops.argmax(layers.Flatten()(x)[:, :3], axis=-1)
    return ProjectionHead(3, spectral=True)(layers.Dense(4)(x), index)


Q_SPACE = LatentSpace([Normal(4), Categorical(3), Uniform(2)])

LAYERS = {
    "batch_normalization": (
        lambda x: ConditionalBatchNormalization()(layers.Dense(3)(x)),
        (6, 4, 4, 3),
    ),
    "conditional_batch_normalization": (_conditional_norm, (6, 4, 4, 3)),
    "equalized_conv": (lambda x: EqualizedConv2D(3, 3)(x), (6, 4, 4, 3)),
    "equalized_dense": (lambda x: EqualizedDense(3)(layers.Flatten()(x)), (6, 3)),
    "fade_in": (lambda x: _fade(x, old=False), (6, 4, 4, 3)),
    "fade_in_over_old": (lambda x: _fade(x, old=True), (6, 4, 4, 3)),
    "feature_matching": (_feature_matching, (6,)),
    "feature_matching_fixed": (lambda x: _feature_matching(x, scale="fixed"), (6,)),
    "feature_network": (_features, (6, 4)),
    "finite_scalar_quantization": (
        lambda x: FiniteScalarQuantization(4)(layers.Dense(3)(layers.Flatten()(x))),
        (6, 3),
    ),
    "gaussian_sampling": (_sample, (6, 3)),
    "latent_directions": (_directions, (6, 6)),
    "minibatch_std": (lambda x: MinibatchStd(2)(layers.Dense(2)(x)), (6, 4, 4, 3)),
    "pixel_normalization": (lambda x: PixelNormalization()(layers.Dense(3)(x)), (6, 4, 4, 3)),
    "projection_head": (_projection, (6, 1)),
    "q_head": (lambda x: QHead(Q_SPACE, hidden=5)(x), (6, 3 + 2 * 2)),
    "q_head_of_one_layer": (lambda x: QHead(Q_SPACE, hidden=None)(x), (6, 3 + 2 * 2)),
    "self_attention": (_attention, (6, 4, 4, 8)),
    "spectral_conv": (lambda x: SpectralConv2D(3, 3)(x), (6, 4, 4, 3)),
    "spectral_dense": (lambda x: SpectralDense(3)(layers.Flatten()(x)), (6, 3)),
    "up_conv_stride_1": (lambda x: UpConv2D(3, 3)(x), (6, 4, 4, 3)),
    "up_conv_stride_2": (lambda x: UpConv2D(3, 4, strides=2)(x), (6, 8, 8, 3)),
    "up_conv_stride_2_by_1": (lambda x: UpConv2D(3, (4, 3), strides=(2, 1))(x), (6, 8, 4, 3)),
    "up_conv_stride_3": (lambda x: UpConv2D(3, 5, strides=3)(x), (6, 12, 12, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, tmp_path):
    apply, shape = LAYERS[name]
    x = keras.Input(PIXELS.shape[1:])
    model = keras.Model(x, apply(x))
    assert model.output_shape == (None, *shape[1:])
    model.compile("adam", "mse")
    before = [ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    history = model.fit(PIXELS, np.ones(shape), epochs=2, batch_size=6, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert (ops.convert_to_numpy(variable) != old).any(), variable.path

    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    with_weights = keras.Model.from_config(model.get_config())
    with_weights.load_weights(tmp_path / "model.weights.h5")
    expected = model.predict(PIXELS, verbose=0)  # of the sampling, its next draw
    assert expected.shape == shape
    for other in (loaded, with_weights):
        np.testing.assert_array_equal(other.predict(PIXELS, verbose=0), expected)


# Losses: functions of what a dense layer gives (6, 4) and of a target (6, 2).

TARGETS = np.random.default_rng(2).random((6, 2), dtype="float32")


def _divergence(y, out):
    return gaussian_kl(ops.subtract(out[:, :2], y), out[:, 2:])


def _bernoulli(y, out):
    return bernoulli_nll(y, out[:, :2] + out[:, 2:])


def _gaussian(y, out):
    return gaussian_nll(y, out[:, :2], out[:, 2:])


LOSSES = {"gaussian_kl": _divergence, "bernoulli_nll": _bernoulli, "gaussian_nll": _gaussian}


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss(name, dtype, tmp_path):
    loss = LOSSES[name]
    model = keras.Sequential(
        [keras.Input((4, 4, 2)), layers.Flatten(), layers.Dense(4, dtype=dtype)]
    )
    model.compile(keras.optimizers.SGD(1e-3), loss)
    history = model.fit(PIXELS, TARGETS, epochs=2, batch_size=6, verbose=0).history["loss"]
    assert np.isfinite(history).all() and history[1] < history[0]

    value = loss(TARGETS, model(PIXELS))
    assert tuple(value.shape) == (6,)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    again = loss(TARGETS, loaded(PIXELS))
    np.testing.assert_array_equal(*(ops.convert_to_numpy(v) for v in (value, again)))
