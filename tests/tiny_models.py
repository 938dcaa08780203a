"""Models that train within a test, and the table of models that the common tests run over."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from keras_disentangle.applications.progressive_gan.networks import (
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    q_network,
)
from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.layers import (
    EqualizedConv2D,
    EqualizedDense,
    LatentDirections,
    QHead,
    UpConv2D,
)
from keras_disentangle.losses import FeatureMatchingLoss
from keras_disentangle.models import (
    GAN,
    VAE,
    DirectionDiscovery,
    DiscriminativeVAE,
    InfoGAN,
    LadderVAE,
    ProgressiveGAN,
    ProgressiveInfoGAN,
    ProgressiveLadderVAE,
    ShiftPrediction,
    TeacherStudentVAE,
)
from keras_disentangle.models.frozen_generator_model import FrozenGeneratorModel
from keras_disentangle.trainers import PhasedModel

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


def _hessian_ladder():
    model = LadderVAE(**conv_ladder(), hessian_penalty={"reduction": "mean"}, seed=1)
    model.ramps["hessian_weight"].set(2.0, 2.0, 0, 0)
    return model


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


def frozen_classifier(image_shape=IMAGE_SHAPE):
    """With a batch normalisation `norm`, a dense layer `hidden`, and an output beyond both."""
    classifier = network(
        image_shape,
        layers.Conv2D(3, 2, strides=2, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.Activation("tanh"),
        layers.Flatten(),
        layers.Dense(4, "tanh", name="hidden"),
        layers.Dropout(0.5),
        layers.Dense(2, name="logits"),
    )
    rng = np.random.default_rng(2)
    for variable in classifier.get_layer("norm").weights:
        variable.assign(rng.uniform(0.2, 1.0, variable.shape))
    classifier.trainable = False
    return classifier


def _discriminative_vae():
    feature_loss = FeatureMatchingLoss(frozen_classifier(), ["norm", "hidden"])
    model = DiscriminativeVAE(**flat_networks(3), feature_loss=feature_loss, seed=1)
    model.ramps["feature_weight_norm"].set(0.5, 2.0, 0, 8)
    return model


def make_space():
    """All kinds of codes, no two of one width, so that `table` draws them differently."""
    return LatentSpace([Normal(3), Categorical(4), Uniform(2), Normal(1, informative=True)])


def player_networks(width, batch_normalization=False, activation="sigmoid", features=False):
    """Generator from `width` latents and discriminator, each with a convolution.

    Neither a bias before batch normalisation nor one that a Wasserstein loss cancels: from a
    gradient that is nothing but rounding, Adam makes a whole step.
    """
    normalize = [layers.BatchNormalization(momentum=0.9)] if batch_normalization else []
    use_bias = not batch_normalization
    generator = network(
        (width,),
        layers.Dense(48, use_bias=use_bias),
        *normalize,
        layers.Activation("tanh"),
        layers.Reshape((4, 4, 3)),
        UpConv2D(1, 4, strides=2, activation=activation),
    )
    image = keras.Input(IMAGE_SHAPE)
    x = layers.Conv2D(3, 4, strides=2, padding="same", use_bias=use_bias)(image)
    if batch_normalization:
        x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Dense(5, "tanh")(layers.Flatten()(layers.Activation("tanh")(x)))
    logits = layers.Dense(1, use_bias=False)(x)
    outputs = [logits, x] if features else logits
    return {"generator": generator, "discriminator": keras.Model(image, outputs)}


def info_gan(batch_normalization=False, activation="sigmoid", seed=1, **arguments):
    space = make_space()
    networks = player_networks(space.dim, batch_normalization, activation, features=True)
    q_head = QHead(space, hidden=6, batch_normalization=batch_normalization)
    return InfoGAN(**networks, q_head=q_head, space=space, seed=seed, **arguments)


def _ramped_info_gan():
    model = info_gan(q_trained_with="generator", information_weight=0.5)
    model.ramps["information_weight_categorical"].set(0.5, 2.0, 0, 8)
    return model


def progressive_networks(width=3, resolution=8, channels=4):
    """Players with stages of 4×4 pixels and up, of equal width: fewer shapes to compile for."""
    stages = {"resolution": resolution, "image_channels": 1, "max_channels": channels}
    return {
        "generator": ProgressiveGenerator(width, **stages),
        "discriminator": ProgressiveDiscriminator(**stages),
    }


def two_layer_generator(width, trainable=True):
    """A dense generator with the layers `first` and `last`."""
    generator = network(
        (width,),
        layers.Dense(5, "tanh", name="first"),
        layers.Dense(math.prod(IMAGE_SHAPE), "sigmoid", name="last"),
        layers.Reshape(IMAGE_SHAPE, name="pixels"),
    )
    generator.trainable = trainable
    return generator


def conditional_generator(width, num_classes):
    """A frozen functional generator of [z, label], with the same embeddings on every backend."""
    z, label = keras.Input((width,), name="z"), keras.Input((), dtype="int32", name="label")
    embedding = layers.Embedding(num_classes, 3)
    x = layers.Concatenate()([z, embedding(label)])
    x = layers.Dense(math.prod(IMAGE_SHAPE), "tanh")(layers.Dense(6, "tanh")(x))
    generator = keras.Model([z, label], layers.Reshape(IMAGE_SHAPE, name="pixels")(x))
    embedding.set_weights([noise_table(3)[:num_classes]])
    generator.trainable = False
    return generator


def reconstructor(num_directions):
    """From two images side by side in their channels to [logits, step]."""
    images = keras.Input((*IMAGE_SHAPE[:-1], 2 * IMAGE_SHAPE[-1]))
    x = layers.Dense(6, "tanh")(layers.Flatten()(images))
    return keras.Model(images, [layers.Dense(num_directions)(x), layers.Dense(1)(x)])


def _hessian_gan():
    networks = player_networks(3)
    settings = {"outputs": ["first", "last"], "epsilon": 0.5}
    model = GAN(two_layer_generator(3), networks["discriminator"], hessian_penalty=settings, seed=1)
    model.ramps["hessian_weight"].set(0.0, 0.5, 0, 4)
    return model


def _growing_gan():
    """All layers are in use only while the last fade in.

    Without much drift a Wasserstein loss cancels the bias of the logits: see `player_networks`.
    """
    model = ProgressiveGAN(
        **progressive_networks(),
        drift_weight=0.5,
        ema_half_life=20,
        hessian_penalty={"num_layers": 3, "unbiased": False},
        seed=1,
    )
    model.ramps["hessian_weight"].set(0.05, 0.05, 0, 0)
    model.ramps["fade"].set(0.25, 1.0, 0, 40)
    return model


def _growing_info_gan():
    space = LatentSpace([Normal(2, informative=True, posterior_std=1.0), Normal(3)])
    networks = progressive_networks(space.dim)
    networks["q_head"] = q_network(networks["discriminator"], space.num_params)
    model = ProgressiveInfoGAN(
        **networks, space=space, drift_weight=0.5, ema_half_life=None, seed=1
    )
    model.ramps["fade"].set(0.25, 1.0, 0, 40)
    return model


def _direction_discovery():
    settings = {"outputs": ["first", "last"], "epsilon": 0.5}
    return DirectionDiscovery(two_layer_generator(4, False), hessian_penalty=settings, seed=1)


def _direction_discovery_of_classes():
    directions = LatentDirections(6, 2, block=(1, 5), seed=1)
    return DirectionDiscovery(
        conditional_generator(6, 4), directions, labels=(3, 1), num_classes=4, seed=1
    )


def _shift_prediction():
    return ShiftPrediction(two_layer_generator(4, False), reconstructor(4), seed=1)


def vae_outputs(model):
    """What tells two models apart: all that they give without a draw."""
    return [*model.encode(IMAGES), model.reconstruct(IMAGES)]


def gan_outputs(model):
    return [model.sample(5, seed=0), model.predict(model.space.sample(3, seed=1), verbose=0)]


def encoder_outputs(model):
    return [*gan_outputs(model), *model.encode(IMAGES).values()]


def info_gan_outputs(model):
    return [*encoder_outputs(model), model.classify(IMAGES)]


def direction_outputs(model):
    return [model.sample(5, seed=0), model.directions.matrix()]


@dataclass(frozen=True)
class ModelRow:
    """A model of the common tests: how it is made, what it logs, what one compares of two."""

    build: Callable
    terms: tuple
    outputs: Callable = vae_outputs


HESSIAN = ("hessian_penalty", "hessian_weight")

# A new model class joins here with a row.
VAES = {
    "vae_bernoulli": ModelRow(
        lambda: VAE(**flat_networks(3), seed=1), ("loss", "reconstruction", "kl", "beta")
    ),
    "vae_gaussian": ModelRow(
        lambda: VAE(**flat_networks(3), observation="gaussian", seed=1),
        ("loss", "reconstruction", "kl", "beta", "log_std"),
    ),
    "beta_vae": ModelRow(_beta_vae, ("loss", "reconstruction", "kl", "beta")),
    "ladder_vae": ModelRow(
        lambda: LadderVAE(**conv_ladder(), seed=1),
        ("loss", "reconstruction", "kl_2", "kl_1", "beta"),
    ),
    "ladder_vae_hessian": ModelRow(
        _hessian_ladder, ("loss", "reconstruction", "kl_2", "kl_1", "beta", *HESSIAN)
    ),
    "progressive_ladder_vae": ModelRow(
        _mid_fade, ("loss", "reconstruction", "kl_2", "kl_1", "beta", "alpha_1")
    ),
    "teacher_student_vae": ModelRow(
        lambda: TeacherStudentVAE(trained_teacher(), **flat_networks(4), seed=1),
        ("loss", "reconstruction", "kl", "beta", "code_error", "jacobian_error", "jacobian_weight"),
    ),
    "discriminative_vae": ModelRow(
        _discriminative_vae,
        (
            *("loss", "reconstruction", "kl", "beta", "log_std"),
            *(
                f"{term}_{layer}"
                for term in ("features", "log_std", "feature_weight")
                for layer in ("norm", "hidden")
            ),
        ),
    ),
}

PLAYERS = ("discriminator_loss", "generator_loss", "discriminator_accuracy")
PENALTY = ("gradient_penalty", "penalty_weight")
GROWTH = ("drift", "stage", "fade")
CODES = tuple(
    f"{term}_{code.name}"
    for term in ("information", "entropy", "information_weight")
    for code in make_space().informative
)

GANS = {
    "gan_r1": ModelRow(
        lambda: GAN(**player_networks(3), gradient_penalty="r1", seed=1),
        (*PLAYERS, *PENALTY),
        gan_outputs,
    ),
    "wgan_gp": ModelRow(
        lambda: GAN(
            **player_networks(3),
            objective="wasserstein",
            gradient_penalty="wgan_gp",
            discriminator_steps=2,
            ema_decay=0.75,
            seed=1,
        ),
        (*PLAYERS[:2], *PENALTY),
        gan_outputs,
    ),
    "gan_tanh": ModelRow(
        lambda: GAN(
            **player_networks(3, batch_normalization=True, activation="tanh"),
            objective="hinge",
            ema_decay=0.5,
            seed=1,
        ),
        PLAYERS,
        gan_outputs,
    ),
    "info_gan": ModelRow(
        lambda: info_gan(batch_normalization=True), (*PLAYERS, *CODES), info_gan_outputs
    ),
    "info_gan_q_with_generator": ModelRow(_ramped_info_gan, (*PLAYERS, *CODES), info_gan_outputs),
    "info_gan_no_feedback": ModelRow(
        lambda: info_gan(feedback=False, objective="saturating"),
        (*PLAYERS, *CODES),
        info_gan_outputs,
    ),
    "gan_hessian": ModelRow(
        _hessian_gan,
        (*PLAYERS, *HESSIAN, "hessian_penalty_first", "hessian_penalty_last"),
        gan_outputs,
    ),
    "progressive_gan": ModelRow(
        _growing_gan,
        (
            *PLAYERS[:2],
            *PENALTY,
            *GROWTH,
            *HESSIAN,
            "hessian_penalty_dense_4x4",
            "hessian_penalty_conv_4x4",
            "hessian_penalty_conv0_8x8",
        ),
        gan_outputs,
    ),
    "progressive_info_gan": ModelRow(
        _growing_info_gan,
        (
            *PLAYERS[:2],
            *PENALTY,
            *GROWTH,
            "information_normal_1",
            "entropy_normal_1",
            "information_weight_normal_1",
        ),
        encoder_outputs,
    ),
}

DIRECTIONS = {
    "direction_discovery": ModelRow(
        _direction_discovery,
        ("hessian_penalty", "hessian_penalty_first", "hessian_penalty_last"),
        direction_outputs,
    ),
    "direction_discovery_classes": ModelRow(
        _direction_discovery_of_classes,
        ("hessian_penalty", "hessian_penalty_pixels"),
        direction_outputs,
    ),
    "shift_prediction": ModelRow(
        _shift_prediction,
        ("direction_loss", "step_loss", "direction_accuracy"),
        direction_outputs,
    ),
}

MODELS = {**VAES, **GANS, **DIRECTIONS}


def assign_by_hand(model, seed=0):
    """Gives every kernel and bias the same values on every backend."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name in ("kernel", "bias"):
            variable.assign(0.3 * rng.standard_normal(variable.shape))
    for layer in model._flatten_layers():
        if isinstance(layer, (EqualizedConv2D, EqualizedDense)):
            # These scale their kernels themselves. Next to the biases they must be large enough for
            # units to be on for some images and off for others: see `player_networks`.
            layer.kernel.assign(ops.convert_to_tensor(layer.kernel) * 4.0)


