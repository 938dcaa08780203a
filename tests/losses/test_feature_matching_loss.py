"""The likelihood of features, against NumPy, and what it trains."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_disentangle.layers import FeatureNetwork
from keras_disentangle.losses import FeatureMatchingLoss

RNG = np.random.default_rng(0)
X, MEAN = RNG.random((2, 3, 5, 4, 2), dtype="float32")
NAMES = ("norm", "dense")


def classifier():
    model = keras.Sequential(
        [
            keras.Input((5, 4, 2)),
            layers.Conv2D(3, 2, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("tanh"),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(4, name="dense"),
        ]
    )
    rng = np.random.default_rng(1)
    # Statistics and scales are positive, kernels of both signs.
    model.set_weights(
        [
            rng.normal(size=w.shape) if w.ndim > 1 else rng.uniform(0.2, 1, w.shape)
            for w in model.get_weights()
        ]
    )
    model.trainable = False
    return model


def features_by_hand(images, model):
    """The two layers' activations, in float64."""
    kernel, bias = model.get_layer("conv").get_weights()
    gamma, beta, mean, variance = model.get_layer("norm").get_weights()
    dense, dense_bias = model.get_layer("dense").get_weights()
    windows = np.lib.stride_tricks.sliding_window_view(images.astype(float), (2, 2), (1, 2))
    conv = np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias
    norm = gamma * (conv - mean) / np.sqrt(variance + 1e-3) + beta
    return {"norm": norm, "dense": np.tanh(norm).reshape(len(images), -1) @ dense + dense_bias}


def terms_by_hand(x, mean, model, log_stds):
    """Equation 5 of each layer, (batch,)."""
    of_x, of_mean = features_by_hand(x, model), features_by_hand(mean, model)
    found = {}
    for name, log_std in log_stds.items():
        squares = ((of_x[name] - of_mean[name]) / np.exp(log_std)) ** 2
        terms = 0.5 * np.log(2 * np.pi) + log_std + 0.5 * squares
        found[name] = terms.sum(axis=tuple(range(1, terms.ndim)))
    return found


def numbers(tensors):
    return {name: ops.convert_to_numpy(x) for name, x in tensors.items()}


def with_drawn_scales(loss, seed=2, low=-1.0, high=1.0):
    """The loss with log sigma of its own, and these as they broadcast to features."""
    if not loss.built:
        loss.build((None, 5, 4, 2))
    rng = np.random.default_rng(seed)
    for variable in loss.trainable_variables:
        variable.assign(rng.uniform(low, high, variable.shape))
    return loss, numbers({name: loss.log_std(name) for name in loss.layer_names})


@pytest.mark.parametrize(
    "arguments, shapes",
    [
        ({}, [(4, 3, 3), (4,)]),
        ({"min_log_std": None}, [(4, 3, 3), (4,)]),
        ({"scale": "channel"}, [(3,), (4,)]),
        ({"scale": "fixed"}, [(), ()]),
        ({"learn_scale": False}, [(), ()]),
        ({"learn_scale": False, "scale": "channel"}, [(), ()]),
    ],
)
def test_terms_by_hand(arguments, shapes):
    model = classifier()
    loss = FeatureMatchingLoss(model, NAMES, layer_weights=[2.0, 0.5], **arguments)
    # At the start all sigma are 1.
    zeros = dict.fromkeys(NAMES, 0.0)
    expected = terms_by_hand(X, MEAN, model, zeros)
    found = ops.convert_to_numpy(loss(X, MEAN))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, 2 * expected["norm"] + 0.5 * expected["dense"], rtol=1e-5)

    loss, log_stds = with_drawn_scales(
        FeatureMatchingLoss(model, NAMES, layer_weights={"dense": 0.5, "norm": 2.0}, **arguments)
    )
    assert [log_stds[name].shape for name in NAMES] == shapes
    assert len(loss.trainable_variables) == (2 if shapes[0] else 0)
    expected = terms_by_hand(X, MEAN, model, log_stds)
    found = numbers(loss.per_layer(X, MEAN))
    assert tuple(found) == NAMES
    for name in NAMES:
        assert found[name].shape == (3,)
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    total = 2 * expected["norm"] + 0.5 * expected["dense"]
    np.testing.assert_allclose(ops.convert_to_numpy(loss(X, MEAN)), total, rtol=1e-5)


