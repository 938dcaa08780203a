"""Discriminative regularisation: the objective against NumPy, and what each of its terms trains."""

import keras
import numpy as np
import pytest
import scipy.special
from keras import layers, ops
from tabled_random import noise_table
from tiny_networks import IMAGE_SHAPE, IMAGES, dense, flat_networks, frozen_classifier
from tiny_training import assign_by_hand, fit, numbers

from keras_disentangle.callbacks import RampWeight
from keras_disentangle.layers import FeatureNetwork
from keras_disentangle.losses import FeatureMatchingLoss
from keras_disentangle.models import DiscriminativeVAE

# A few steps each; the compiled ones of every model are those of the shared table.
pytestmark = pytest.mark.compiled(False)

NAMES = ("norm", "hidden")
RNG = np.random.default_rng(0)


def make_loss(layer_weights=(2.0, 0.5), **arguments):
    return FeatureMatchingLoss(
        frozen_classifier(), list(NAMES), layer_weights=list(layer_weights), **arguments
    )


def make_model(feature_loss=None, observation="gaussian", **arguments):
    """Networks of a dense layer each."""
    keras.utils.set_random_seed(0)
    activation = "sigmoid" if observation == "gaussian" else None
    networks = {
        "encoder": dense(IMAGE_SHAPE, 6, None),
        "decoder": dense((3,), 64, activation, reshape=IMAGE_SHAPE),
        "feature_loss": make_loss() if feature_loss is None else feature_loss,
    }
    model = DiscriminativeVAE(**{**networks, "observation": observation, "seed": 1, **arguments})
    assign_by_hand(model)
    return model


def log_stds(model):
    """The variables: that of the pixels, if there is one, and that of each layer."""
    return [v for v in model.trainable_variables if v.name.startswith("log_std")]


def draw_log_stds(model):
    rng = np.random.default_rng(3)
    for variable in log_stds(model):
        variable.assign(rng.uniform(-0.7, 0.7, variable.shape))
    return model


def sgd(learning_rate):
    return {"optimizer": keras.optimizers.SGD(learning_rate)}


