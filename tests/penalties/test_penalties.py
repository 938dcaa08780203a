"""How models take penalties, and what they refuse."""

import keras
import pytest
from keras import ops
from penalty_table import Moments, Smoothness, feature_matching
from tiny_networks import (
    IMAGES,
    conv_ladder,
    flat_networks,
    frozen_classifier,
    player_networks,
    progressive_networks,
    two_layer_generator,
)
from tiny_training import fit

from keras_disentangle.callbacks import ProgressiveGrowth
from keras_disentangle.losses import FeatureMatchingLoss
from keras_disentangle.models import (
    GAN,
    VAE,
    DirectionDiscovery,
    DiscriminativeVAE,
    LadderVAE,
    ProgressiveGAN,
)
from keras_disentangle.penalties import HessianPenalty, Penalty, PosteriorPenalty

pytestmark = pytest.mark.one_backend
EAGER = {"run_eagerly": True}


def test_the_argument_hessian_penalty_is_a_shorthand():
    settings = {"outputs": ["first", "last"], "epsilon": 0.5}

    def history(**arguments):
        keras.utils.set_random_seed(0)
        discriminator = player_networks(3)["discriminator"]
        model = GAN(two_layer_generator(3), discriminator, **arguments, seed=1)
        model.ramps["hessian_weight"].set(0.0, 0.5, 0, 2)
        return fit(model, compile_with=EAGER)

    penalty = HessianPenalty(weight=0.0, **settings)
    assert history(penalties=[penalty]) == history(hessian_penalty=settings)


def test_a_discriminative_vae_is_a_vae_with_feature_matching():
    def history(cls, **arguments):
        keras.utils.set_random_seed(0)
        loss = FeatureMatchingLoss(frozen_classifier(), ["norm", "hidden"])
        if cls is VAE:
            arguments = {"penalties": [feature_matching(loss=loss)], **arguments}
        else:
            arguments = {"feature_loss": loss, **arguments}
        common = {"observation": "gaussian", "pixel_scale": "full", "min_log_std": -4.0}
        model = cls(**flat_networks(3), **common, **arguments, seed=1)
        return fit(model, compile_with=EAGER)

    assert history(VAE) == history(DiscriminativeVAE)


def test_layers_of_a_growing_gan_that_are_not_in_use_are_left_out():
    penalty = HessianPenalty(["conv_4x4", "conv1_8x8"], weight=1e-3, every=2)
    late = HessianPenalty(["conv0_8x8"], weight=1e-3, name="late")
    model = ProgressiveGAN(**progressive_networks(), penalties=[penalty, late], seed=1)
    growth = ProgressiveGrowth(images_per_fade=16, images_per_stage=16)
    logs = fit(model, epochs=3, callbacks=[growth], compile_with=EAGER)
    assert logs["stage"] == [0, 1, 1]
    first, then = (logs[f"hessian_penalty_{layer}"] for layer in ("conv_4x4", "conv1_8x8"))
    assert first[0] > 0 and first[1] == 0 and first[2] > 0  # The steps 0 and 2.
    assert then[0] == then[1] == 0 and then[2] > 0
    assert logs["hessian_penalty"][2] == pytest.approx(first[2] + then[2])
    assert logs["late_penalty"][0] == 0 and logs["late_penalty"][2] > 0


def test_directions_along_which_two_penalties_look():
    penalties = [HessianPenalty(weight=1.0), Smoothness(weight=2.0, name="smooth")]
    model = DirectionDiscovery(two_layer_generator(4, False), penalties=penalties, seed=1)
    logs = fit(model, epochs=1, compile_with=EAGER)
    assert logs["hessian_penalty"][0] > 0 and logs["smooth_pixels"] == logs["smooth"]


