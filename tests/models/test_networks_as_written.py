"""Networks as people write them: two outputs, own classes, activations behind other layers."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from tiny_networks import IMAGE_SHAPE, IMAGES, dense, flat_networks, player_networks
from tiny_training import fit, numbers

from keras_disentangle._keras_graph import changed_by_calls
from keras_disentangle.latents import LatentSpace, Normal
from keras_disentangle.layers import LatentDirections, QHead
from keras_disentangle.models import (
    GAN,
    VAE,
    DirectionDiscovery,
    InfoGAN,
    LadderVAE,
    ShiftPrediction,
)
from keras_disentangle.models._networks import output_activation
from keras_disentangle.trainers.optimizer_group import serialize_optimizer

CODES = keras.Input((3,))
PIXELS = layers.Reshape(IMAGE_SHAPE)


def tanh_image(**arguments):
    return layers.Conv2D(1, 3, padding="same", activation="tanh", **arguments)


def image_of(last):
    """A generator (batch, 3) to 8 × 8 pixels, which ends in the function of a feature map."""
    return keras.Model(CODES, last(PIXELS(layers.Dense(64)(CODES))))


ENDS = {
    "operation": (lambda x: ops.tanh(x), "tanh"),
    "reshaped": (lambda x: ops.reshape(ops.tanh(x), (-1, 8, 8, 1)), "tanh"),
    "wrapped": (lambda x: layers.SpectralNormalization(tanh_image())(x), "tanh"),
    "enlarged": (lambda x: layers.UpSampling2D()(tanh_image(strides=2)(x)), "tanh"),
    "enlarged smoothly": (lambda x: layers.UpSampling2D(interpolation="bicubic")(x), None),
    "float32": (lambda x: layers.Activation("linear", dtype="float32")(tanh_image()(x)), "tanh"),
    "pooled": (lambda x: layers.AveragePooling2D(2)(ops.sigmoid(x)), "sigmoid"),
    "cut": (lambda x: ops.sigmoid(x)[:, 1:], "sigmoid"),
    "scaled": (lambda x: 2 * ops.sigmoid(x) - 1, None),
    "unbounded": (lambda x: layers.Conv2D(1, 3)(x), "linear"),
    "nested": (lambda x: keras.Sequential([tanh_image(), layers.Cropping2D(1)])(x), "tanh"),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_last_activation_is_found(end):
    last, activation = ENDS[end]
    assert output_activation(image_of(last)) == activation


@keras.saving.register_keras_serializable("tests")
class OwnGenerator(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.pixels = layers.Dense(64), layers.Reshape(IMAGE_SHAPE)

    def call(self, z):
        return ops.tanh(self.pixels(self.dense(z)))


@keras.saving.register_keras_serializable("tests")
class OwnEncoder(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flat, self.mean, self.log_var = layers.Flatten(), layers.Dense(2), layers.Dense(2)

    def call(self, x):
        h = self.flat(x)
        return self.mean(h), self.log_var(h)


@keras.saving.register_keras_serializable("tests")
class OwnPair(keras.Model):
    """Two outputs of an image: a discriminator's logits and features, or [logits, step]."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flat, self.first, self.second = layers.Flatten(), layers.Dense(1), layers.Dense(1)

    def call(self, x):
        x = self.flat(x)
        return [self.first(x), self.second(x)]


def discriminator():
    return player_networks(3)["discriminator"]


def built(network, *shape):
    network(np.zeros((1, *shape), "float32"))
    return network


def test_a_range_that_only_images_tell():
    with pytest.warns(UserWarning, match=r"inferred from images of `generator` to be \(-1, 1\)"):
        model = GAN(built(OwnGenerator(), 3), discriminator())
    assert model.image_range == (-1.0, 1.0)
    with pytest.warns(UserWarning, match="`image_range` cannot be inferred"):
        model = GAN(image_of(lambda x: 3 * ops.sigmoid(x)), discriminator())
    assert model.image_range is None


def test_no_word_where_the_range_is_known_or_given(recwarn):
    assert GAN(image_of(lambda x: tanh_image()(x)), discriminator()).image_range == (-1.0, 1.0)
    assert GAN(image_of(layers.Conv2D(1, 1)), discriminator()).image_range is None
    assert GAN(built(OwnGenerator(), 3), discriminator(), image_range=None).image_range is None
    assert not [w for w in recwarn if "image_range" in str(w.message)]


