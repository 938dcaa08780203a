"""Layers: built with their settings, then called."""

import functools

import keras
import numpy as np
from hypothesis import strategies as st
from properties._cases import LAYOUTS, Case, arrays, maybe, optional_seeds

from keras_disentangle import latents, layers

# Keras refuses lists of numbers as inputs.
INPUTS = tuple(name for name in LAYOUTS if name != "list")
images = arrays((2, 4, 4, 3), layouts=INPUTS)
rows = arrays((4, 3), layouts=INPUTS)
LAYER = {
    "name": maybe(st.just("layer")),
    "dtype": maybe(st.sampled_from(("float32", "mixed_bfloat16"))),
    "trainable": maybe(st.booleans()),
}
filters = {
    "filters": st.integers(1, 3),
    "kernel_size": st.sampled_from((1, 3, (1, 3))),
    "padding": maybe(st.just("same")),
    "use_bias": maybe(st.booleans()),
}
epsilons = maybe(st.sampled_from((1e-8, 1e-3)))


def called(make, *inputs, **call_arguments):
    """Builds the layer with what is not an input, calls it, and copies it by its configuration."""

    def call(**arguments):
        given = [arguments.pop(name) for name in inputs]
        options = {name: arguments.pop(name) for name in call_arguments if name in arguments}
        layer = make(**arguments)
        result = layer(*given, **options)
        type(layer).from_config(layer.get_config())
        return result

    return call


def same(argument):
    return lambda arguments: tuple(np.shape(arguments[argument]))