def taken_by(cls, *penalties):
    networks = {
        GAN: lambda: player_networks(3),
        ProgressiveGAN: progressive_networks,
        VAE: lambda: flat_networks(3),
        DirectionDiscovery: lambda: {"generator": two_layer_generator(4, False)},
    }[cls]()
    return cls(**networks, penalties=penalties)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: taken_by(GAN, Moments()), "`penalties` of GAN must each be a `GeneratorPenalty`"),
        (
            lambda: taken_by(VAE, Penalty()),
            "`penalties` of VAE must each be a `GeneratorPenalty` or",
        ),
        (lambda: taken_by(GAN, 1), r"`penalties` must be a list of penalties.*\(1,\)"),
        (
            lambda: VAE(**flat_networks(3), penalties=HessianPenalty()),
            "`penalties` must be a list of penalties.* Received: penalties=<",
        ),
        (
            lambda: taken_by(GAN, HessianPenalty(), HessianPenalty()),
            r"another `name`. Received: 'hessian', which would log \['hessian_penalty'",
        ),
        (
            lambda: GAN(**player_networks(3), penalties=[HessianPenalty()], hessian_penalty={}),
            "another `name`. Received: 'hessian'",
        ),
        (lambda: taken_by(VAE, Moments(name="kl")), r"Received: 'kl', which would log \['kl'\]"),
        (
            lambda: taken_by(GAN, HessianPenalty(["nowhere"])),
            "`outputs` must be layers of the model.* Received: 'nowhere'",
        ),
        (
            lambda: taken_by(VAE, HessianPenalty(["nowhere"])),
            "`outputs` must be layers of.*nowhere",
        ),
        (
            lambda: LadderVAE(**conv_ladder(), penalties=[HessianPenalty(["dense"])]),
            "`outputs` must be None, the output of the decoder",
        ),
        (
            lambda: taken_by(ProgressiveGAN, HessianPenalty(["nowhere"])),
            r"`outputs` must be among the hidden layers of `generator`, \['dense_4x4'",
        ),
        (
            lambda: taken_by(DirectionDiscovery, Undirected()),
            r"must use random directions \(`num_directions`\)",
        ),
        (lambda: HessianPenalty(weight=-1), "`weight` must be .*Received: weight=-1"),
        (lambda: HessianPenalty(every=0), "`every` must be .*Received: every=0"),
        (lambda: HessianPenalty(name="a/b"), "`name` must be a string of letters.*name='a/b'"),
        (lambda: HessianPenalty(name=3), "`name` must be .*name=3"),
        (lambda: HessianPenalty(outputs=[1.5]), r"`outputs` must be None, names.*outputs=\[1.5\]"),
        (lambda: HessianPenalty(outputs=0), "`outputs` must be .*outputs=0"),
        (lambda: HessianPenalty(reduction=max), "`reduction` must be one of"),
        (lambda: HessianPenalty(num_directions=1), "`num_directions` must be"),
        (lambda: feature_matching(loss=3), "`feature_loss` must be a `FeatureMatchingLoss`"),
        (
            lambda: feature_matching(encoder_gradient="no"),
            "`encoder_gradient` must be .*encoder_gradient='no'",
        ),
        (
            lambda: VAE(**flat_networks(3, (16, 8, 1)), penalties=[feature_matching()]),
            "images|shape",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class Undirected(Smoothness):
    num_directions = 0


class Scaled(Moments):
    """Of which a file would not keep the scale."""

    def __init__(self, scale=2.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale


class Unfinished(Moments):
    def __init__(self):
        self.name = "unfinished"


class Misnamed(Moments):
    def evaluate(self, z, mean, log_var):
        return {"mean": ops.sum(mean), "other": ops.sum(z)}


class Wide(PosteriorPenalty):
    def evaluate(self, z, mean, log_var):
        return ops.square(mean)


class Empty(PosteriorPenalty):
    pass


def test_what_is_wrong_with_ones_own_penalty():
    with pytest.raises(ValueError, match=r"`get_config` of Scaled .* without \['scale'\]"):
        taken_by(VAE, Scaled())
    with pytest.raises(ValueError, match="`__init__` of Unfinished must call"):
        taken_by(VAE, Unfinished())
    for penalty, error, message in (
        (Misnamed(), ValueError, "`evaluate` of Misnamed must return .* the keys `parts`"),
        (Wide(), ValueError, r"scalars or tensors \(batch,\). Received: 'penalty' of shape"),
        (Empty(), NotImplementedError, "Empty must implement `evaluate`"),
    ):
        model = taken_by(VAE, penalty)
        model.compile("adam", run_eagerly=True)
        with pytest.raises(error, match=message):
            model.fit(IMAGES, verbose=0)


def test_images_out_of_a_classifiers_range_are_refused():
    loss = FeatureMatchingLoss(frozen_classifier(), ["norm"])
    loss.feature_model.preprocessing = "unit"
    model = VAE(**flat_networks(3), observation="gaussian", penalties=[feature_matching(loss=loss)])
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\] for the classifier"):
        model.encode(2 * IMAGES)