def test_the_same_in_other_sets_of_layers():
    network = FeatureNetwork(classifier(), NAMES)
    both = FeatureMatchingLoss(network)
    assert both.feature_model is network and both.layer_names == NAMES
    one = FeatureMatchingLoss(network, "dense", layer_weights=[3.0])
    assert one.layer_names == ("dense",)
    dense = 3 * ops.convert_to_numpy(both(X, MEAN) * 0 + both.per_layer(X, MEAN)["dense"])
    np.testing.assert_allclose(ops.convert_to_numpy(one(X, MEAN)), dense, rtol=1e-6)


def test_features_of_images_are_used_again():
    model = classifier()
    loss, log_stds = with_drawn_scales(FeatureMatchingLoss(model, NAMES))
    features = loss.features(X)
    for name, expected in features_by_hand(X, model).items():
        np.testing.assert_allclose(ops.convert_to_numpy(features[name]), expected, rtol=1e-4)
    for mean in (MEAN, 1 - MEAN):
        found = numbers(loss.per_layer(X, mean, features))
        expected = terms_by_hand(X, mean, model, log_stds)
        for name in NAMES:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    # Nothing is asked of the images then.
    calls = []
    loss.feature_model.activations = lambda images: calls.append(images) or features
    loss.per_layer(X, MEAN, features)
    assert len(calls) == 1


def test_other_types_of_numbers():
    loss = FeatureMatchingLoss(classifier(), NAMES)
    expected = ops.convert_to_numpy(loss(X, MEAN))
    half = [ops.cast(images, "bfloat16") for images in (X, MEAN)]
    found = loss(*half)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=0.02)


# Training


class Matched(keras.Model):
    """Images that are shifted, and a reconstruction to be learnt: every path has a variable."""

    def __init__(self, loss, mean=MEAN):
        super().__init__()
        self.loss_layer = loss
        self.shift = self.add_weight(shape=X.shape[1:], initializer="zeros", name="shift")
        self.mean = self.add_weight(shape=mean.shape, initializer="zeros", name="mean")
        self.mean.assign(mean)

    def call(self, x):
        return self.loss_layer(x + self.shift, self.mean)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        # So that each backend has a gradient for the shift, and one of 0.
        return ops.mean(y_pred) + 0 * ops.sum(self.shift)

    def one_step(self, optimizer, steps=1):
        self.compile(optimizer)
        history = self.fit(X, batch_size=3, epochs=steps, shuffle=False, verbose=0)
        return history.history["loss"]


def test_gradients():
    """One step of gradient descent with a rate of 1, against differences of the formula."""
    model = classifier()
    loss, log_stds = with_drawn_scales(FeatureMatchingLoss(model, NAMES, layer_weights=[2.0, 0.5]))
    before = [ops.convert_to_numpy(x) for x in model.variables]
    matched = Matched(loss)
    matched.one_step(keras.optimizers.SGD(1.0))

    def objective(mean, log_stds):
        terms = terms_by_hand(X, mean, model, log_stds)
        return float(np.mean(2 * terms["norm"] + 0.5 * terms["dense"]))

    mean = MEAN.astype(float)
    found = mean - ops.convert_to_numpy(matched.mean)
    for index in [(0, 0, 0, 0), (1, 2, 3, 1), (2, 4, 1, 0)]:
        step = np.zeros_like(mean)
        step[index] = 1e-5
        expected = (objective(mean + step, log_stds) - objective(mean - step, log_stds)) / 2e-5
        assert abs(expected) > 1e-2
        np.testing.assert_allclose(found[index], expected, rtol=1e-3, atol=1e-4)
    after = numbers({name: loss.log_std(name) for name in NAMES})
    for name, index in (("norm", (1, 2, 0)), ("norm", (3, 0, 2)), ("dense", (3,))):
        step = np.zeros_like(log_stds[name], float)
        step[index] = 1e-5
        up, down = ({**log_stds, name: log_stds[name] + sign * step} for sign in (1, -1))
        expected = (objective(mean, up) - objective(mean, down)) / 2e-5
        found = log_stds[name][index] - after[name][index]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(ops.convert_to_numpy(matched.shift), 0)
    for a, b in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), b, a.path)