def test_players_and_reconstructors_of_own_classes(tmp_path):
    generator, frozen = built(OwnGenerator(), 3), built(OwnGenerator(), 3)
    frozen.trainable = False
    players = generator, built(OwnPair(), *IMAGE_SHAPE)
    space = LatentSpace([Normal(3, informative=True)])
    arguments = {"seed": 0, "image_range": (-1, 1)}
    models = (
        GAN(*players, ema_decay=0.5, **arguments),
        InfoGAN(*players, QHead(space), space, **arguments),
        ShiftPrediction(
            frozen, built(OwnPair(), 8, 8, 2), LatentDirections(3, 1), space, **arguments
        ),
    )
    for model in models:
        fit(model, epochs=1, compile_with={"run_eagerly": True})
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        for a, b in zip(numbers(model.weights), numbers(loaded.weights), strict=True):
            np.testing.assert_array_equal(a, b)


def two_outputs(d=2):
    image = keras.Input(IMAGE_SHAPE)
    h = layers.Flatten()(image)
    return keras.Model(image, [layers.Dense(d)(h), layers.Dense(d)(h)])


@pytest.mark.parametrize("encoder", [two_outputs, lambda: built(OwnEncoder(), *IMAGE_SHAPE)])
def test_an_encoder_with_two_outputs(encoder, tmp_path):
    encoder = encoder()
    model = VAE(encoder, flat_networks(2)["decoder"], seed=0)
    model.compile("sgd")
    model.fit(IMAGES, batch_size=16, verbose=0)
    mean, log_var = encoder(IMAGES)
    found = [ops.convert_to_numpy(part) for part in model.encode(IMAGES)]
    for part, given in zip(found, (mean, log_var), strict=True):
        np.testing.assert_allclose(part, ops.convert_to_numpy(given), rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        ops.convert_to_numpy(loaded.encode(IMAGES)[0]),
        ops.convert_to_numpy(model.encode(IMAGES)[0]),
    )


def test_a_ladder_with_posteriors_of_two_outputs():
    model = LadderVAE(
        [dense(IMAGE_SHAPE, 4), dense((4,), 3)],
        [
            keras.Model(h := keras.Input((n,)), [layers.Dense(2)(h), layers.Dense(2)(h)])
            for n in (4, 3)
        ],
        [dense((2,), 4), dense((2,), 3)],
        [dense((3 + 4,), 64, None, reshape=IMAGE_SHAPE), dense((3,), 3)],
    )
    assert model.rung_sizes == (2, 2)
    assert model.encode(IMAGES)[0].shape == (16, 4)


def three_outputs():
    encoder = two_outputs()
    return keras.Model(encoder.inputs, [*encoder.outputs, encoder.outputs[0]])


def named():
    encoder = two_outputs()
    mean, log_var = encoder.outputs
    return keras.Model(encoder.inputs, {"mean": mean, "log_var": log_var})


def conditional():
    image, label = keras.Input(IMAGE_SHAPE), keras.Input((10,))
    h = layers.Concatenate()([layers.Flatten()(image), label])
    return keras.Model([image, label], layers.Dense(4)(h))


def shared():
    layer = layers.Dense(2)
    image, code = keras.Input(IMAGE_SHAPE), keras.Input((2,))
    encoder = layers.Dense(4)(layer(layers.Dense(2)(layers.Flatten()(image))))
    decoder = layers.Reshape(IMAGE_SHAPE)(layers.Dense(64)(layer(code)))
    return VAE(keras.Model(image, encoder), keras.Model(code, decoder))


