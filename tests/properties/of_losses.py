"""Losses."""

import functools

import keras
import numpy as np
from hypothesis import strategies as st
from keras import ops
from properties._cases import LAYOUTS, Case, arrays, maybe, optional_seeds

from keras_disentangle import latents, losses

BATCH = (4, 3)
# Keras refuses lists of numbers as inputs.
INPUTS = tuple(name for name in LAYOUTS if name != "list")
pairs = arrays(BATCH)
images = arrays((2, 4, 4, 1), low=0, high=1)
logits = arrays((4, 1))
two_logits = arrays((4, 2))
objectives = st.sampled_from(losses.OBJECTIVES)
gradients = arrays((4, 2, 2, 1))
SPACE = latents.LatentSpace([latents.Normal(2, informative=True), latents.Categorical(3)])


def per_example(argument):
    return lambda arguments: np.shape(arguments[argument])[:1]


@functools.cache
def networks():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, "tanh", name="hidden")(inputs)
    generator = keras.Model(inputs, keras.layers.Dense(2, name="last")(hidden))
    image = keras.Input((4, 4, 1))
    maps = keras.layers.Conv2D(2, 3, name="maps")(image)
    classifier = keras.Model(
        image, keras.layers.Dense(2, name="logits")(keras.layers.Flatten()(maps))
    )
    classifier.trainable = False
    return generator, classifier


def penalty_of(model, inputs, **settings):
    penalty = losses.HessianPenaltyLoss(model, **settings)
    return penalty(ops.convert_to_tensor(inputs) if isinstance(inputs, np.ndarray) else inputs)


def features_of(x, reconstruction, **settings):
    return losses.FeatureMatchingLoss(**settings)(x, reconstruction)


PACKAGES = ("losses",)

