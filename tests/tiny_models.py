"""Models that train within a test, and the table of models that the common tests run over."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from keras_disentangle.layers import UpConv2D
from keras_disentangle.models import VAE, LadderVAE, ProgressiveLadderVAE, TeacherStudentVAE

IMAGE_SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).random((16, *IMAGE_SHAPE), dtype="float32")


def network(input_shape, *stack):
    return keras.Sequential([keras.Input(input_shape), *stack])


def dense(input_shape, units, activation="tanh", reshape=None):
    """One dense layer from anything flattened to (units,) or the shape `reshape`."""
    flatten = [layers.Flatten()] if len(input_shape) > 1 else []
    end = [layers.Reshape(reshape)] if reshape else []
    return network(input_shape, *flatten, layers.Dense(units, activation), *end)


def flat_networks(latent_dim, image_shape=IMAGE_SHAPE):
    """Encoder and decoder of a VAE, with a strided and a transposed convolution."""
    h, w, channels = image_shape
    return {
        "encoder": network(
            image_shape,
            layers.Conv2D(3, 4, strides=2, padding="same", activation="tanh"),
            layers.Flatten(),
            layers.Dense(2 * latent_dim),
        ),
        "decoder": network(
            (latent_dim,),
            layers.Dense(h * w // 4 * 3, "tanh"),
            layers.Reshape((h // 2, w // 2, 3)),
            UpConv2D(channels, 4, strides=2),
        ),
    }


def conv_ladder(rung_sizes=(3, 2)):
    """A ladder of two rungs: levels of 4×4 and 2×2 pixels."""
    top, bottom = rung_sizes

    def down(shape):
        return network(shape, layers.Conv2D(3, 4, strides=2, padding="same", activation="tanh"))

    return {
        "encoder_blocks": [down(IMAGE_SHAPE), down((4, 4, 3))],
        "posteriors": [
            dense((4, 4, 3), 2 * bottom, None),
            dense((2, 2, 3), 2 * top, None),
        ],
        "latent_maps": [
            dense((bottom,), 48, reshape=(4, 4, 3)),
            dense((top,), 12, reshape=(2, 2, 3)),
        ],
        "decoder_blocks": [
            network((4, 4, 6), UpConv2D(1, 4, strides=2)),
            network((2, 2, 3), UpConv2D(3, 4, strides=2, activation="tanh")),
        ],
    }


def dense_ladder(rung_sizes=(3, 2, 4), widths=(6, 5, 4)):
    """A ladder of any number of rungs, one dense layer a network; `widths` from level 1 up."""
    num_rungs = len(rung_sizes)
    widths, sizes = widths[:num_rungs], rung_sizes[::-1]
    pixels = int(np.prod(IMAGE_SHAPE))
    below = [IMAGE_SHAPE, *((width,) for width in widths)]
    # The map of a rung is as wide as its level; every decoder level as wide as the one below it.
    read = [*(2 * width for width in widths[:-1]), widths[-1]]
    return {
        "encoder_blocks": [dense(below[i], widths[i]) for i in range(num_rungs)],
        "posteriors": [dense((widths[i],), 2 * sizes[i], None) for i in range(num_rungs)],
        "latent_maps": [dense((sizes[i],), widths[i]) for i in range(num_rungs)],
        "decoder_blocks": [
            dense((read[i],), widths[i - 1])
            if i
            else dense((read[0],), pixels, None, reshape=IMAGE_SHAPE)
            for i in range(num_rungs)
        ],
    }


def trained_teacher():
    """A VAE that has seen a few batches, compiled as a user's would be."""
    teacher = VAE(**flat_networks(2), seed=5)
    teacher.compile(keras.optimizers.Adam(1e-3))
    return teacher


def _beta_vae():
    model = VAE(**flat_networks(3), beta=2.0, seed=1)
    model.ramps["beta"].set(2.0, 6.0, 0, 8)
    return model


def _mid_fade():
    model = ProgressiveLadderVAE(**conv_ladder(), beta=2.0, seed=1)
    model.ramps["alpha_1"].set(0.25, 1.0, 0, 8)
    return model


@dataclass(frozen=True)
class ModelRow:
    """A model of the common tests: how it is made, and the terms that it logs."""

    build: Callable
    terms: tuple


# A new model class joins here with a row.
MODELS = {
    "vae_bernoulli": ModelRow(
        lambda: VAE(**flat_networks(3), seed=1), ("reconstruction", "kl", "beta")
    ),
    "vae_gaussian": ModelRow(
        lambda: VAE(**flat_networks(3), observation="gaussian", seed=1),
        ("reconstruction", "kl", "beta", "log_std"),
    ),
    "beta_vae": ModelRow(_beta_vae, ("reconstruction", "kl", "beta")),
    "ladder_vae": ModelRow(
        lambda: LadderVAE(**conv_ladder(), seed=1), ("reconstruction", "kl_2", "kl_1", "beta")
    ),
    "progressive_ladder_vae": ModelRow(
        _mid_fade, ("reconstruction", "kl_2", "kl_1", "beta", "alpha_1")
    ),
    "teacher_student_vae": ModelRow(
        lambda: TeacherStudentVAE(trained_teacher(), **flat_networks(4), seed=1),
        ("reconstruction", "kl", "beta", "code_error", "jacobian_error", "jacobian_weight"),
    ),
}


def assign_by_hand(model, seed=0):
    """Gives every kernel and bias the same values on every backend."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name in ("kernel", "bias"):
            variable.assign(0.3 * rng.standard_normal(variable.shape))


def noise_table(width):
    """The draws (64, width) that stand in for latent noise; a draw depends on its shape alone."""
    return np.random.default_rng(width).standard_normal((64, width)).astype("float32")


def tabled_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """`keras.random.normal` with draws from `noise_table`; the batch may be a symbolic size."""
    return ops.cast(noise_table(shape[1]), dtype or "float32")[: shape[0]] * stddev + mean


def fit(model, images=IMAGES, epochs=2, callbacks=(), compile_with=None, **arguments):
    """Compiles unless `compile_with` is False, trains in order, returns the history's dict."""
    if compile_with is not False:
        model.compile(keras.optimizers.Adam(1e-2), **(compile_with or {}))
    arguments = {"batch_size": len(images), "shuffle": False, "verbose": 0, **arguments}
    return model.fit(images, epochs=epochs, callbacks=list(callbacks), **arguments).history


class StepLogs(keras.callbacks.Callback):
    """Keeps the logs of every call of the train step."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append({name: float(value) for name, value in logs.items()})

    def column(self, name):
        return np.array([logs[name] for logs in self.steps])


def weights(model):
    return [ops.convert_to_numpy(variable) for variable in model.weights]