def test_what_training_changes():
    model = classifier()
    before = [ops.convert_to_numpy(x) for x in model.variables]
    loss = FeatureMatchingLoss(model, NAMES)
    matched = Matched(loss)
    assert len(loss.trainable_variables) == 0
    values = matched.one_step(keras.optimizers.Adam(0.02), steps=30)
    assert len(loss.trainable_variables) == 2 and values[-1] < values[0] - 10
    for name in NAMES:
        assert (ops.convert_to_numpy(loss.log_std(name)) < 0).all()
    np.testing.assert_array_equal(ops.convert_to_numpy(matched.shift), 0)
    # Weights, statistics and the seed of the dropout.
    for a, b in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), b, a.path)


def test_scales_stop_at_the_floor_and_leave_it():
    loss = FeatureMatchingLoss(classifier(), "norm", min_log_std=-0.5)
    matched = Matched(loss, X)
    optimizer = keras.optimizers.SGD(0.3)
    matched.one_step(optimizer, steps=3)
    np.testing.assert_array_equal(ops.convert_to_numpy(loss.trainable_variables[0]), -0.5)
    np.testing.assert_array_equal(ops.convert_to_numpy(loss.log_std("norm")), -0.5)
    # An error for which the best sigma is larger moves it at once.
    matched.mean.assign(X + 2)
    matched.one_step(keras.optimizers.SGD(1e-3))
    gain = ops.convert_to_numpy(loss.log_std("norm")) + 0.5
    error = np.subtract(*(features_by_hand(x, classifier())["norm"] for x in (X, X + 2)))
    np.testing.assert_allclose(gain, 1e-3 * np.maximum(0, np.mean(error**2, 0) * np.e - 1), 1e-3)
    # What is read obeys the floor, whatever a file holds.
    loss.trainable_variables[0].assign(np.full((4, 3, 3), -7.0))
    np.testing.assert_array_equal(ops.convert_to_numpy(loss.log_std("norm")), -0.5)


def test_scales_without_a_floor_run_away():
    loss = FeatureMatchingLoss(classifier(), "norm", min_log_std=None)
    Matched(loss, X).one_step(keras.optimizers.SGD(3.0), steps=5)
    np.testing.assert_allclose(ops.convert_to_numpy(loss.log_std("norm")), -15.0)
    loss.check_log_std()


@pytest.mark.parametrize("value", [np.nan, 12.5, np.inf, -np.inf])
def test_scales_that_ran_away_are_named(value):
    loss = FeatureMatchingLoss(classifier(), NAMES, min_log_std=None)
    loss.build((None, 5, 4, 2))
    loss.check_log_std()
    dense = loss.trainable_variables[1]
    dense.assign([0.0, value, 0.0, 0.0])
    with pytest.raises(ValueError, match="log sigma must be finite.* Received: {'dense': "):
        loss.check_log_std()
    if value == 12.5:
        loss.check_log_std(ceiling=13.0)


def test_saved_and_loaded(tmp_path):
    inputs = keras.Input((5, 4, 2))
    loss = FeatureMatchingLoss(
        FeatureNetwork(classifier(), NAMES, "tf"), None, layer_weights=[2, 0.5], scale="channel"
    )
    model = keras.Model(inputs, loss(inputs, layers.Conv2D(2, 1)(inputs)))
    with_drawn_scales(loss)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = ops.convert_to_numpy(model(X))
    assert expected.shape == (3,) and model.output_shape == (None,)
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(X)), expected)
    (again,) = (x for x in loaded.layers if isinstance(x, FeatureMatchingLoss))
    config, other = (x.get_config() for x in (loss, again))
    for name in ("scale", "learn_scale", "layer_weights", "min_log_std"):
        assert config[name] == other[name], name
    assert len(again.trainable_variables) == 2
    # It goes on as the first.
    for one in (model, loaded):
        one.compile("adam", "mae")
    x, y = X, np.zeros(3, "float32")
    histories = [
        one.fit(x, y, batch_size=3, epochs=2, verbose=0).history["loss"] for one in (model, loaded)
    ]
    np.testing.assert_allclose(*histories, rtol=1e-6)