def noise_table(width):
    """The draws (64, width) that stand in for latent noise; a draw depends on its shape alone."""
    return np.random.default_rng(width).standard_normal((64, width)).astype("float32")


def uniform_table(width):
    """As `noise_table`, between 0 and 1."""
    return np.random.default_rng(width).random((64, width), dtype="float32")


def tabled_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """`keras.random.normal` with draws from `noise_table`; the batch may be a symbolic size."""
    return ops.cast(noise_table(shape[1]), dtype or "float32")[: shape[0]] * stddev + mean


def tabled_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """`keras.random.uniform` likewise, of shape (n, width) or (n, 1, ..., 1)."""
    table = uniform_table(shape[1]).reshape(64, *shape[1:])
    return ops.cast(table, dtype or "float32")[: shape[0]] * (maxval - minval) + minval


def tabled_randint(shape, minval, maxval, dtype="int32", seed=None):
    """`keras.random.randint` likewise, of shape (n, ...)."""
    table = np.random.default_rng(0).integers(minval, maxval, (64, *shape[1:]))
    return ops.cast(table, dtype)[: shape[0]]


TABLED = {"normal": tabled_normal, "uniform": tabled_uniform, "randint": tabled_randint}


def adams(model, learning_rate=1e-2, **arguments):
    """What `compile` needs: an Adam, or one for each slot of a model that trains in phases."""

    def adam():
        return keras.optimizers.Adam(learning_rate, **arguments)

    if isinstance(model, PhasedModel):
        return {f"{phase.slot}_optimizer": adam() for phase in model.phases()}
    return {"optimizer": adam()}


def fit(model, images=IMAGES, epochs=2, callbacks=(), compile_with=None, **arguments):
    """Compiles unless `compile_with` is False, trains in order, returns the history's dict.

    A model that takes no data makes one step an epoch, with as many latents as there are images.
    """
    if compile_with is not False:
        model.compile(**{**adams(model), **(compile_with or {})})
    arguments = {"batch_size": len(images), "verbose": 0, **arguments}
    if isinstance(model, FrozenGeneratorModel):
        images = 1  # steps
    else:
        arguments = {"shuffle": False, **arguments}
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
    return numbers(model.weights)


def numbers(variables):
    return [ops.convert_to_numpy(variable) for variable in variables]
