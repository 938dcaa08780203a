"""What a frozen network makes of images, wherever the network comes from."""

import functools
import re
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_disentangle._extras import install
from keras_disentangle.layers import FeatureNetwork

RNG = np.random.default_rng(0)
IMAGES = RNG.random((3, 8, 6, 3), dtype="float32")
VGG_LAYERS = ["block1_conv2", "block2_conv1", "block2_conv2"]


def numbers(tensors):
    return [keras.ops.convert_to_numpy(x) for x in tensors]


class Counted(layers.Layer):
    """Gives what it is given and counts its calls."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = 0

    def call(self, x):
        self.calls += 1
        return x


def classifier(shape=(8, 6, 3), frozen=True, policy=None):
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(4, 3, name="conv", dtype=policy),
            layers.BatchNormalization(name="norm", dtype=policy),
            layers.ReLU(name="relu", dtype=policy),
            layers.Dropout(0.5, name="dropout", dtype=policy),
            layers.GlobalAveragePooling2D(name="mean", dtype=policy),
            Counted(name="counted"),
            layers.Dense(2, name="dense"),
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
    model.trainable = not frozen
    return model


def by_hand(images, model):
    """ "norm" and "mean" of the classifier, in float64."""
    kernel, bias = model.get_layer("conv").get_weights()
    gamma, beta, mean, variance = model.get_layer("norm").get_weights()
    windows = np.lib.stride_tricks.sliding_window_view(images.astype(float), (3, 3), (1, 2))
    conv = np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias
    norm = gamma * (conv - mean) / np.sqrt(variance + 1e-3) + beta
    return [norm, np.maximum(norm, 0).mean(axis=(1, 2))]


@pytest.mark.parametrize("as_objects", [False, True])
def test_features_by_hand(as_objects):
    model = classifier()
    chosen = ["norm", "mean"]
    network = FeatureNetwork(model, [model.get_layer(x) for x in chosen] if as_objects else chosen)
    assert network.layer_names == ("norm", "mean")
    found = network(IMAGES)
    assert [keras.backend.standardize_dtype(x.dtype) for x in found] == ["float32"] * 2
    for a, b in zip(numbers(found), by_hand(IMAGES, model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert network.compute_output_shape((5, 8, 6, 3)) == [(5, 6, 4, 4), (5, 4)]
    by_name = network.activations(IMAGES)
    assert tuple(by_name) == network.layer_names
    np.testing.assert_array_equal(*numbers([found[1], by_name["mean"]]))


def test_nothing_beyond_the_deepest_is_computed_or_kept():
    model = classifier()
    counted = model.get_layer("counted")
    before = counted.calls
    network = FeatureNetwork(model, "norm")
    network(IMAGES)
    assert counted.calls == before and len(network.weights) == 2 + 4
    FeatureNetwork(model, ["dense", "norm"])(IMAGES)
    assert counted.calls > before


def test_levels_of_a_pyramid_and_named_outputs():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(2, 3, strides=2, padding="same", name="down_1")(inputs)
    y = layers.Conv2D(2, 3, strides=2, padding="same", name="down_2")(x)
    model = keras.Model(inputs, {"coarse": y, "fine": x})
    model.trainable = False
    images = RNG.random((2, 8, 8, 3), dtype="float32")
    expected = numbers(FeatureNetwork(model, ["down_2", "down_1"])(images))

    def check(network, names):
        found = FeatureNetwork(network, names)
        assert found.layer_names == tuple(names)
        for a, b in zip(numbers(found(images)), expected, strict=True):
            np.testing.assert_array_equal(a, b)
        # What is saved has no backbone's pyramid any more.
        loaded = FeatureNetwork.from_config(found.get_config())
        assert loaded.layer_names == tuple(names)

    check(model, ["coarse", "fine"])
    # As KerasCV has them, and as KerasHub.
    model.pyramid_level_inputs = {"P1": "down_1", "P2": "down_2"}
    check(model, ["P2", "P1"])
    other = keras.Model(inputs, y)
    other.pyramid_outputs = {"P1": x, "P2": y}
    check(other, ["P2", "P1"])


def test_operations_without_a_layer():
    inputs = keras.Input((4, 4, 1))
    doubled = keras.ops.add(inputs, inputs)
    model = keras.Model(inputs, layers.Flatten()(doubled))
    name = doubled._keras_history.operation.name
    (found,) = FeatureNetwork(model, name)(IMAGES[:, :4, :4, :1])
    np.testing.assert_allclose(*numbers([found, 2 * IMAGES[:, :4, :4, :1]]), rtol=1e-6)


# Preprocessing


def identity(shape=(None, None, 3)):
    return keras.Sequential([keras.Input(shape), layers.Identity(name="same")])


def prepared(preprocessing, images=IMAGES, shape=(None, None, 3), **arguments):
    (found,) = FeatureNetwork(identity(shape), "same", preprocessing, **arguments)(images)
    return keras.ops.convert_to_numpy(found)


@pytest.mark.parametrize(
    "preprocessing, module",
    [
        ("caffe", keras.applications.vgg16),
        ("tf", keras.applications.inception_v3),
        ("torch", keras.applications.densenet),
        ("rescale", keras.applications.efficientnet),
    ],
)
def test_preprocessing_is_that_of_keras(preprocessing, module):
    expected = module.preprocess_input(255 * IMAGES)
    np.testing.assert_allclose(prepared(preprocessing), expected, rtol=1e-5, atol=1e-4)


def test_preprocessing_of_ones_own():
    np.testing.assert_array_equal(prepared(None), IMAGES)
    # What is known of neither is not checked either.
    np.testing.assert_array_equal(prepared(None, 255 * IMAGES), 255 * IMAGES)
    rescaling = layers.Rescaling(2.0, offset=[0.0, 1.0, 2.0])
    np.testing.assert_allclose(prepared(rescaling), 2 * IMAGES + [0, 1, 2], rtol=1e-6)
    # Noise is for training.
    np.testing.assert_array_equal(prepared(layers.GaussianNoise(1.0)), IMAGES)
    smaller = prepared(layers.Resizing(4, 3), shape=(4, 3, 3))
    assert smaller.shape == (3, 4, 3, 3)


@pytest.mark.parametrize("size", [(4, 5), (16, 6), 11])
def test_images_are_resized(size):
    sides = (size, size) if isinstance(size, int) else size
    found = prepared(None, shape=(*sides, 3), image_size=size)
    expected = keras.ops.image.resize(IMAGES, sides, "bilinear", antialias=True)
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(expected), atol=1e-5)


def test_grey_images_are_repeated_where_that_is_wished():
    grey = IMAGES[..., :1]
    np.testing.assert_array_equal(prepared(None, grey, repeat_grey=True), grey.repeat(3, -1))
    np.testing.assert_array_equal(prepared(None, grey, (8, 6, 1), repeat_grey=True), grey)
    np.testing.assert_array_equal(prepared(None, IMAGES, repeat_grey=True), IMAGES)
    with pytest.raises(ValueError, match=r"3 channels.*repeat_grey=True.*\(3, 8, 6, 1\)"):
        prepared(None, grey)


def test_features_are_float32():
    network = FeatureNetwork(classifier(policy="mixed_bfloat16"), ["norm", "mean"])
    expected = FeatureNetwork(classifier(), ["norm", "mean"])(IMAGES)
    for a, b in zip(network(IMAGES), expected, strict=True):
        assert keras.backend.standardize_dtype(a.dtype) == "float32"
        np.testing.assert_allclose(*numbers([a, b]), rtol=0.1, atol=0.1)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = FeatureNetwork(identity(), "same", "caffe")
        (found,) = network(IMAGES)
        assert keras.backend.standardize_dtype(found.dtype) == network.compute_dtype == "float32"
    finally:
        keras.config.set_dtype_policy(policy)


# Frozen


class Mixer(keras.Model):
    """Trains a convolution to change the features of images."""

    def __init__(self, network):
        super().__init__()
        self.conv = layers.Conv2D(3, 1)
        self.network = network

    def call(self, images):
        return keras.ops.sum(self.network.activations(self.conv(images))["mean"], axis=-1)


def test_nothing_in_it_is_trained():
    model = classifier()
    before = numbers(model.variables)
    network = FeatureNetwork(model, ["norm", "mean"])
    features = numbers(network(IMAGES))
    mixer = Mixer(network)
    mixer.trainable = False
    mixer.trainable = True
    mixer.compile(keras.optimizers.Adam(0.1), "mse")
    mixer.fit(IMAGES, np.ones((3, 1), "float32"), epochs=3, verbose=0)
    assert len(mixer.trainable_variables) == 2 and not network.trainable
    # Weights, statistics and the seed of the dropout.
    for a, b in zip(numbers(model.variables), before, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(numbers(network(IMAGES)), features, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_network_that_is_trained_elsewhere_is_refused():
    with pytest.raises(ValueError, match=r"`network` must be frozen: set `network.trainable = F.*"):
        FeatureNetwork(classifier(frozen=False), "norm")
    # Only what is used has to be frozen.
    model = classifier(frozen=False)
    for name in ("conv", "norm"):
        model.get_layer(name).trainable = False
    network = FeatureNetwork(model, "norm")
    network(IMAGES)
    # TensorFlow does nothing where the value is the old one.
    model.trainable = False
    model.trainable = True
    with pytest.raises(ValueError, match="`network` must be frozen.*4 trainable variables"):
        network(IMAGES)
    model.trainable = False
    network(IMAGES)
    with pytest.raises(ValueError, match="`preprocessing` must be frozen"):
        conv = layers.Conv2D(3, 1)
        conv.build((None, 8, 6, 3))
        FeatureNetwork(classifier(), "norm", conv)


# Saving


@pytest.mark.parametrize("preprocessing", ["caffe", "layer"])
def test_saved_and_loaded(preprocessing, tmp_path):
    if preprocessing == "layer":
        preprocessing = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0])
    inputs = keras.Input((10, 9, 1))
    network = FeatureNetwork(classifier(), ["mean", "norm"], preprocessing, (8, 6), True)
    model = keras.Model(inputs, network(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = RNG.random((2, 10, 9, 1), dtype="float32")
    for a, b in zip(numbers(model(images)), numbers(loaded(images)), strict=True):
        np.testing.assert_array_equal(a, b)
    (again,) = (x for x in loaded.layers if isinstance(x, FeatureNetwork))
    assert again.layer_names == ("mean", "norm") and not again.trainable_variables
    assert again.image_size == (8, 6) and again.repeat_grey
    assert not again.network.trainable_variables
    model.save_weights(tmp_path / "model.weights.h5")
    loaded.load_weights(tmp_path / "model.weights.h5")


# Errors


class Subclassed(keras.Model):
    def call(self, x):
        return x


def nested():
    inner = keras.Sequential([keras.Input((8, 6, 3)), layers.ReLU(name="deep")], name="inner")
    return keras.Sequential([keras.Input((8, 6, 3)), inner])


def twice():
    inputs = keras.Input((8, 6, 3))
    relu = layers.ReLU(name="relu")
    return keras.Model(inputs, relu(layers.Add()([relu(inputs), inputs])))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"network": Subclassed()}, "`network` must be a functional or sequential"),
        ({"network": None}, "`network` must be .* network=None"),
        ({"network": keras.Sequential([layers.ReLU()])}, "`network` must be .*, and built"),
        (
            {"network": keras.Sequential([keras.Input((3,)), layers.ReLU(name="norm")])},
            r"`network` must take images .*\(None, 3\)",
        ),
        ({"layers": []}, "`layers` must name at least one layer"),
        ({"layers": None}, "`layers` must name at least one layer"),
        ({"layers": "nrom"}, r"No such layer: nrom.* \['conv', 'norm', .*Received: 'nrom'"),
        ({"layers": ["norm", 3]}, "No such layer: 3"),
        ({"layers": [layers.ReLU(name="norm")]}, "No such layer: norm"),
        ({"layers": ["norm", "norm"]}, "`layers` must be different ones. Received: 'norm' twice"),
        ({"network": nested(), "layers": "deep"}, "A layer inside another model has to be given"),
        ({"network": twice(), "layers": "relu"}, "used once in `network`.*'relu', with 2 outputs"),
        ({"preprocessing": "vgg"}, r"`preprocessing` must be None, one of \['rescale', .*='vgg'"),
        ({"preprocessing": lambda x: x}, "`preprocessing` must be .* or a Keras layer"),
        (
            {"network": identity((8, 6, 1)), "layers": "same", "preprocessing": "torch"},
            "`preprocessing` must not be one of .* for a network of 1.*preprocessing='torch'",
        ),
        ({"image_size": (1, 2, 3)}, "`image_size` must be one or two sides"),
        ({"image_size": 0}, "`image_size` must be an integer >= 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        FeatureNetwork(**{"network": classifier(), "layers": "norm", **arguments})


def small():
    """Halves images three times; of 28 x 28, the last pooling finds 1 x 1."""
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.MaxPooling2D(4, name="pool_1"),
            layers.MaxPooling2D(4, name="pool_2"),
            layers.MaxPooling2D(2, name="pool_3"),
        ]
    )


@pytest.mark.parametrize(
    "network, arguments, shape, message",
    [
        (small(), {}, (1, 28, 28, 3), r"\(1, 28, 28, 3\).* the layer 'pool_3' cannot take"),
        (small(), {"image_size": 4}, (1, 32, 32, 3), r"as \(1, 4, 4, 3\), which the layer 'pool_2"),
        (small(), {"image_size": 32}, (1, None, 28, 3), "known height and width to be resized"),
        (
            identity((32, 32, 3)),
            {},
            (1, 28, 28, 3),
            r"`images` must be \(32, 32\) .* image_size=\(32, 32\).*\(1, 28, 28, 3\)",
        ),
        (
            identity((32, 32, 3)),
            {"image_size": 28},
            (1, 32, 32, 3),
            r"`images` must be \(32, 32\) .*, image_size=\(28, 28\)",
        ),
        (identity(), {}, (1, 28, 28, 4), r"`images` must have 3 channels.*\(1, 28, 28, 4\)"),
        (identity(), {}, (28, 28, 3), r"`images` must have the shape .*\(28, 28, 3\)"),
    ],
)
def test_bad_shapes_are_named(network, arguments, shape, message):
    layer = [x for x in network.layers if x.name in ("pool_3", "same")]
    for apply in (
        lambda features: features.build(shape),
        lambda features: features(np.zeros(shape, "float32")),
        lambda features: features(keras.Input(batch_shape=shape)),
    ):
        if None in shape and apply.__code__.co_names[:1] == ("np",):
            continue
        with pytest.raises(ValueError, match=message):
            apply(FeatureNetwork(network, layer, **arguments))
    # Shapes in part unknown may fit.
    FeatureNetwork(identity((32, 32, 3)), "same").build((None, None, None, None))


@pytest.mark.parametrize(
    "images, message",
    [
        (255 * IMAGES, r"`images` must be in \[0, 1\], for preprocessing='caffe'. .* to 2\d\d"),
        (2 * IMAGES - 1, r"`images` must be in \[0, 1\]"),
        (np.nan * IMAGES, r"`images` must be in \[0, 1\].* to nan"),
        ((255 * IMAGES).astype("uint8"), r"`images` must be floats in \[0, 1\].* type uint8"),
    ],
)
def test_bad_images_are_named(images, message):
    network = FeatureNetwork(identity(), "same", "caffe")
    with pytest.raises(ValueError, match=message):
        network(images)
    assert network.check_images(IMAGES) and not network.check_images(keras.Input((8, 6, 3)))
    network.activations(2 * IMAGES - 1)


def test_images_that_are_traced_are_not_looked_at():
    inputs = keras.Input((8, 6, 3))
    model = keras.Model(inputs, FeatureNetwork(identity(), "same", "tf")(inputs))
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), 2 * IMAGES - 1, atol=1e-6)


# Sources


@pytest.fixture(scope="module")
def whole_and_vgg():
    """VGG16 with random weights, and the features of its first layers."""
    found, build = [], keras.applications.VGG16

    @functools.wraps(build)
    def remembered(**arguments):
        found.append(build(**arguments))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "VGG16", remembered)
        with pytest.warns(UserWarning, match="weights of VGG16 are random") as caught:
            network = FeatureNetwork.from_applications("VGG16", VGG_LAYERS)
    assert caught[0].filename == __file__
    return found[0], network


@pytest.fixture
def vgg(whole_and_vgg):
    return whole_and_vgg[1]


@pytest.fixture(scope="module")
def weights_path(whole_and_vgg, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("weights") / "vgg16.weights.h5")
    whole_and_vgg[0].save_weights(path)
    return path


def convolutions(model):
    return [x for x in model._flatten_layers() if isinstance(x, layers.Conv2D)]


def copy_convolutions(source, target):
    """By order: as many as both have."""
    pairs = list(zip(convolutions(source), convolutions(target), strict=False))
    assert len(pairs) >= 4
    for a, b in pairs:
        b.set_weights(a.get_weights())


PICTURES = RNG.random((2, 16, 16, 3), dtype="float32")


def assert_equal_features(a, b, images=PICTURES):
    for x, y in zip(numbers(a(images)), numbers(b(images)), strict=True):
        assert x.std() > 0.1 * x.mean() > 0
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4 * x.max())


def test_vgg_of_keras_applications(whole_and_vgg, weights_path):
    whole, vgg = whole_and_vgg
    assert vgg.preprocessing == "caffe" and not vgg.network.trainable_variables
    shapes = [(2, 16, 16, 64), (2, 8, 8, 128), (2, 8, 8, 128)]
    assert [tuple(x.shape) for x in vgg(PICTURES)] == shapes
    x = keras.applications.vgg16.preprocess_input(255 * PICTURES)
    for layer in whole.layers[1:6]:
        x = layer(x)
    assert layer.name == VGG_LAYERS[-1]
    np.testing.assert_allclose(*numbers([vgg(PICTURES)[-1], x]), rtol=1e-4, atol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        loaded = FeatureNetwork.from_applications("VGG16", VGG_LAYERS, weights_path)
    assert_equal_features(vgg, loaded)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"network": "VGG17"}, "`network` must be the name of an architecture.*'VGG17'"),
        ({"network": "vgg16"}, "`network` must be the name of an architecture"),
        ({"weights": "nowhere.h5"}, "`weights` must be None, 'imagenet' or .*'nowhere.h5'"),
    ],
)
def test_bad_arguments_of_keras_applications(arguments, message):
    with pytest.raises(ValueError, match=message):
        FeatureNetwork.from_applications(**{"network": "VGG16", "layers": VGG_LAYERS, **arguments})


@pytest.mark.parametrize("package, extra", [("keras_cv", "cv"), ("keras_hub", "hub")])
def test_a_missing_package_is_named(package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    build = getattr(FeatureNetwork, f"from_{package}")
    with pytest.raises(ImportError, match=f"{package}.*{re.escape(install(extra))}"):
        build("VGG16Backbone", VGG_LAYERS)


def test_vgg_of_keras_cv(vgg, weights_path):
    pytest.importorskip("keras_cv")
    arguments = {"input_shape": (32, 32, 3), "include_rescaling": False}
    backbone = FeatureNetwork.from_keras_cv(
        "VGG16Backbone",
        VGG_LAYERS,
        weights_path,
        preprocessing="caffe",
        image_size=32,
        arguments=arguments,
    )
    large = np.kron(PICTURES, np.ones((1, 2, 2, 1), "float32"))
    assert_equal_features(vgg, backbone, large)
    copy_convolutions(vgg.network, backbone.network)
    assert_equal_features(vgg, backbone, large)
    with pytest.raises(ValueError, match="`arguments` must be None"):
        FeatureNetwork.from_keras_cv(backbone.network, VGG_LAYERS, arguments=arguments)


def test_pyramid_of_keras_cv():
    keras_cv = pytest.importorskip("keras_cv")
    arguments = {
        "stackwise_filters": [4, 8],
        "stackwise_blocks": [1, 1],
        "stackwise_strides": [1, 2],
        "input_shape": (32, 32, 3),
    }
    backbone = keras_cv.models.ResNetBackbone(**arguments, include_rescaling=True)
    with pytest.raises(ValueError, match="`network` must be frozen"):
        FeatureNetwork.from_keras_cv(backbone, "P2")
    backbone.trainable = False
    network = FeatureNetwork.from_keras_cv(backbone, ["P2", "P3"], image_size=32)
    assert network.preprocessing == "rescale" and network.layer_names == ("P2", "P3")
    assert [tuple(x.shape) for x in network(PICTURES)] == [(2, 8, 8, 16), (2, 4, 4, 32)]

    arguments["include_rescaling"] = False
    with pytest.warns(UserWarning, match="weights of ResNetBackbone are random") as caught:
        bare = FeatureNetwork.from_keras_cv(
            "ResNetBackbone", ["P2", "P3"], image_size=32, arguments=arguments
        )
    assert any(x.filename == __file__ for x in caught)
    assert bare.preprocessing is None
    bare.network.set_weights(network.network.get_weights())
    for a, b in zip(numbers(network(PICTURES)), numbers(bare(PICTURES)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"network": "VGG17Backbone"}, "`network` must be a backbone or the name.*VGG17Backbone"),
        ({"network": None}, "`network` must be .*, or the name of a backbone"),
        ({"weights": "imagenet"}, "`weights` must be None or .*'imagenet'"),
    ],
)
def test_bad_arguments_of_keras_cv(arguments, message):
    pytest.importorskip("keras_cv")
    with pytest.raises(ValueError, match=message):
        FeatureNetwork.from_keras_cv(**{"network": "VGG16Backbone", "layers": "P2", **arguments})


VGG_ARGUMENTS = {"stackwise_num_repeats": [2, 2], "stackwise_num_filters": [64, 128]}


def test_vgg_of_keras_hub(vgg, tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    with pytest.warns(UserWarning, match="weights of VGGBackbone are random"):
        network = FeatureNetwork.from_keras_hub(
            "VGGBackbone", VGG_LAYERS, preprocessing="caffe", arguments=VGG_ARGUMENTS
        )
    copy_convolutions(vgg.network, network.network)
    assert_equal_features(vgg, network)

    backbone = keras_hub.models.VGGBackbone(**VGG_ARGUMENTS)
    copy_convolutions(vgg.network, backbone)
    backbone.save_weights(tmp_path / "hub.weights.h5")
    again = FeatureNetwork.from_keras_hub(
        "VGGBackbone",
        VGG_LAYERS,
        tmp_path / "hub.weights.h5",
        preprocessing="caffe",
        arguments=VGG_ARGUMENTS,
    )
    assert_equal_features(vgg, again)
    with pytest.raises(ValueError, match="`network` must be frozen"):
        FeatureNetwork.from_keras_hub(backbone, VGG_LAYERS, preprocessing="caffe")
    backbone.trainable = False
    with pytest.raises(ValueError, match="`preprocessing` must be given for a backbone of KerasHu"):
        FeatureNetwork.from_keras_hub(backbone, VGG_LAYERS)


def test_preset_of_keras_hub(vgg, tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    backbone = keras_hub.models.VGGBackbone(**VGG_ARGUMENTS)
    copy_convolutions(vgg.network, backbone)
    preset = str(tmp_path / "preset")
    backbone.save_to_preset(preset)
    with pytest.raises(ValueError, match="`preprocessing` must be given for a backbone of KerasHu"):
        FeatureNetwork.from_keras_hub(preset, VGG_LAYERS)
    std, mean = [0.229, 0.224, 0.225], [0.485, 0.456, 0.406]
    converter = keras_hub.layers.VGGImageConverter(
        scale=[1 / 255 / x for x in std], offset=[-m / s for m, s in zip(mean, std, strict=True)]
    )
    converter.save_to_preset(preset)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        network = FeatureNetwork.from_keras_hub(preset, VGG_LAYERS)
    assert_equal_features(FeatureNetwork(vgg.network, VGG_LAYERS, "torch"), network)
    backbone.trainable = False
    given = FeatureNetwork.from_keras_hub(backbone, VGG_LAYERS, preprocessing=converter)
    assert_equal_features(network, given)
    with pytest.raises(ValueError, match="`network` must be .*, or a preset.*'no_preset'"):
        FeatureNetwork.from_keras_hub("no_preset", VGG_LAYERS)


def test_pyramid_of_keras_hub():
    keras_hub = pytest.importorskip("keras_hub")
    backbone = keras_hub.models.ResNetBackbone(
        [64], [3], [64, 64], [1, 1], [1, 2], "basic_block", image_shape=(None, None, 3)
    )
    backbone.trainable = False
    network = FeatureNetwork.from_keras_hub(backbone, ["P3", "P2"], preprocessing="torch")
    assert network.layer_names == ("P3", "P2")
    assert [tuple(x.shape) for x in network(PICTURES)] == [(2, 2, 2, 64), (2, 4, 4, 64)]
