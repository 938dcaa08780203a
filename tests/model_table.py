"""The table of models that the common tests run over."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from tiny_networks import (
    IMAGE_SHAPE,
    IMAGES,
    conditional_flat_networks,
    conditional_generator,
    conditional_players,
    conv_ladder,
    dense,
    flat_networks,
    frozen_classifier,
    make_space,
    network,
    player_networks,
    progressive_networks,
    reconstructor,
    two_layer_generator,
)

from keras_disentangle.applications.progressive_gan.networks import q_network
from keras_disentangle.latents import Labels, LatentSpace, Normal
from keras_disentangle.layers import LatentDirections, QHead, RandomAffine
from keras_disentangle.losses import FeatureMatchingLoss
from keras_disentangle.models import (
    DIPVAE,
    GAN,
    QLAE,
    VAE,
    AdaGVAE,
    AnnealedVAE,
    BetaTCVAE,
    DirectionDiscovery,
    DiscriminativeVAE,
    FactorVAE,
    InfoGAN,
    InfoGANCR,
    LadderVAE,
    LatentCLR,
    ProgressiveGAN,
    ProgressiveInfoGAN,
    ProgressiveLadderVAE,
    ShiftPrediction,
    SlowVAE,
    TeacherStudentVAE,
    Tripod,
)
from keras_disentangle.penalties import HessianPenalty


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


def _ramped_beta_tc_vae():
    model = BetaTCVAE(**flat_networks(3), dataset_size=100, estimator="stratified", seed=1)
    model.ramps["beta"].set(2.0, 6.0, 0, 8)
    return model


def _ramped_annealed_vae():
    model = AnnealedVAE(**flat_networks(3), gamma=3.0, seed=1)
    model.ramps["capacity"].set(0.0, 4.0, 0, 8)
    return model


def _mid_fade():
    model = ProgressiveLadderVAE(**conv_ladder(), beta=2.0, seed=1)
    model.ramps["alpha_1"].set(0.25, 1.0, 0, 8)
    return model


def _discriminative_vae():
    feature_loss = FeatureMatchingLoss(frozen_classifier(), ["norm", "hidden"])
    model = DiscriminativeVAE(**flat_networks(3), feature_loss=feature_loss, seed=1)
    model.ramps["feature_weight_norm"].set(0.5, 2.0, 0, 8)
    return model


def factor_vae(seed=1, **arguments):
    """With a smaller discriminator than by default."""
    discriminator = network((3,), keras.layers.Dense(5, "tanh"), keras.layers.Dense(2))
    return FactorVAE(**flat_networks(3), discriminator=discriminator, seed=seed, **arguments)


def _ramped_factor_vae():
    model = factor_vae(observation="gaussian", beta=2.0)
    model.ramps["gamma"].set(4.0, 20.0, 0, 8)
    return model


def _ramped_slow_vae():
    model = SlowVAE(**flat_networks(3), observation="gaussian", rate=2.0, seed=1)
    model.ramps["gamma"].set(1.0, 10.0, 0, 8)
    return model


def info_gan(batch_normalization=False, activation="sigmoid", seed=1, **arguments):
    space = make_space()
    networks = player_networks(space.dim, batch_normalization, activation, features=True)
    q_head = QHead(space, hidden=6, batch_normalization=batch_normalization)
    return InfoGAN(**networks, q_head=q_head, space=space, seed=seed, **arguments)


def info_gan_cr(seed=1, **arguments):
    """Of two images side by side in their channels, four factors could be the same."""
    space = make_space()
    contrastive = network(
        (8, 8, 2), keras.layers.Flatten(), keras.layers.Dense(5, "tanh"), keras.layers.Dense(4)
    )
    q_head = QHead(space, hidden=6, batch_normalization=False)
    networks = player_networks(space.dim, features=True)
    return InfoGANCR(
        **networks,
        q_head=q_head,
        space=space,
        contrastive_discriminator=contrastive,
        seed=seed,
        **arguments,
    )


def _ramped_info_gan_cr():
    model = info_gan_cr(gap=0.5, contrastive_weight=0.5)
    model.ramps["contrastive_weight"].set(0.5, 4.0, 0, 8)
    model.ramps["gap"].set(0.5, 0.0, 2, 8)
    return model


def _ramped_info_gan():
    model = info_gan(q_trained_with="generator", information_weight=0.5)
    model.ramps["information_weight_categorical"].set(0.5, 2.0, 0, 8)
    return model


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


def _qlae():
    networks = flat_networks(3)
    networks["encoder"] = dense(IMAGE_SHAPE, 3, None)
    model = QLAE(**networks, num_values=4, seed=1)
    model.ramps["commitment_weight"].set(1.0, 3.0, 0, 8)
    return model


def _tripod():
    decoder = two_layer_generator(3)
    decoder.get_layer("last").activation = keras.activations.linear
    encoder = dense(IMAGE_SHAPE, 3, None)
    # Large steps and many directions: neither differences nor quotients magnify rounding errors.
    settings = {"hessian_weight": 0.01, "num_directions": 6, "epsilon": 1.0}
    return Tripod(encoder, decoder, 4, outputs=["first"], **settings, seed=1)


def quantized_outputs(model):
    return [model.encode(IMAGES), model.reconstruct(IMAGES), model.sample(3, seed=0)]


def _conditional_gan():
    return GAN(
        **conditional_players(3, 4),
        labels=4,
        auxiliary_head=keras.layers.Dense(4),
        penalties=[HessianPenalty(["first"], weight=0.5, epsilon=0.5)],
        seed=1,
    )


def _conditional_vae():
    penalty = HessianPenalty(weight=0.5, one_pass=True)
    networks = conditional_flat_networks(3, 4)
    return VAE(**networks, labels=Labels(4), penalties=[penalty], seed=1)


def conditional_gan_outputs(model):
    return [model.sample(5, seed=0), model.sample(4, seed=0, labels=[0, 1, 2, 3])]


def conditional_vae_outputs(model):
    labels = np.arange(len(IMAGES)) % 4
    return [*model.encode(IMAGES, labels), model.reconstruct(IMAGES, labels)]


def _latent_clr():
    return LatentCLR(two_layer_generator(4, False), outputs="first", path_size=1.0, seed=1)


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

# These train on pairs of images.
PAIRED = {
    "ada_gvae": ModelRow(
        lambda: AdaGVAE(**flat_networks(3), beta=2.0, seed=1),
        ("loss", "reconstruction", "kl", "beta"),
    ),
    "slow_vae": ModelRow(
        _ramped_slow_vae,
        ("loss", "reconstruction", "kl", "beta", "log_std", "kl_laplace", "gamma"),
    ),
}

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
    "beta_tc_vae": ModelRow(
        _ramped_beta_tc_vae,
        (
            *("loss", "reconstruction", "kl", "beta"),
            *("total_correlation", "mutual_information", "dimension_wise_kl"),
        ),
    ),
    "dip_vae": ModelRow(
        lambda: DIPVAE(**flat_networks(3), weight=0.5, kind="ii", seed=1),
        ("loss", "reconstruction", "kl", "beta", "dip", "dip_weight"),
    ),
    "annealed_vae": ModelRow(
        _ramped_annealed_vae,
        (
            *("loss", "reconstruction", "kl", "beta"),
            *("capacity_gap", "capacity", "capacity_weight"),
        ),
    ),
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
    "factor_vae": ModelRow(
        _ramped_factor_vae,
        (
            *("loss", "reconstruction", "kl", "beta", "log_std", "total_correlation", "gamma"),
            *("discriminator_loss", "discriminator_accuracy"),
        ),
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
    **PAIRED,
}


QUANTIZED = {
    "qlae": ModelRow(
        _qlae,
        (
            *("loss", "commitment", "quantization", "reconstruction"),
            *("quantization_weight", "commitment_weight"),
        ),
        quantized_outputs,
    ),
    "tripod": ModelRow(
        _tripod,
        (
            *("loss", "reconstruction", "multi_information", "multi_information_weight"),
            *("hessian_penalty", "hessian_penalty_first", "hessian_weight"),
        ),
        quantized_outputs,
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
    "info_gan_augmentation": ModelRow(
        lambda: info_gan(q_augmentation=RandomAffine(45.0, 0.5, 0.2, 0.2)),
        (*PLAYERS, *CODES),
        info_gan_outputs,
    ),
    "info_gan_cr": ModelRow(
        _ramped_info_gan_cr,
        (
            *(*PLAYERS, *CODES, "contrastive_loss", "contrastive_accuracy"),
            *("contrastive_weight", "gap"),
        ),
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


CONDITIONAL = {
    "conditional_gan": ModelRow(
        _conditional_gan,
        (
            *PLAYERS,
            *("class_loss_real", "class_loss_fake", "auxiliary_weight"),
            *HESSIAN,
            "hessian_penalty_first",
        ),
        conditional_gan_outputs,
    ),
    "conditional_vae": ModelRow(
        _conditional_vae,
        ("loss", "reconstruction", "kl", "beta", *HESSIAN),
        conditional_vae_outputs,
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
    "latent_clr": ModelRow(
        _latent_clr, ("contrastive_loss", "contrastive_accuracy"), direction_outputs
    ),
    "shift_prediction": ModelRow(
        _shift_prediction,
        ("direction_loss", "step_loss", "direction_accuracy"),
        direction_outputs,
    ),
}


MODELS = {**VAES, **QUANTIZED, **GANS, **CONDITIONAL, **DIRECTIONS}
