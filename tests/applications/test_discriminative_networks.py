"""The networks of discriminative regularisation, counted by hand, and classifiers of one call."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from tiny_networks import dense, network

from keras_disentangle.applications._shared.calls import to_float
from keras_disentangle.applications.discriminative_vae.classifier import (
    ARCHITECTURES,
    _Batches,
    train_classifier,
)
from keras_disentangle.applications.discriminative_vae.networks import (
    NETWORKS,
    celeba_networks,
    classifier_network,
    evaluator_network,
    small_networks,
)
from keras_disentangle.losses import FeatureMatchingLoss
from keras_disentangle.models import DiscriminativeVAE

RELU = "relu"


def rows(net):
    """Of each layer with a kernel: kind, shape of its output, kernel, bias, gamma and beta, and
    what it ends in. In this order: weights, batch normalisation, activation."""
    found = []
    for layer in net.layers:
        shape = tuple(layer.output.shape[1:])
        if hasattr(layer, "kernel"):
            kernel = tuple(layer.kernel.shape)
            found.append([type(layer).__name__, shape, kernel, layer.bias is not None, 0, None])
            assert layer.activation is keras.activations.linear
        elif isinstance(layer, layers.BatchNormalization):
            assert found[-1][4:] == [0, None] and shape == found[-1][1]
            found[-1][4] = sum(np.prod(v.shape) for v in layer.trainable_variables)
        elif isinstance(layer, (layers.ReLU, layers.Activation)):
            assert found[-1][5] is None
            is_relu = isinstance(layer, layers.ReLU)
            found[-1][5] = RELU if is_relu else layer.activation.__name__
    return [tuple(row) for row in found]


def conv(kind, side, kernel):
    """A convolution without bias, normalised, with a ReLU."""
    filters = kernel[2] if kind == "UpConv2D" else kernel[3]
    return (kind, (side, side, filters), kernel, False, 2 * filters, RELU)


def dense_row(inputs, units):
    return ("Dense", (units,), (inputs, units), False, 2 * units, RELU)


PAPER_ENCODER = [
    conv("Conv2D", 64, (3, 3, 3, 32)),
    conv("Conv2D", 64, (3, 3, 32, 32)),
    conv("Conv2D", 32, (2, 2, 32, 32)),
    conv("Conv2D", 32, (3, 3, 32, 64)),
    conv("Conv2D", 32, (3, 3, 64, 64)),
    conv("Conv2D", 16, (2, 2, 64, 64)),
    conv("Conv2D", 16, (3, 3, 64, 128)),
    conv("Conv2D", 16, (3, 3, 128, 128)),
    conv("Conv2D", 8, (2, 2, 128, 128)),
    conv("Conv2D", 8, (3, 3, 128, 256)),
    conv("Conv2D", 8, (3, 3, 256, 256)),
    conv("Conv2D", 4, (2, 2, 256, 256)),
    dense_row(4096, 1000),
    ("Dense", (2 * 500,), (1000, 2 * 500), True, 0, None),
]

# Kernels of transposed convolutions are (height, width, filters, channels).
PAPER_DECODER = [
    dense_row(500, 1000),
    dense_row(1000, 4096),
    conv("Conv2D", 4, (3, 3, 256, 256)),
    conv("Conv2D", 4, (3, 3, 256, 256)),
    conv("UpConv2D", 8, (2, 2, 256, 256)),
    conv("Conv2D", 8, (3, 3, 256, 128)),
    conv("Conv2D", 8, (3, 3, 128, 128)),
    conv("UpConv2D", 16, (2, 2, 128, 128)),
    conv("Conv2D", 16, (3, 3, 128, 64)),
    conv("Conv2D", 16, (3, 3, 64, 64)),
    conv("UpConv2D", 32, (2, 2, 64, 64)),
    conv("Conv2D", 32, (3, 3, 64, 32)),
    conv("Conv2D", 32, (3, 3, 32, 32)),
    conv("UpConv2D", 64, (2, 2, 32, 32)),
    ("Conv2D", (64, 64, 3), (1, 1, 32, 3), True, 0, "sigmoid"),
]


@pytest.fixture(scope="module")
def paper():
    keras.utils.set_random_seed(0)
    return celeba_networks()


@pytest.mark.one_backend
def test_the_papers_networks(paper):
    assert paper["encoder"].input_shape == paper["decoder"].output_shape == (None, 64, 64, 3)
    assert paper["encoder"].output_shape == (None, 1000)
    assert paper["decoder"].input_shape == (None, 500)
    assert rows(paper["encoder"]) == PAPER_ENCODER
    assert rows(paper["decoder"]) == PAPER_DECODER


@pytest.mark.one_backend
def test_initial_weights(paper):
    kernels, biases = [], []
    for layer in [*paper["encoder"].layers, *paper["decoder"].layers]:
        if hasattr(layer, "kernel"):
            kernels.append(ops.convert_to_numpy(layer.kernel))
            biases += [] if layer.bias is None else [ops.convert_to_numpy(layer.bias)]
    assert len(kernels) == len(PAPER_ENCODER) + len(PAPER_DECODER) and len(biases) == 2
    for kernel in kernels:
        assert abs(kernel.mean()) < 5 * 0.033 / kernel.size**0.5
        assert kernel.std() == pytest.approx(0.033, rel=5 / (2 * kernel.size) ** 0.5)
        # Not cut off at two deviations: 4.6% of a normal lie beyond.
        assert kernel.size < 1e4 or 0.04 < (abs(kernel) > 0.066).mean() < 0.05
    assert len({kernel.ravel()[0] for kernel in kernels}) == len(kernels)
    assert not any(bias.any() for bias in biases)


@pytest.mark.one_backend
@pytest.mark.parametrize("side, channels", [(28, 1), (32, 3)])
def test_small_networks(side, channels):
    nets = small_networks((side, side, channels), latent_dim=5)
    half, quarter = side // 2, side // 4
    flat = quarter * quarter * 64
    assert rows(nets["encoder"]) == [
        conv("Conv2D", half, (4, 4, channels, 32)),
        conv("Conv2D", quarter, (4, 4, 32, 64)),
        dense_row(flat, 256),
        ("Dense", (10,), (256, 10), True, 0, None),
    ]
    assert rows(nets["decoder"]) == [
        dense_row(5, 256),
        dense_row(256, flat),
        conv("UpConv2D", half, (4, 4, 32, 64)),
        ("UpConv2D", (side, side, channels), (4, 4, channels, 32), True, 0, "sigmoid"),
    ]
    assert NETWORKS == {"celeba": celeba_networks, "small": small_networks}


CLASSIFIER = [
    # Kernel, filters, stride, and the side of what it gives: of 64 pixels, and of 28 padded to 32.
    (4, 32, 1, 61, 29),
    (3, 32, 2, 30, 14),
    (4, 64, 1, 27, 11),
    (3, 64, 2, 13, 5),
    (3, 128, 1, 11, 3),
    (3, 128, 2, 5, 1),
]


@pytest.mark.one_backend
@pytest.mark.parametrize("image_shape", [(64, 64, 3), (28, 28, 1)])
def test_the_classifier(image_shape):
    arguments = {} if image_shape[0] == 64 else {"image_shape": image_shape, "num_outputs": 10}
    net = classifier_network(**arguments)
    outputs = arguments.get("num_outputs", 40)
    assert net.input_shape == (None, *image_shape) and net.output_shape == (None, outputs)
    expected, channels = [], image_shape[2]
    for kernel, filters, _, *sides in CLASSIFIER:
        side = sides[0] if image_shape[0] == 64 else sides[1]
        expected.append(conv("Conv2D", side, (kernel, kernel, channels, filters)))
        channels = filters
    expected.append(dense_row(128 * side * side, 1000))
    expected.append(("Dense", (outputs,), (1000, outputs), True, 0, None))
    assert rows(net) == expected
    names = [layer.name for layer in net.layers]
    for i, (_, filters, stride, *_) in enumerate(CLASSIFIER, start=1):
        assert net.get_layer(f"conv_{i}").strides == (stride, stride)
        assert net.get_layer(f"norm_{i}").output.shape[-1] == filters
        assert (f"dropout_{i}" in names) == (i % 2 == 0)
    dropouts = [layer for layer in net.layers if isinstance(layer, layers.Dropout)]
    assert [layer.rate for layer in dropouts] == [0.5] * 4
    # Each after a ReLU.
    for layer in dropouts:
        before = names[names.index(layer.name) - 1]
        assert before == layer.name.replace("dropout", "relu")
    assert net.get_layer("logits").compute_dtype == "float32"


def test_features_of_the_classifiers():
    """Images of 28 pixels are padded to 32."""
    net = classifier_network((28, 28, 1), 10)
    net.trainable = False
    loss = FeatureMatchingLoss(net, ["norm_2", "norm_4", "norm_6"])
    loss.build((None, 28, 28, 1))
    shapes = {name: tuple(loss.log_std(name).shape) for name in loss.layer_names}
    assert shapes == {"norm_2": (14, 14, 32), "norm_4": (5, 5, 64), "norm_6": (1, 1, 128)}
    images = np.random.default_rng(0).random((2, 28, 28, 1), "float32")
    features = loss.feature_model.network.predict(images, verbose=0)
    # Before the ReLU.
    assert all(np.isfinite(x).all() and x.min() < 0 < x.max() for x in features.values())
    evaluator = evaluator_network((28, 28, 1), 10)
    assert evaluator.get_layer("features").output.shape == (None, 96)
    assert evaluator.output_shape == (None, 10)
    assert ARCHITECTURES == {"paper": classifier_network, "evaluator": evaluator_network}


def test_outputs_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        nets = small_networks((8, 8, 1), 3, widths=(2, 3), hidden=4)
        nets = [
            *nets.values(),
            evaluator_network((8, 8, 1), 2, (2,)),
            classifier_network((8, 8, 1), 2),
        ]
    finally:
        keras.config.set_dtype_policy("float32")
    outputs = [keras.backend.standardize_dtype(net.outputs[0].dtype) for net in nets]
    inside = [keras.backend.standardize_dtype(net.layers[-2].output.dtype) for net in nets]
    assert outputs == ["float32"] * 4 and inside == ["bfloat16"] * 4


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: celeba_networks((56, 64, 3)), r"multiples of 16, for 4.*\(56, 64, 3\)"),
        (lambda: celeba_networks((64, 64)), r"`image_shape` must be .* image_shape=\(64, 64\)"),
        (lambda: celeba_networks((64, 64, 0)), "`image_shape` must be an integer >= 1.*=0"),
        (lambda: celeba_networks((64, 64.0, 3)), "`image_shape` must be an integer .*=64.0"),
        (lambda: celeba_networks((16, 16, 1), 0, (2,)), "`latent_dim` must be an integer >= 1"),
        (lambda: small_networks((30, 28, 1)), r"multiples of 4, for 2 levels.*\(30, 28, 1\)"),
        (lambda: small_networks((28, 28, 1), -3), "`latent_dim` must be an integer >= 1.*=-3"),
        (lambda: classifier_network((28, 28), 10), "`image_shape` must be "),
        (lambda: classifier_network((28, 28, 1), 0), "`num_outputs` must be an integer >= 1"),
        (lambda: evaluator_network(28, 10), "`image_shape` must be .*image_shape=28"),
        (
            lambda: evaluator_network((28, 28, 1), 2.5),
            "`num_outputs` must be an integer >= 1.*=2.5",
        ),
    ],
)
def test_bad_sizes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Classifiers by one call

IMAGE_SHAPE = (8, 8, 1)
# Which of the upper and the left half is bright: a label each; both together, four classes.
LABELS = np.random.default_rng(0).integers(0, 2, (60, 2))
CLASSES = LABELS @ [2, 1]


def halves(labels):
    images = np.random.default_rng(1).integers(0, 60, (len(labels), *IMAGE_SHAPE))
    images[:, :4] += 90 * labels[:, 0, None, None, None]
    images[:, :, :4] += 90 * labels[:, 1, None, None, None]
    return images.astype("uint8")


IMAGES = halves(LABELS)


def architecture(image_shape, num_outputs):
    return network(
        image_shape,
        layers.Flatten(),
        layers.Dense(16, use_bias=False),
        layers.BatchNormalization(momentum=0.5, name="norm"),
        layers.Activation("tanh"),
        layers.Dense(num_outputs, name="logits"),
    )


def train(images=IMAGES, labels=CLASSES, architecture=architecture, **arguments):
    settings = {"epochs": 20, "batch_size": 20, "learning_rate": 0.03, "verbose": 0}
    return train_classifier(images, labels, architecture, **{**settings, **arguments})


@pytest.mark.parametrize("labels", [CLASSES, LABELS], ids=["classes", "labels"])
def test_training(labels):
    classifier = train(labels=labels, validation_data=(IMAGES, labels))
    assert classifier.output_shape == (None, 4 if labels.ndim == 1 else 2)
    assert not classifier.trainable and not classifier.trainable_variables
    # It is compiled, for images in [0, 1].
    found = classifier.evaluate(to_float(IMAGES), labels, return_dict=True, verbose=0)
    assert set(found) == {"loss", "accuracy"} and found["accuracy"] > 0.95
    logits = classifier.predict(to_float(IMAGES), verbose=0)
    right = logits.argmax(1) == labels if labels.ndim == 1 else (logits > 0) == labels
    np.testing.assert_allclose(right.mean(), found["accuracy"], rtol=1e-6)


def test_its_features_regularise():
    # Floats in [0, 1] and labels as floats are as good.
    classifier = train(to_float(IMAGES), CLASSES.astype("float32"), epochs=1)
    before = classifier.get_weights()
    loss = FeatureMatchingLoss(classifier, ["norm", "logits"])
    encoder = dense(IMAGE_SHAPE, 6, None)
    model = DiscriminativeVAE(encoder, dense((3,), 64, "sigmoid", reshape=IMAGE_SHAPE), loss)
    model.compile("adam")
    history = model.fit(to_float(IMAGES), epochs=1, verbose=0).history
    assert np.isfinite([*history["features_norm"], *history["features_logits"]]).all()
    for old, new in zip(before, classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_it_follows_its_seed():
    """Weights, order and changes of the images, whatever was drawn before."""
    changes = {"epochs": 2, "shift": 1, "flip": True}
    first = train(**changes, seed=3).get_weights()
    keras.utils.set_random_seed(77)
    same, other = (train(**changes, seed=seed).get_weights() for seed in (3, 4))
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_batches():
    batches = _Batches(IMAGES, CLASSES, 25, shift=0, flip=False, seed=0)
    assert len(batches) == 2

    def epoch():
        return [batches[i] for i in range(len(batches))]

    def found(parts):
        """The numbers of the images, which are all different."""
        images = np.concatenate([x for x, _ in parts])
        assert images.dtype == np.float32 and images.shape == (50, *IMAGE_SHAPE)
        same = (images[:, None] == to_float(IMAGES)).all((2, 3, 4))
        assert (same.sum(1) == 1).all()
        index = same.argmax(1)
        np.testing.assert_array_equal(np.concatenate([y for _, y in parts]), CLASSES[index])
        return index.tolist()

    first = found(epoch())
    assert len(set(first)) == 50 and found(epoch()) == first and first != sorted(first)
    batches.on_epoch_end()
    assert found(epoch()) == first  # No epoch has begun.
    batches.on_epoch_begin()
    batches.on_epoch_end()
    assert found(epoch()) != first
    # No batch is larger than the data.
    assert _Batches(IMAGES[:7], CLASSES[:7], 25, 0, False, 0)[0][0].shape == (7, *IMAGE_SHAPE)


def test_shifts():
    batches = _Batches(IMAGES, np.arange(60), 60, shift=2, flip=False, seed=0)
    wide = np.pad(to_float(IMAGES), [(0, 0), (2, 2), (2, 2), (0, 0)], "edge")
    images, index = batches[0]
    places = [(a, b) for a in range(5) for b in range(5)]
    shifted = np.stack([wide[index, a : a + 8, b : b + 8] for a, b in places])
    right = (shifted == images).all((2, 3, 4))
    assert (right.sum(0) == 1).all()
    # All of them occur, in both directions.
    rows, columns = np.array(places)[right.argmax(0)].T
    assert set(rows) == set(columns) == set(range(5)) and (rows != columns).any()
    np.testing.assert_array_equal(batches[0][0], images)
    batches.on_epoch_begin()
    batches.on_epoch_end()
    assert not np.array_equal(batches[0][0], images)


def test_flips():
    images, index = _Batches(IMAGES, np.arange(60), 60, shift=0, flip=True, seed=0)[0]
    straight = (images == to_float(IMAGES)[index]).all((1, 2, 3))
    mirrored = (images == to_float(IMAGES)[index, :, ::-1]).all((1, 2, 3))
    assert (straight != mirrored).all() and 15 < mirrored.sum() < 45


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"images": IMAGES[..., 0]}, r"`images` must have the shape .*images.shape=\(60, 8, 8\)"),
        ({"images": IMAGES[:0]}, r"`images` must have the shape .*n > 0.*\(0, 8, 8, 1\)"),
        ({"images": IMAGES.astype("float32")}, r"`images` must be uint8 or lie in \[0, 1\].*float"),
        ({"images": to_float(IMAGES) - 1}, r"`images` must be uint8 or lie in \[0, 1\]. .* -1.0"),
        ({"images": to_float(IMAGES) * np.nan}, "`images` must be uint8 or lie in .* nan to nan"),
        ({"labels": CLASSES[:5]}, r"`labels` must be .* for 60 images.*labels.shape=\(5,\)"),
        ({"labels": LABELS[..., None]}, r"`labels` must be .*labels.shape=\(60, 2, 1\)"),
        ({"labels": CLASSES - 1}, "`labels` must be integers from 0. Received: .* -1"),
        ({"labels": CLASSES + 0.5}, "`labels` must be integers from 0. Received: float64"),
        ({"labels": 2 * LABELS}, "`labels` must be 0 or 1. Received: .* to 2"),
        ({"labels": 0 * CLASSES}, "`labels` must hold at least two classes"),
        (
            {"architecture": "vgg"},
            r"`architecture` must be one of \['paper', 'evaluator'\].*='vgg'",
        ),
        ({"architecture": None}, "`architecture` must be one of .*=None"),
        ({"epochs": 0}, "`epochs` must be an integer >= 1. Received: epochs=0"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1. Received: batch_size=0"),
        ({"shift": -1}, "`shift` must be an integer >= 0. Received: shift=-1"),
        (
            {"validation_data": (IMAGES, CLASSES[:3])},
            r"`validation_data\[1\]` must be .*validation_data\[1\].shape=\(3,\)",
        ),
        (
            {"validation_data": (IMAGES[0], CLASSES)},
            r"`validation_data\[0\]` must have the shape .*\(8, 8, 1\)",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        train(**arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"labels": np.array(["a", "b"] * 30)}, "`labels` must hold numbers"),
        ({"labels": np.zeros((60, 0))}, "`labels` must"),
        ({"images": np.full((60, *IMAGE_SHAPE), "a")}, "`images` must hold numbers"),
        ({"architecture": ["paper"]}, "`architecture` must be"),
        ({"learning_rate": -1.0}, "`learning_rate` must be"),
        ({"validation_data": IMAGES}, "`validation_data` must be a pair"),
        ({"validation_data": (IMAGES, CLASSES + 3)}, "`validation_data` must have labels below"),
        (
            {"validation_data": (IMAGES[:, :4], CLASSES)},
            "`validation_data` must be as",
        ),
    ],
)
def test_bad_arguments_of_a_classifier(arguments, message):
    with pytest.raises(ValueError, match=message):
        train(**{"epochs": 1, **arguments})


@pytest.mark.parametrize("build", [celeba_networks, small_networks])
def test_no_levels(build):
    with pytest.raises(ValueError, match="`widths` must"):
        build(widths=())
