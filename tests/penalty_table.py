"""The table of penalties that the common tests run over, and the models that take them."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops
from model_table import factor_vae, info_gan, trained_teacher
from tiny_networks import (
    IMAGE_SHAPE,
    conv_ladder,
    dense,
    flat_networks,
    frozen_classifier,
    player_networks,
    progressive_networks,
    two_layer_generator,
)

from keras_disentangle.losses import FeatureMatchingLoss
from keras_disentangle.models import (
    GAN,
    QLAE,
    VAE,
    DirectionDiscovery,
    DiscriminativeVAE,
    LadderVAE,
    ProgressiveGAN,
    ProgressiveLadderVAE,
    TeacherStudentVAE,
)
from keras_disentangle.penalties import (
    DIP,
    Capacity,
    FactorizedSupport,
    FeatureMatching,
    GeneratorPenalty,
    HessianPenalty,
    KernelMultiInformation,
    OrthogonalJacobian,
    PosteriorPenalty,
    ReconstructionPenalty,
    TotalCorrelation,
)

# One of each kind that a user may write.


@keras.saving.register_keras_serializable("tests")
class Smoothness(GeneratorPenalty):
    """How much what is generated changes along a random direction, for each code."""

    num_directions = 1

    def evaluate(self, fn, z, directions):
        near, far = fn(z), fn(z + 0.5 * directions[:, 0])
        return keras.tree.map_structure(
            lambda a, b: ops.sum(ops.square(a - b), axis=tuple(range(1, len(a.shape)))), near, far
        )


@keras.saving.register_keras_serializable("tests")
class Moments(PosteriorPenalty):
    """Squares of the means and of the samples, in two parts: a scalar, and one for each image."""

    parts = ("mean", "sample")

    def evaluate(self, z, mean, log_var):
        return {
            "mean": ops.mean(ops.square(mean)),
            "sample": ops.sum(ops.square(z) + ops.exp(log_var), axis=-1),
        }


@keras.saving.register_keras_serializable("tests")
class Brightness(ReconstructionPenalty):
    """The difference of the means, for each image."""

    def evaluate(self, x, reconstruction):
        return ops.square(ops.mean(x - reconstruction, axis=(1, 2, 3)))


def feature_matching(loss=None, **settings):
    if loss is None:
        loss = FeatureMatchingLoss(frozen_classifier(), ["norm"], layer_weights=[0.5])
    return FeatureMatching(loss, **settings)


@dataclass(frozen=True)
class PenaltyRow:
    """A penalty of the common tests: how it is made, what it logs, the models that it skips."""

    build: Callable
    terms: tuple
    skipped: tuple = ()


# A new penalty joins here with a row. A model takes all that are of a kind that it takes.
PENALTIES = {
    "hessian": PenaltyRow(
        lambda: HessianPenalty(weight=0.1, reduction="mean"), ("hessian_penalty", "hessian_weight")
    ),
    "hessian_seldom": PenaltyRow(
        lambda: HessianPenalty(weight=0.1, every=2, method="exact", name="seldom"),
        ("seldom_penalty", "seldom_weight"),
        # Its units are leaky: piecewise linear.
        skipped=("progressive_gan",),
    ),
    "jacobian": PenaltyRow(
        lambda: OrthogonalJacobian(weight=1e-3, every=2),
        ("jacobian_penalty", "jacobian_weight"),
    ),
    "hessian_normalized": PenaltyRow(
        lambda: HessianPenalty(weight=0.1, normalized=True, name="share"),
        ("share_penalty", "share_weight"),
    ),
    "smoothness": PenaltyRow(
        lambda: Smoothness(weight=0.1, every=2, name="smoothness"),
        ("smoothness", "smoothness_weight"),
    ),
    "moments": PenaltyRow(
        lambda: Moments(weight=0.1, name="moments"),
        ("moments", "moments_mean", "moments_sample", "moments_weight"),
    ),
    "total_correlation": PenaltyRow(
        lambda: TotalCorrelation(
            0.1, every=2, dataset_size=100, estimator="stratified", mutual_information_weight=0.2
        ),
        (
            *("total_correlation", "mutual_information", "dimension_wise_kl"),
            *("total_correlation_weight", "mutual_information_weight", "dimension_wise_kl_weight"),
        ),
    ),
    "dip": PenaltyRow(lambda: DIP(0.1, kind="ii"), ("dip", "dip_weight")),
    "capacity": PenaltyRow(
        lambda: Capacity(0.1, capacity=2.0), ("capacity_gap", "capacity", "capacity_weight")
    ),
    "factorized_support": PenaltyRow(
        lambda: FactorizedSupport(weight=0.1, name="support"), ("support", "support_weight")
    ),
    "kernel_multi_information": PenaltyRow(
        lambda: KernelMultiInformation(weight=0.1, every=2, name="dependence"),
        ("dependence", "dependence_weight"),
    ),
    "moments_seldom": PenaltyRow(
        lambda: Moments(weight=None, every=2, name="late"), ("late", "late_mean", "late_sample")
    ),
    "brightness": PenaltyRow(
        lambda: Brightness(weight=0.1, every=2, name="brightness", encoder_gradient=False),
        ("brightness", "brightness_weight"),
    ),
    "feature_matching": PenaltyRow(
        lambda: feature_matching(every=2),
        ("features_norm", "feature_weight_norm", "log_std_norm"),
        skipped=("discriminative_vae",),  # It has one.
    ),
}


def _discriminative_vae(**settings):
    loss = FeatureMatchingLoss(frozen_classifier(), ["hidden"])
    return DiscriminativeVAE(**flat_networks(3), feature_loss=loss, **settings)


def _qlae(**settings):
    networks = {**flat_networks(3), "encoder": dense(IMAGE_SHAPE, 3, None)}
    return QLAE(**networks, num_values=4, **settings)


@dataclass(frozen=True)
class Taker:
    """A model of the common tests: how it is made with penalties, and of which kinds."""

    build: Callable
    kinds: tuple = (GeneratorPenalty, PosteriorPenalty, ReconstructionPenalty)


OF_GENERATORS = (GeneratorPenalty,)

# A model that takes penalties joins here with a row.
TAKERS = {
    "gan": Taker(lambda **s: GAN(**player_networks(3), **s), OF_GENERATORS),
    "info_gan": Taker(info_gan, OF_GENERATORS),
    "progressive_gan": Taker(
        lambda **s: ProgressiveGAN(**progressive_networks(), **s), OF_GENERATORS
    ),
    "direction_discovery": Taker(
        lambda **s: DirectionDiscovery(two_layer_generator(4, False), **s), OF_GENERATORS
    ),
    "vae": Taker(lambda **s: VAE(**flat_networks(3), **s)),
    "ladder_vae": Taker(lambda **s: LadderVAE(**conv_ladder(), **s)),
    "progressive_ladder_vae": Taker(lambda **s: ProgressiveLadderVAE(**conv_ladder(), **s)),
    "teacher_student_vae": Taker(
        lambda **s: TeacherStudentVAE(trained_teacher(), **flat_networks(4), **s)
    ),
    "factor_vae": Taker(factor_vae),
    "discriminative_vae": Taker(_discriminative_vae),
    "qlae": Taker(
        _qlae,
        # Those of posteriors that need no variance.
        (FactorizedSupport, GeneratorPenalty, KernelMultiInformation, ReconstructionPenalty),
    ),
}