def assert_all_equal(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


# The objective in NumPy


def float64(variables):
    return [x.astype("float64") for x in numbers(variables)]


def dense_layer(network):
    return next(layer for layer in network.layers if isinstance(layer, layers.Dense))


def apply(network, x):
    """The dense layer of a network, without its activation."""
    layer = dense_layer(network)
    kernel, bias = float64([layer.kernel, layer.bias])
    return x.reshape(len(x), -1) @ kernel + bias


def features_by_hand(images, classifier):
    kernel, bias = float64(classifier.get_layer("conv").weights)
    gamma, beta, mean, variance = float64(classifier.get_layer("norm").weights)
    dense_kernel, dense_bias = float64(classifier.get_layer("hidden").weights)
    windows = images.reshape(len(images), 4, 2, 4, 2, 1)
    conv = np.einsum("nhiwjc,ijco->nhwo", windows, kernel) + bias
    norm = gamma * (conv - mean) / np.sqrt(variance + 1e-3) + beta
    hidden = np.tanh(np.tanh(norm).reshape(len(images), -1) @ dense_kernel + dense_bias)
    return {"norm": norm, "hidden": hidden}


def gaussian_nll(x, mean, log_std):
    """Mean over the batch of the sum over all units of equation 5."""
    terms = 0.5 * np.log(2 * np.pi) + log_std + 0.5 * ((x - mean) / np.exp(log_std)) ** 2
    return terms.reshape(len(x), -1).sum(1).mean()


def by_hand(model, beta, weights):
    """Equations 4 and 5 at the tabled noise, term by term."""
    x = IMAGES.astype("float64")
    mean, log_var = np.split(apply(model.encoder, x), 2, axis=1)
    z = mean + np.exp(log_var / 2) * noise_table(3)[: len(x)]
    y = apply(model.decoder, z).reshape(x.shape)
    image = scipy.special.expit(y)
    terms = {"kl": 0.5 * (mean**2 + np.exp(log_var) - log_var - 1).sum(1).mean(), "beta": beta}
    if not model.observation.in_unit_interval:
        (log_std,) = float64([model.log_std])
        terms |= {"reconstruction": gaussian_nll(x, image, log_std), "log_std": log_std.mean()}
    else:
        nll = np.logaddexp(0, y) - x * y
        terms["reconstruction"] = nll.reshape(len(x), -1).sum(1).mean()
    classifier = model.feature_loss.feature_model.network
    of_x, of_image = (features_by_hand(images, classifier) for images in (x, image))
    terms["loss"] = terms["reconstruction"] + beta * terms["kl"]
    for name, weight in zip(NAMES, weights, strict=True):
        (log_std,) = float64([model.feature_loss.log_std(name)])
        terms[f"features_{name}"] = gaussian_nll(of_x[name], of_image[name], log_std)
        terms[f"feature_weight_{name}"] = weight
        terms["loss"] += weight * terms[f"features_{name}"]
        if model.feature_loss.scale != "fixed":
            terms[f"log_std_{name}"] = log_std.mean()
    return terms


@pytest.mark.parametrize(
    "arguments, scale",
    [
        ({}, {}),
        ({"pixel_scale": "channel", "encoder_gradient": False}, {"scale": "channel"}),
        ({"min_log_std": None, "pixel_scale": "scalar"}, {"scale": "fixed"}),
        ({"observation": "bernoulli"}, {}),
        ({"observation": "bernoulli", "encoder_gradient": False}, {"scale": "fixed"}),
    ],
)
def test_the_objective_by_hand(tabled_noise, arguments, scale):
    model = draw_log_stds(make_model(make_loss(**scale), beta=3.0, **arguments))
    expected = by_hand(model, 3.0, (2.0, 0.5))
    model.ramps["feature_weight_norm"].set(2.0, 4.0, 0, 2)
    history = fit(model, compile_with=sgd(1e-9))
    assert set(history) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(history[name][0], value, rtol=1e-5, atol=1e-6, err_msg=name)
    assert history["feature_weight_norm"] == [2.0, 3.0]
    gain = history["loss"][1] - history["loss"][0]
    np.testing.assert_allclose(gain, expected["features_norm"], rtol=1e-3)


def test_scales_follow_their_gradient(tabled_noise):
    """One step of gradient descent: of each log sigma, the weight times 1 - squared error."""
    model = draw_log_stds(make_model())
    before = numbers(log_stds(model))
    x = IMAGES.astype("float64")
    mean, log_var = np.split(apply(model.encoder, x), 2, axis=1)
    z = mean + np.exp(log_var / 2) * noise_table(3)[: len(x)]
    image = scipy.special.expit(apply(model.decoder, z).reshape(x.shape))
    classifier = model.feature_loss.feature_model.network
    of_x, of_image = (features_by_hand(images, classifier) for images in (x, image))
    errors = [x - image, *(of_x[name] - of_image[name] for name in NAMES)]
    fit(model, epochs=1, compile_with=sgd(0.5))
    steps = zip((1.0, 2.0, 0.5), errors, before, numbers(log_stds(model)), strict=True)
    for weight, error, old, new in steps:
        gradient = weight * (1 - (error / np.exp(old)) ** 2).mean(0)
        np.testing.assert_allclose(new, old - 0.5 * gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder_gradient", [True, False])
def test_gradients_of_the_networks(tabled_noise, encoder_gradient):
    """One step of gradient descent, against differences of the formula."""
    model = draw_log_stds(make_model(encoder_gradient=encoder_gradient))
    variables = [dense_layer(network).bias for network in (model.encoder, model.decoder)]

    def derivative(variable, index, weights):
        """Of the objective with these weights of the features."""
        old = ops.convert_to_numpy(variable)
        values = []
        for step in (1e-2, -1e-2):
            new = old.copy()
            new[index] += step
            variable.assign(new)
            values.append(by_hand(model, 1.0, weights)["loss"])
        variable.assign(old)
        return (values[0] - values[1]) / 2e-2

    places = [(variables[0], 1), (variables[0], 4), (variables[1], 3), (variables[1], 50)]
    expected = []
    for variable, index in places:
        elbo_alone = variable is variables[0] and not encoder_gradient
        expected.append(derivative(variable, index, (0, 0) if elbo_alone else (2.0, 0.5)))
    with_features = [derivative(variables[0], index, (2.0, 0.5)) for index in (1, 4)]
    assert np.allclose(with_features, expected[:2], rtol=1e-2) == encoder_gradient
    before = numbers([variable for variable, _ in places])
    fit(model, epochs=1, compile_with=sgd(1e-2))
    after = numbers([variable for variable, _ in places])
    found = [(a - b)[i] / 1e-2 for a, b, (_, i) in zip(before, after, places, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-3)


# What is trained


def test_the_gradient_of_the_encoder(tabled_noise):
    """The weights of encoder and decoder after a step, by the weight of the features in it."""
    after = {}
    for encoder_gradient in (True, False):
        model = make_model(encoder_gradient=encoder_gradient)
        model.compile(**sgd(1e-4))
        initial = model.get_weights()
        for weight in (0.0, 1000.0):
            model.set_weights(initial)
            for name in NAMES:
                model.ramps[f"feature_weight_{name}"].set(weight, weight, 0, 0)
            fit(model, epochs=1, compile_with=False)
            after[encoder_gradient, weight] = [
                numbers(network.weights) for network in (model.encoder, model.decoder)
            ]
    # Not a trace of the features in the encoder.
    assert_all_equal(after[False, 0.0][0], after[False, 1000.0][0])
    for encoder_gradient, i in ((True, 0), (True, 1), (False, 1)):
        pair = (after[encoder_gradient, weight][i] for weight in (0.0, 1000.0))
        for a, b in zip(*pair, strict=True):
            assert (a != b).any()
    # The decoder gets the same either way, and the encoder all else.
    for i, weight in ((1, 1000.0), (0, 0.0)):
        for a, b in zip(after[True, weight][i], after[False, weight][i], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_classifier_stays_as_it_is():
    classifier = frozen_classifier()
    model = make_model(FeatureMatchingLoss(classifier, list(NAMES)))
    before = numbers(classifier.variables)
    mine = {id(v) for v in model.trainable_variables}
    fit(model)
    model.trainable = False
    assert not model.trainable_variables
    model.trainable = True
    assert {id(v) for v in model.trainable_variables} == mine
    fit(model)
    assert not {id(v) for v in classifier.variables} & mine and len(mine) == 4 + 3
    # Its statistics too, and the seed of its dropout.
    assert_all_equal(numbers(classifier.variables), before)


@pytest.mark.parametrize("encoder_gradient", [True, False])
def test_the_classifier_sees_each_image_once_a_step(encoder_gradient, monkeypatch):
    calls = {"activations": 0, "features": 0}

    def count(owner, name):
        original = getattr(owner, name)

        def counted(self, images):
            calls[name] += 1
            return original(self, images)

        monkeypatch.setattr(owner, name, counted)

    count(FeatureNetwork, "activations")
    count(FeatureMatchingLoss, "features")
    model = make_model(encoder_gradient=encoder_gradient)
    train_step, steps = model.train_step, []

    def counted_step(*arguments):
        before = dict(calls)
        logs = train_step(*arguments)
        steps.append({name: calls[name] - before[name] for name in calls})
        return logs

    # Each is one step, or what a backend compiles of one.
    model.train_step = counted_step
    fit(model, epochs=2, batch_size=8)
    # Of the two, the images are one and their reconstruction the other.
    assert 1 <= len(steps) <= 4 and steps == [{"activations": 2, "features": 1}] * len(steps)


def test_training_in_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make_model()
        history = fit(model, epochs=3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isfinite(values).all() for values in history.values())
    assert keras.backend.standardize_dtype(model.feature_loss.log_std("norm").dtype) == "float32"


# Ramps and scales


def test_ramps():
    model = make_model()
    names = [f"feature_weight_{name}" for name in NAMES]
    assert [float(model.ramps[name](0)) for name in names] == [2.0, 0.5]
    moving = RampWeight("feature_weight_hidden", 1.5, 4)
    history = fit(model, epochs=6, callbacks=[moving], validation_data=(IMAGES,))
    np.testing.assert_allclose(history[names[1]], [0.5, 0.75, 1.0, 1.25, 1.5, 1.5])
    assert history[names[0]] == [2.0] * 6 and "val_features_norm" in history
    total = np.array(history["reconstruction"]) + history["kl"]
    for name in NAMES:
        total += np.multiply(history[f"feature_weight_{name}"], history[f"features_{name}"])
    np.testing.assert_allclose(history["loss"], total, rtol=1e-5)
    with pytest.raises(
        ValueError,
        match=r"ramps, \['beta', 'feature_weight_hidden', 'feature_weight_norm'\]. Received.*_no'",
    ):
        fit(model, callbacks=[RampWeight("feature_weight_no", 1.0, 1)])


def test_a_scale_that_runs_away_ends_the_training(tmp_path):
    model = make_model()
    fit(model)
    (hidden,) = (v for v in model.trainable_variables if v.name == "log_std_hidden")
    hidden.assign([0.0, 100.0, 0.0, 0.0])
    path = tmp_path / "model.weights.h5"
    write = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    with pytest.raises(
        ValueError, match="log sigma must be finite.* Received: {'hidden': '.*100.0"
    ):
        fit(model, epochs=3, callbacks=[write], compile_with=sgd(1e-6))
    # At the end of the first epoch, before anything is written.
    assert int(model.step) == 3 and not path.exists()
    hidden.assign([0.0, np.nan, 0.0, 0.0])
    with pytest.raises(ValueError, match="infinity in `features_hidden` at training step 3"):
        fit(model, compile_with=False)

    # Too large a step.
    model = make_model()
    (norm,) = (v for v in model.trainable_variables if v.name == "log_std_norm")
    norm.assign(np.full(norm.shape, -3.0))
    with pytest.raises(ValueError, match="log sigma must be finite.* Received: {'norm': "):
        fit(model, epochs=1, compile_with=sgd(50.0))


# Saving


def test_saved_and_loaded(tmp_path, tabled_noise):
    model = draw_log_stds(
        make_model(
            make_loss(scale="channel", min_log_std=-2.0),
            encoder_gradient=False,
            pixel_scale="channel",
            min_log_std=-1.5,
        )
    )
    model.ramps["feature_weight_norm"].set(2.0, 3.0, 1, 8)
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for name in ("encoder_gradient", "pixel_scale", "min_log_std", "observation"):
        assert loaded.get_config()[name] == model.get_config()[name], name
    assert not loaded.encoder_gradient and loaded.min_log_std == -1.5
    assert loaded.feature_loss.scale == "channel" and loaded.feature_loss.min_log_std == -2.0
    assert not loaded.feature_loss.feature_model.network.trainable_variables
    paths, again = ([v.name for v in m.trainable_variables] for m in (model, loaded))
    assert paths == again
    shapes = [tuple(v.shape) for v in log_stds(loaded)]
    assert shapes == [(1,), (3,), (4,)]
    assert_all_equal(*(numbers(log_stds(m)) for m in (model, loaded)))
    for step in (0, 1, 3, 9, 20):
        assert float(loaded.ramps["feature_weight_norm"](step)) == float(
            model.ramps["feature_weight_norm"](step)
        )
    assert_all_equal(*(numbers([m.reconstruct(IMAGES)]) for m in (model, loaded)))
    first, second = (m.evaluate(IMAGES, return_dict=True, verbose=0) for m in (model, loaded))
    assert first == second and first["feature_weight_norm"] == 2.125


# Errors


def with_trainable_classifier():
    classifier = frozen_classifier()
    classifier.trainable = True
    return FeatureMatchingLoss(classifier, "norm")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: make_model(frozen_classifier()), "`feature_loss` must be a `FeatureMatchingLoss`"),
        (lambda: make_model("norm"), "`feature_loss` must be .* Received: feature_loss=norm"),
        (lambda: make_model(with_trainable_classifier()), "`network` must be frozen"),
        (
            lambda: make_model(FeatureMatchingLoss(frozen_classifier((8, 6, 1)), "norm")),
            r"`images` must be \(8, 6\) when they enter `network`.*images.shape=\(None, 8, 8, 1\)",
        ),
        (
            lambda: make_model(FeatureMatchingLoss(frozen_classifier((8, 8, 3)), "norm")),
            r"`images` must have 3 channels.*images.shape=\(None, 8, 8, 1\)",
        ),
        (lambda: make_model(pixel_scale="pixel"), "`pixel_scale` must be one of .*'pixel'"),
        (lambda: make_model(min_log_std=1), "`min_log_std` must be .*min_log_std=1"),
        (lambda: make_model(beta=-1), "`beta` must be .* Received: beta=-1"),
        (lambda: make_model(encoder=dense(IMAGE_SHAPE, 7)), "`encoder` must give mean and log var"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def made_trainable_later():
    classifier = frozen_classifier()
    loss = FeatureMatchingLoss(classifier, "norm")
    classifier.trainable = True
    return loss


def built_for(shape, scale):
    any_size = keras.Sequential(
        [keras.Input((None, None, 1)), keras.layers.Conv2D(2, 3, name="norm")]
    )
    any_size.trainable = False
    loss = FeatureMatchingLoss(any_size if scale else frozen_classifier(shape), "norm")
    loss.build((None, *shape))
    return loss


@pytest.mark.parametrize(
    "make, message",
    [
        (made_trainable_later, "`network` must be frozen"),
        (lambda: built_for((6, 6, 1), False), r"`images` must be \(6, 6\) when they enter"),
        (lambda: built_for((6, 6, 1), True), "size that the loss was built for"),
    ],
)
def test_a_loss_that_was_made_before_is_looked_at(make, message):
    with pytest.raises(ValueError, match=message):
        make_model(make())


@pytest.mark.parametrize("images", [255 * IMAGES, IMAGES - 0.5])
def test_images_in_the_wrong_range(images):
    decoder = flat_networks(3)["decoder"]
    decoder.add(keras.layers.Activation("sigmoid"))
    loss = FeatureMatchingLoss(frozen_classifier(), "norm")
    model = DiscriminativeVAE(flat_networks(3)["encoder"], decoder, loss)
    model.compile("adam")
    with pytest.raises(ValueError, match=r"`x` must lie in \[0, 1\] for the decoder's sigmoid"):
        model.fit(images, verbose=0)
    linear = DiscriminativeVAE(**flat_networks(3), feature_loss=loss)
    linear.compile("adam")
    linear.fit(images, verbose=0)