def vae(encoder=None, end=None, **arguments):
    decoder = dense((2,), 64, end, reshape=IMAGE_SHAPE)
    return VAE(encoder or flat_networks(2)["encoder"], decoder, **arguments)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: vae(OwnEncoder()), "`encoder` must be a built Keras model, .* call it once on"),
        (lambda: vae(named()), "`encoder` must have one output, or a list of them. .*'log_var': "),
        (lambda: vae(three_outputs()), "the model itself draws the samples"),
        (lambda: vae(conditional()), "`encoder` must have one input, a second one for labels only"),
        (lambda: vae(end="sigmoid"), "`decoder` must give logits .* ends in sigmoid"),
        (lambda: vae(end="tanh"), "`decoder` must give logits .* ends in tanh"),
        (shared, "must not share layers: .* in `encoder` and `decoder`"),
        (
            lambda: GAN(player_networks(3)["generator"], dense(IMAGE_SHAPE, 1, "sigmoid")),
            "`discriminator` must give logits.* ends in sigmoid",
        ),
    ],
)
def test_what_cannot_be_taken(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_gaussian_decoder_may_end_in_a_sigmoid():
    vae(end="sigmoid", observation="gaussian")


def test_optimizers_are_saved_for_every_backend():
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3))
    assert "torch" not in str(serialize_optimizer(optimizer))
    again = keras.optimizers.deserialize(serialize_optimizer(optimizer))
    assert again.inner_optimizer.get_config() == optimizer.inner_optimizer.get_config()


def test_models_are_not_kept_in_hdf5(tmp_path):
    for model in (vae(), GAN(**player_networks(3))):
        with pytest.raises(ValueError, match="`filepath` must end in .keras"):
            model.save(tmp_path / "model.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="SavedModel is TensorFlow's")
def test_whole_models_are_exported(tmp_path):
    import tensorflow as tf

    codes = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    model = GAN(**player_networks(3))
    model.export(tmp_path / "gan", verbose=0)
    loaded = tf.saved_model.load(tmp_path / "gan")
    served = loaded.serve(codes)
    np.testing.assert_allclose(served, model.decode(codes), rtol=1e-5)
    vae().export(tmp_path / "vae", verbose=0)
    loaded = tf.saved_model.load(tmp_path / "vae")
    outputs = loaded.serve(IMAGES)
    assert outputs["reconstruction"].shape == IMAGES.shape


def hidden(activation):
    return dense((2,), 64, None), layers.Lambda(activation), layers.Reshape(IMAGE_SHAPE)


def test_a_bounded_decoder_that_only_images_tell():
    decoder = keras.Sequential([keras.Input((2,)), *hidden(ops.sigmoid)])
    with pytest.warns(UserWarning, match="`decoder` must give logits .* bounded, by \\(0.0, 1.0"):
        VAE(flat_networks(2)["encoder"], decoder)


class Noise(layers.Layer):
    """Draws at inference too, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x + 1e-3 * keras.random.normal(ops.shape(x), seed=self.seeds)


def test_the_look_at_images_moves_nothing():
    dense_layer, *end = hidden(ops.tanh)
    generator = keras.Sequential([keras.Input((2,)), dense_layer, noise := Noise(), *end])
    state, calls = (ops.convert_to_numpy(v).copy() for v in (noise.seeds.state, noise.calls))
    with pytest.warns(UserWarning, match="inferred from images"):
        GAN(generator, player_networks(2)["discriminator"])
    np.testing.assert_array_equal(noise.seeds.state, state)
    np.testing.assert_array_equal(noise.calls, calls)


def test_a_trial_copies_what_calls_may_change():
    model = GAN(**player_networks(3, batch_normalization=True), ema_decay=0.9)
    model.discriminator.trainable = False
    names = {variable.path for variable in changed_by_calls(model)}
    assert sum("moving_" in name for name in names) == 6  # also of the running mean
    assert any("seed_generator" in name for name in names) and model.step.path in names
    assert not any(name.endswith(("kernel", "bias", "gamma", "beta")) for name in names)


def test_the_range_of_a_frozen_generator_that_only_images_tell():
    generator = keras.Sequential([keras.Input((2,)), *hidden(ops.tanh)])
    generator.trainable = False
    with pytest.warns(UserWarning, match="inferred from images"):
        assert DirectionDiscovery(generator).image_range == (-1.0, 1.0)


def test_weights_that_are_not_finite_are_not_loaded(tmp_path):
    model, other = vae(), vae()
    model.decoder.layers[-2].bias.assign(np.full(64, np.nan))
    model.save_weights(tmp_path / "a.weights.h5")
    before = other.get_weights()
    with pytest.raises(ValueError, match="a.weights.h5"):
        other.load_weights(tmp_path / "a.weights.h5")
    for now, then in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
