"""`encoder_model` and `decoder_model`: what `encode` and `decode` compute, as own models."""

import keras
import numpy as np
import pytest
from keras import layers, ops, tree
from model_table import MODELS
from tiny_networks import IMAGE_SHAPE, IMAGES

from keras_disentangle.latents import Labels
from keras_disentangle.models import VAE

N, LABELS = 3, np.array([1, 3, 1], "int32")
# Of every family, and all ways in which labels and ramps go in.
NAMES = [
    "vae_bernoulli",
    "progressive_ladder_vae",
    "qlae",
    "conditional_vae",
    "conditional_gan",
    "info_gan",
    "progressive_gan",
    "direction_discovery_classes",
]
BACKEND = keras.backend.backend()


def numbers(outputs):
    return [ops.convert_to_numpy(x) for x in tree.flatten(outputs)]


@pytest.fixture(scope="module", params=NAMES)
def parts(request):
    """A list of (model of a part, its inputs, what the whole model gives for them)."""
    model = MODELS[request.param].build()
    codes = ops.convert_to_numpy(model.space.sample(N, seed=0))
    found = [(model.decoder_model(), model.decode, codes)]
    if hasattr(model, "encode"):
        found.append((model.encoder_model(), model.encode, IMAGES[:N]))
    given = [[x, LABELS] if isinstance(part.input, list) else [x] for part, _, x in found]
    return [
        (part, inputs, numbers(method(*inputs)))
        for (part, method, _), inputs in zip(found, given, strict=True)
    ]


def check(found, expected, tolerance=1e-5):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)


def test_they_compute_what_the_whole_model_does(parts):
    for part, inputs, expected in parts:
        check(numbers(part(inputs if len(inputs) > 1 else inputs[0])), expected)
        # Another number of examples than that with which it was made.
        found = part([x[:1] for x in inputs] if len(inputs) > 1 else inputs[0][:1])
        check(numbers(found), [x[:1] for x in expected])


def test_they_hold_their_own_networks_alone():
    model = MODELS["conditional_gan"].build()
    own = sum(int(np.prod(v.shape)) for v in model.generator.weights)
    assert model.decoder_model().count_params() == own


@pytest.mark.one_backend
def test_they_are_saved(parts, tmp_path):
    for part, inputs, expected in parts:
        part.save(tmp_path / "part.keras")
        loaded = keras.saving.load_model(tmp_path / "part.keras")
        check(numbers(loaded(inputs if len(inputs) > 1 else inputs[0])), expected)


def test_ramps_keep_the_values_that_they_have():
    model = MODELS["progressive_ladder_vae"].build()
    codes = ops.convert_to_numpy(model.space.sample(N, seed=0))
    early = model.decoder_model()
    before = numbers(model.decode(codes))
    model.ramps["alpha_1"].set(1.0, 1.0, 0, 0)
    after = numbers(model.decode(codes))
    check(numbers(early(codes)), before)
    check(numbers(model.decoder_model()(codes)), after)
    assert np.abs(before[0] - after[0]).max() > 1e-4


def test_a_model_that_encodes_nothing_has_no_encoder():
    assert not hasattr(MODELS["gan_r1"].build(), "encoder_model")


def test_attributes_are_an_input_of_their_width():
    def network(shape, *end):
        given, vector = keras.Input(shape), keras.Input((4,))
        x = layers.Concatenate()([layers.Flatten()(given), vector])
        for layer in end:
            x = layer(x)
        return keras.Model([given, vector], x)

    pixels = int(np.prod(IMAGE_SHAPE))
    encoder = network(IMAGE_SHAPE, layers.Dense(6))
    decoder = network((3,), layers.Dense(pixels), layers.Reshape(IMAGE_SHAPE))
    model = VAE(encoder, decoder, labels=Labels(num_attributes=4))
    assert [tuple(x.shape) for x in model.decoder_model().inputs] == [(None, 3), (None, 4)]
    assert [tuple(x.shape[1:]) for x in model.encoder_model().inputs] == [IMAGE_SHAPE, (4,)]


def with_converter(test):
    """What Keras exports with on JAX brings many packages, which are beside the others."""
    return pytest.mark.extra("jax2onnx")(test) if BACKEND == "jax" else test


@with_converter
def test_onnx_computes_the_same(parts, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx" if BACKEND == "tensorflow" else "onnx")
    for part, inputs, expected in parts:
        part.export(tmp_path / "part.onnx", format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(tmp_path / "part.onnx")
        names = [entry.name for entry in session.get_inputs()]
        assert names == ["z" if part.name.endswith("decoder") else "x", "labels"][: len(inputs)]
        check(session.run(None, dict(zip(names, inputs, strict=True))), expected, 1e-4)
