"""Penalties: made with drawn settings, made again from their configuration, and evaluated."""

import numpy as np
from hypothesis import strategies as st
from keras import ops
from properties._cases import Case, arrays, maybe
from tiny_networks import frozen_classifier

from keras_disentangle import losses, penalties

codes = arrays((2, 3), (1, 3), layouts=("array", "read-only"))
settings = {
    "weight": maybe(st.sampled_from((None, 0, 0.5, np.float32(2)))),
    "every": maybe(st.integers(1, 3)),
}
named = {**settings, "name": maybe(st.sampled_from(("penalty", "a_1")))}
outputs = {"outputs": maybe(st.sampled_from((None, "a", ["a", "b"], 3)))}


def again(make):
    def call(**arguments):
        penalty = make(**arguments)
        same = type(penalty).from_config(penalty.get_config())
        assert same.get_config() == penalty.get_config()
        return float(len(same.terms(("part",))))

    return call


def along_directions(make):
    def call(z, **arguments):
        penalty = make(**arguments)
        directions = penalty.draw(ops.shape(z), 0)
        return penalty.evaluate(lambda z: z[:, :1] * z[:, 1:], z, directions)

    return call


of_generators = {
    **named,
    **outputs,
    "z": codes,
    "num_directions": maybe(st.integers(2, 3)),
    "epsilon": maybe(st.sampled_from((0.1, 1, np.float32(0.5)))),
    "reduction": maybe(st.sampled_from(("max", "mean"))),
    "unbiased": maybe(st.booleans()),
}


def feature_matching(**arguments):
    loss = losses.FeatureMatchingLoss(frozen_classifier(), ["norm"])
    penalty = penalties.FeatureMatching(loss, **arguments)
    return float(len(penalty.terms(penalty.parts)))


PACKAGES = ("penalties",)

TABLE = {
    "Penalty": Case(again(penalties.Penalty), named),
    "PosteriorPenalty": Case(again(penalties.PosteriorPenalty), named),
    "ReconstructionPenalty": Case(
        again(penalties.ReconstructionPenalty),
        {**named, "encoder_gradient": maybe(st.booleans())},
    ),
    "GeneratorPenalty": Case(again(penalties.GeneratorPenalty), {**named, **outputs}),
    **{
        make.__name__: Case(
            along_directions(make),
            {**of_generators, **more},
            lambda a: (),
            fixed=("z",),
            share=0.3,
            nan=True,
        )
        for make, more in (
            (penalties.HessianPenalty, {"normalized": maybe(st.booleans())}),
            (penalties.OrthogonalJacobian, {}),
        )
    },
    "TotalCorrelation": Case(
        again(penalties.TotalCorrelation),
        {
            **named,
            "dataset_size": maybe(st.sampled_from((None, 100))),
            "estimator": maybe(st.sampled_from(("weighted", "stratified"))),
        },
    ),
    "DIP": Case(
        again(penalties.DIP),
        {
            **named,
            "kind": maybe(st.sampled_from(("i", "ii"))),
            "diagonal_weight": maybe(st.sampled_from((None, 2.0))),
        },
    ),
    "Capacity": Case(
        again(penalties.Capacity), {**named, "capacity": maybe(st.sampled_from((0.0, 5)))}
    ),
    "FactorizedSupport": Case(
        again(penalties.FactorizedSupport),
        {
            **named,
            "num_shifts": maybe(st.sampled_from((None, 1, 3))),
            "of": maybe(st.sampled_from(("mean", "sample"))),
        },
    ),
    "KernelMultiInformation": Case(
        again(penalties.KernelMultiInformation),
        {**named, "marginal_bandwidth": maybe(st.sampled_from(("scale", "silverman")))},
    ),
    "FeatureMatching": Case(
        feature_matching,
        {"every": settings["every"], "encoder_gradient": maybe(st.booleans())},
        share=0.1,
    ),
}