TABLE = {
    # A tuple of names, and nothing to call.
    "OBJECTIVES": Case(lambda: len(losses.OBJECTIVES)),
    "gaussian_kl": Case(
        losses.gaussian_kl, {"mean": pairs, "log_var": pairs}, per_example("mean"), nan=True
    ),
    "adaptive_posteriors": Case(
        lambda **settings: sum(losses.adaptive_posteriors(**settings), ()),
        {
            **dict.fromkeys(("mean", "log_var", "other_mean", "other_log_var"), pairs),
            "average": maybe(st.sampled_from(("group", "multi_level"))),
            "symmetric": maybe(st.booleans()),
        },
        lambda a: (BATCH,) * 4,
        nan=True,
    ),
    "laplace_kl": Case(
        losses.laplace_kl,
        {
            **dict.fromkeys(("mean", "log_var", "location"), pairs),
            "rate": maybe(st.sampled_from((0.5, 6))),
        },
        per_example("mean"),
        nan=True,
    ),
    "bernoulli_nll": Case(
        losses.bernoulli_nll, {"x": images, "logits": images}, per_example("x"), nan=True
    ),
    "gaussian_nll": Case(
        losses.gaussian_nll,
        {
            "x": images,
            "mean": images,
            "log_std": st.one_of(st.sampled_from((0.0, -1, np.float32(0.5))), images),
        },
        per_example("x"),
        nan=True,
    ),
    "generator_loss": Case(
        losses.generator_loss, {"objective": objectives, "fake_logits": logits}, nan=True
    ),
    "discriminator_loss": Case(
        losses.discriminator_loss,
        {"objective": objectives, "real_logits": logits, "fake_logits": logits},
        nan=True,
    ),
    "direction_contrast": Case(
        losses.direction_contrast,
        {
            "changes": arrays((3, 2, 4)),
            "temperature": maybe(st.sampled_from((0.5, 2))),
            "absolute": maybe(st.booleans()),
        },
        lambda a: (3, 2),
        nan=True,
    ),
    "permute_codes": Case(
        losses.permute_codes, {"z": pairs, "noise": pairs}, lambda a: BATCH, nan=True
    ),
    "log_density_ratio": Case(
        losses.log_density_ratio, {"logits": two_logits}, per_example("logits"), nan=True
    ),
    "density_ratio_loss": Case(
        losses.density_ratio_loss,
        {"logits": two_logits, "permuted_logits": two_logits},
        per_example("logits"),
        nan=True,
    ),
    "r1_penalty": Case(losses.r1_penalty, {"gradients": gradients}, nan=True),
    "wgan_gp_penalty": Case(losses.wgan_gp_penalty, {"gradients": gradients}, nan=True),
    "convert_hessian_weight": Case(
        losses.convert_hessian_weight,
        {
            "weight": st.sampled_from((0, 0.1, 1)),
            "epsilon": maybe(st.sampled_from((0.1, 1))),
            "new_epsilon": maybe(st.sampled_from((None, 0.5))),
            "num_directions": maybe(st.integers(2, 4)),
            "new_num_directions": maybe(st.sampled_from((None, 2, 5))),
            "unbiased": maybe(st.booleans()),
            "new_unbiased": maybe(st.sampled_from((None, True))),
            "power": maybe(st.sampled_from((4, 2.0))),
        },
        lambda a: (),
    ),
    "hessian_penalty": Case(
        losses.hessian_penalty,
        {
            "fn": st.sampled_from((lambda z: z**2, lambda z: z[:, :1] * z[:, 1:2])),
            "z": arrays((4, 3), layouts=("tensor", "array")),
            "num_directions": maybe(st.integers(2, 3)),
            "epsilon": maybe(st.sampled_from((0.1, 0.5))),
            "reduction": maybe(st.sampled_from(("max", "mean"))),
            "normalized": maybe(st.booleans()),
            "method": maybe(st.just("finite_difference")),
            "unbiased": maybe(st.booleans()),
            "one_pass": maybe(st.booleans()),
            "seed": maybe(optional_seeds),
        },
        lambda a: (),
        nan=True,
    ),
    "orthogonal_jacobian": Case(
        losses.orthogonal_jacobian,
        {
            "fn": st.sampled_from((lambda z: z**2, lambda z: z[:, :1] + z[:, 1:2])),
            "z": arrays((4, 3), layouts=("tensor", "array")),
            "num_directions": maybe(st.integers(2, 3)),
            "epsilon": maybe(st.sampled_from((0.1, 0.5))),
            "reduction": maybe(st.sampled_from(("max", "mean"))),
            "method": maybe(st.sampled_from(("finite_difference", "exact"))),
            "unbiased": maybe(st.booleans()),
            "one_pass": maybe(st.just(False)),
            "seed": maybe(optional_seeds),
        },
        lambda a: (),
        nan=True,
    ),
    "HessianPenaltyLoss": Case(
        penalty_of,
        {
            "model": st.builds(lambda: networks()[0]),
            "inputs": arrays((4, 3), layouts=INPUTS),
            "outputs": maybe(st.sampled_from((None, ["hidden"], ["hidden", "last"]))),
            "argument": maybe(st.just(0)),
            "num_directions": maybe(st.just(2)),
            "epsilon": maybe(st.just(0.1)),
            "reduction": maybe(st.sampled_from(("max", "mean"))),
            "seed": maybe(optional_seeds),
        },
        lambda a: (),
        share=0.4,
        nan=True,
    ),
    "decomposed_kl": Case(
        lambda *args, **kwargs: ops.stack(losses.decomposed_kl(*args, **kwargs)),
        {
            "z": arrays((4, 3)),
            "mean": arrays((4, 3)),
            "log_var": arrays((4, 3)),
            "dataset_size": maybe(st.sampled_from((None, 4, 100))),
            "estimator": maybe(st.sampled_from(("weighted", "stratified"))),
        },
        lambda a: (3, 4),
        nan=True,
    ),
    "dip": Case(
        losses.dip,
        {
            "mean": arrays((4, 3)),
            "log_var": arrays((4, 3)),
            "kind": maybe(st.sampled_from(("i", "ii"))),
            "diagonal_weight": maybe(st.sampled_from((None, 2.0))),
        },
        lambda a: (),
        nan=True,
    ),
    "factorized_support": Case(
        losses.factorized_support,
        {"z": arrays((4, 3)), "num_shifts": maybe(st.sampled_from((None, 1, 3)))},
        lambda a: (),
        nan=True,
    ),
    "kernel_multi_information": Case(
        losses.kernel_multi_information,
        {
            "z": arrays((4, 3)),
            "continuous": maybe(arrays((4, 3))),
            "marginal_bandwidth": maybe(st.sampled_from(("scale", "silverman"))),
        },
        lambda a: (4,),
        nan=True,
    ),
    "quantization_loss": Case(
        losses.quantization_loss,
        {"continuous": arrays((4, 3)), "quantized": arrays((4, 3))},
        lambda a: (4,),
        nan=True,
    ),
    "commitment_loss": Case(
        losses.commitment_loss,
        {"continuous": arrays((4, 3)), "quantized": arrays((4, 3))},
        lambda a: (4,),
        nan=True,
    ),
    "information_lower_bound": Case(
        losses.information_lower_bound,
        {
            "space": st.just(SPACE),
            "q_params": arrays((4, SPACE.num_params)),
            "codes": arrays((4, SPACE.dim), low=0.1, high=0.9),
        },
        nan=True,
    ),
    "information_per_code": Case(
        losses.information_per_code,
        {
            "space": st.just(SPACE),
            "q_params": arrays((4, SPACE.num_params)),
            "codes": arrays((4, SPACE.dim), low=0.1, high=0.9),
        },
        nan=True,
    ),
    "FeatureMatchingLoss": Case(
        features_of,
        {
            "x": arrays((2, 4, 4, 1), low=0, high=1, layouts=INPUTS),
            "reconstruction": arrays((2, 4, 4, 1), low=0, high=1, layouts=INPUTS),
            "feature_model": st.builds(lambda: networks()[1]),
            "layers": st.sampled_from((["maps"], ["maps", "logits"])),
            "learn_scale": maybe(st.booleans()),
            "layer_weights": maybe(st.none()),
            "min_log_std": maybe(st.sampled_from((-4.0, None))),
            "scale": maybe(st.sampled_from(("full", "channel", "fixed"))),
        },
        share=0.2,
        nan=True,
    ),
}