# Errors


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"scale": "layer"}, "`scale` must be one of .*scale='layer'"),
        ({"min_log_std": 0.5}, "`min_log_std` must be .*min_log_std=0.5"),
        ({"min_log_std": -np.inf}, "`min_log_std` must be"),
        ({"min_log_std": "low"}, "`min_log_std` must be .*'low'"),
        ({"layer_weights": [1.0]}, r"`layer_weights` must be a number for each .*\[1.0\]"),
        ({"layer_weights": 3.0}, "`layer_weights` must be a number for each"),
        ({"layer_weights": {"norm": 1.0}}, "`layer_weights` must have the layers .* as keys"),
        (
            {"layer_weights": [1.0, -1.0]},
            r"`layer_weights\['dense'\]` must be a finite number >= 0",
        ),
        ({"layers": ["norm", "nrom"]}, "No such layer: nrom"),
        ({"layers": None}, "`layers` must name at least one layer"),
        ({"feature_model": None}, "`network` must be"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        FeatureMatchingLoss(**{"feature_model": classifier(), "layers": NAMES, **arguments})


def test_bad_use_is_named():
    network = FeatureNetwork(classifier(), NAMES, "tf")
    with pytest.raises(ValueError, match=r"`layers` must be among those of `feature_model`.*conv"):
        FeatureMatchingLoss(network, "conv")
    loss = FeatureMatchingLoss(network)
    with pytest.raises(ValueError, match="must be built"):
        loss.per_layer(X, MEAN)
    with pytest.raises(ValueError, match=r"`images` must be in \[0, 1\]"):
        loss(2 * X - 1, MEAN)
    # A linear decoder's mean may be anywhere.
    loss(X, 3 * MEAN)
    for x, mean in ((X, MEAN[:2]), (X, MEAN[..., :1])):
        with pytest.raises(ValueError, match="`x` and `reconstruction` must have the same shape"):
            loss.per_layer(x, mean)
    with pytest.raises(ValueError, match=r"`features` must be the result .*none of \['dense'\]"):
        loss.per_layer(X, MEAN, {"norm": X})
    with pytest.raises(ValueError, match="`name` must be one of .*name='conv'"):
        loss.log_std("conv")
    anywhere = keras.Sequential([keras.Input((None, None, 2)), layers.ReLU(name="relu")])
    small = FeatureMatchingLoss(anywhere, "relu")
    small.build((None, 1, 1, 2))
    with pytest.raises(ValueError, match=r"built for, .*'relu' of \(1, 1, 2\).*\(5, 4, 2\)"):
        small.per_layer(X, MEAN)
    with pytest.raises(ValueError, match='scale="full", .* known size.*relu'):
        FeatureMatchingLoss(anywhere, "relu").build((None, None, None, 2))
    FeatureMatchingLoss(anywhere, "relu", scale="channel").build((None, None, None, 2))
    trained = classifier()
    trained.trainable = True
    with pytest.raises(ValueError, match="`network` must be frozen"):
        FeatureMatchingLoss(trained, NAMES)


@pytest.mark.parametrize("scale", ["full", "channel"])
def test_calibrate_starts_at_the_spread_of_channels(scale):
    model = classifier()
    images = np.random.default_rng(5).random((7, 5, 4, 2), dtype="float32")
    loss = FeatureMatchingLoss(model, list(NAMES), scale=scale)
    loss.calibrate(images, batch_size=3)
    for name, features in features_by_hand(images, model).items():
        spread = features.reshape(-1, features.shape[-1]).std(axis=0)
        quietest = 0.1 * np.sqrt(np.mean(spread**2))
        log_std = ops.convert_to_numpy(loss.log_std(name))
        expected = np.broadcast_to(np.log(np.maximum(spread, quietest)), log_std.shape)
        np.testing.assert_allclose(log_std, expected, rtol=1e-3, atol=1e-4)


def test_calibrate_leaves_what_has_no_spread_and_no_scale():
    images = np.full((2, 5, 4, 2), 0.5, "float32")
    loss = FeatureMatchingLoss(classifier(), "dense")
    loss.calibrate(images)
    assert not ops.convert_to_numpy(loss.log_std("dense")).any()
    fixed = FeatureMatchingLoss(classifier(), "dense", scale="fixed")
    fixed.calibrate(X)
    assert not fixed.trainable_variables
    floored = FeatureMatchingLoss(classifier(), "dense", min_log_std=0.0)
    floored.calibrate(X)
    assert ops.convert_to_numpy(floored.log_std("dense")).min() >= 0
    with pytest.raises(ValueError, match="`images` must hold at least two images. Received: 1"):
        loss.calibrate(X[:1])