@functools.cache
def classifier():
    inputs = keras.Input((4, 4, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(2, 3, name="maps")(inputs))
    network.trainable = False
    return network


def truncated(truncation, x, **settings):
    layer = layers.Truncation(**settings)
    layer.set(truncation)
    assert 0 < layer.get() <= 1
    return layer(x)


SPACE = latents.LatentSpace([latents.Categorical(3), latents.Uniform(2)])

PACKAGES = ("layers",)

TABLE = {
    "ConditionalBatchNormalization": Case(
        called(layers.ConditionalBatchNormalization, "x", "condition"),
        {
            "x": images,
            "condition": st.one_of(st.none(), arrays((2, 5), layouts=INPUTS)),
            "num_statistics": maybe(st.just(1)),
            "momentum": maybe(st.sampled_from((0, 0.9, 1))),
            "epsilon": epsilons,
            "spectral_epsilon": epsilons,
            "kernel_initializer": maybe(st.just("zeros")),
            **LAYER,
        },
        same("x"),
        share=0.5,
        nan=True,
    ),
    "EqualizedConv2D": Case(
        called(layers.EqualizedConv2D, "x"),
        {"x": images, **filters, "gain": maybe(st.sampled_from((0.5, 1))), **LAYER},
        lambda a: (2, 4, 4, a["filters"]),
        share=0.5,
        nan=True,
    ),
    "EqualizedDense": Case(
        called(layers.EqualizedDense, "x"),
        {
            "x": rows,
            "units": st.integers(1, 3),
            "gain": maybe(st.sampled_from((0.5, 1))),
            "activation": maybe(st.sampled_from((None, "tanh"))),
            **LAYER,
        },
        lambda a: (4, a["units"]),
        nan=True,
    ),
    "FadeIn": Case(
        lambda new, alpha, old=None, **settings: layers.FadeIn(**settings)(
            new, alpha=alpha, old=old
        ),
        {"new": rows, "old": maybe(rows), "alpha": st.sampled_from((0.0, 0.5, 1.0)), **LAYER},
        same("new"),
        nan=True,
    ),
    "FeatureNetwork": Case(
        called(layers.FeatureNetwork, "images"),
        {
            "images": arrays((2, 4, 4, 3), low=0, high=1, layouts=INPUTS),
            "network": st.builds(classifier),
            "layers": st.just(["maps"]),
            "preprocessing": maybe(st.none()),
            "image_size": maybe(st.sampled_from((None, 4, (4, 4)))),
            "repeat_grey": maybe(st.booleans()),
        },
        share=0.2,
        nan=True,
    ),
    "LatentQuantization": Case(
        called(layers.LatentQuantization, "z"),
        {
            "z": rows,
            "num_values": maybe(st.integers(2, 4)),
            "low": maybe(st.sampled_from((-1, 0.0))),
            "high": maybe(st.sampled_from((1, 2.5))),
            **LAYER,
        },
        same("z"),
        nan=True,
    ),
    "FiniteScalarQuantization": Case(
        called(layers.FiniteScalarQuantization, "z"),
        {"z": rows, "num_levels": maybe(st.integers(2, 12)), **LAYER},
        same("z"),
        nan=True,
    ),
    "GaussianSampling": Case(
        called(layers.GaussianSampling, "mean", "log_var"),
        {"mean": rows, "log_var": rows, "seed": maybe(optional_seeds), **LAYER},
        same("mean"),
        nan=True,
    ),
    "LatentDirections": Case(
        called(layers.LatentDirections, "w"),
        {
            "w": arrays((4, 2), layouts=INPUTS),
            "latent_dim": st.integers(2, 4),
            "num_directions": st.just(2),
            "block": maybe(st.sampled_from((None, (0, 2)))),
            "initializer": maybe(st.sampled_from(("random", "axes"))),
            "seed": maybe(optional_seeds),
        },
        lambda a: (4, a["latent_dim"]),
        share=0.5,
        nan=True,
    ),
    "MinibatchStd": Case(
        called(layers.MinibatchStd, "x"),
        {"x": images, "group_size": maybe(st.sampled_from((1, 2, 4))), **LAYER},
        lambda a: (2, 4, 4, 4),
        nan=True,
    ),
    "PixelNormalization": Case(
        called(layers.PixelNormalization, "x"),
        {"x": images, "epsilon": epsilons, **LAYER},
        same("x"),
        nan=True,
    ),
    "ProjectionHead": Case(
        called(layers.ProjectionHead, "features", "labels"),
        {
            "features": rows,
            "labels": st.sampled_from(
                (np.arange(4), np.arange(4)[:, None], np.eye(4, dtype="float32"))
            ),
            "num_classes": st.just(4),
            "spectral": maybe(st.booleans()),
            **LAYER,
        },
        lambda a: (4, 1),
        share=0.3,
        nan=True,
    ),
    "QHead": Case(
        called(layers.QHead, "features"),
        {
            "features": rows,
            "space": st.just(SPACE),
            "hidden": maybe(st.sampled_from((None, 2))),
            "negative_slope": maybe(st.sampled_from((0, 0.1))),
            "batch_normalization": maybe(st.booleans()),
            **LAYER,
        },
        lambda a: (4, SPACE.num_params),
        share=0.3,
        nan=True,
    ),
    "RandomAffine": Case(
        called(layers.RandomAffine, "images", parameters=None),
        {
            "images": images,
            "parameters": maybe(
                st.sampled_from((None, np.array([[0.1, 0, 1, 1, 0, 0]] * 2, "float32")))
            ),
            "rotation": maybe(st.sampled_from((0, 90.0, 180))),
            "shear": maybe(st.sampled_from((0, 2.0))),
            "zoom": maybe(st.sampled_from((0, 0.9))),
            "translation": maybe(st.sampled_from((0, 1))),
            "seed": maybe(optional_seeds),
            **LAYER,
        },
        same("images"),
        nan=True,
    ),
    "SelfAttention2D": Case(
        called(layers.SelfAttention2D, "x"),
        {"x": arrays((2, 4, 4, 8), layouts=INPUTS), "epsilon": epsilons, **LAYER},
        same("x"),
        share=0.3,
        nan=True,
    ),
    "SpectralConv2D": Case(
        called(layers.SpectralConv2D, "x", training=None),
        {"x": images, **filters, "training": maybe(st.booleans()), **LAYER},
        lambda a: (2, 4, 4, a["filters"]),
        fixed=("training",),  # Keras's own: which of its layers would look at it?
        share=0.5,
        nan=True,
    ),
    "SpectralDense": Case(
        called(layers.SpectralDense, "x", training=None),
        {
            "x": rows,
            "units": st.integers(1, 3),
            "epsilon": epsilons,
            "training": maybe(st.booleans()),
            **LAYER,
        },
        lambda a: (4, a["units"]),
        fixed=("training",),
        share=0.5,
        nan=True,
    ),
    "Truncation": Case(
        truncated,
        {
            "x": rows,
            "truncation": st.sampled_from((0.02, 0.5, 1)),
            "num_statistics": maybe(st.sampled_from((2, 51))),
            "interpolation": maybe(st.sampled_from(("published", "linear"))),
        },
        share=0.3,
        nan=True,
    ),
    "UpConv2D": Case(
        called(layers.UpConv2D, "x"),
        {
            "x": images,
            **filters,
            "kernel_size": st.sampled_from((2, 4)),
            "strides": maybe(st.sampled_from((1, 2, (2, 2)))),
            **LAYER,
        },
        share=0.3,
        nan=True,
    ),
}
