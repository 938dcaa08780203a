"""Callbacks: made, copied, and told of a training that begins."""

import copy

import numpy as np
from hypothesis import strategies as st
from properties._cases import NUMPY, Case, arrays, maybe, seeds
from properties.of_models import SHAPE, shared

from keras_disentangle import callbacks, datasets

logs = st.sampled_from(("logs", "more/logs"))
counts = st.integers(1, 3)
SIZES = (2, 1, 3)


def grid():
    images = np.random.default_rng(0).integers(0, 256, (6, *SHAPE), dtype="uint8")
    return datasets.ArrayFactorDataset(images, SIZES, ("a", "b", "c"))


def begun(make, model):
    """Makes it, and lets training begin; what it raises then is a refusal as well."""

    def call(**settings):
        callback = make(**settings)
        callback.set_model(shared(model))
        callback.set_params({"epochs": 4, "steps": 3, "batch_size": 2, "verbose": 0})
        callback.on_train_begin()
        assert copy.copy(callback) is not callback

    return call


def constructed(make):
    return lambda **settings: make(**settings) and None


PACKAGES = ("callbacks",)

TABLE = {
    "DirectionTraversal": Case(
        begun(callbacks.DirectionTraversal, "direction_discovery"),
        {
            "log_dir": logs,
            "every": maybe(counts),
            "latents": maybe(st.one_of(st.none(), arrays((4,), (2, 4)))),
            "num_latents": maybe(counts),
            "span": maybe(st.sampled_from((1, 2.5))),
            "steps": st.integers(2, 3),
            "max_directions": maybe(st.sampled_from((None, 1, 9))),
            "orthogonal": maybe(st.booleans()),
            "batch_size": maybe(counts),
            "seed": maybe(seeds),
        },
        share=0.2,
    ),
    "ExactBackup": Case(
        constructed(callbacks.ExactBackup),
        {
            "path": logs,
            "save_freq": maybe(st.sampled_from(("epoch", 1, 5))),
            "data": maybe(st.sampled_from((None, np.zeros((4, 2))))),
        },
        # What cannot be read again in the same order is refused as data.
        share=0.3,
    ),
    "ExperimentTracker": Case(
        begun(callbacks.ExperimentTracker, "vae_bernoulli"),
        {
            "tracker": st.just(lambda numbers, pictures, step: None),
            "log_dir": maybe(st.one_of(st.none(), logs)),
            "every": maybe(st.sampled_from((None, 1, 5))),
        },
        share=0.3,
    ),
    "FactorMetrics": Case(
        begun(callbacks.FactorMetrics, "vae_bernoulli"),
        {
            "dataset": st.builds(grid),
            "every": maybe(counts),
            "max_share": maybe(st.sampled_from((None, 0.05, 1))),
            "metrics": maybe(st.sampled_from(("modularity", ["irs"]))),
            "num_samples": st.just(6),
            "num_votes": st.integers(1, 4),
            "options": st.just(
                {name: {"num_bins": 2} for name in ("mig", "mig_sup", "modularity")}
            ),
            "seed": maybe(seeds),
        },
        share=0.2,
    ),
    "InformationFlow": Case(
        begun(callbacks.InformationFlow, "progressive_ladder_vae"),
        {
            "log_dir": logs,
            "images": st.just(grid()).map(lambda data: data.images(np.arange(6))),
            "num_samples": st.integers(1, 9),
            "seed": maybe(seeds),
        },
        share=0.2,
    ),
    "LatentTraversal": Case(
        begun(callbacks.LatentTraversal, "vae_bernoulli"),
        {
            "log_dir": logs,
            "every": maybe(counts),
            "images": maybe(
                st.one_of(st.none(), arrays((1, *SHAPE), low=0, high=1, layouts=NUMPY))
            ),
            "span": maybe(st.sampled_from((1, 2.5))),
            "steps": st.integers(2, 3),
            "num_samples": maybe(counts),
            "seed": maybe(seeds),
        },
        share=0.2,
    ),
    "ProgressiveFadeIn": Case(
        constructed(callbacks.ProgressiveFadeIn),
        {
            "epochs_per_stage": counts,
            "steps_per_stage": maybe(st.none()),
            "fade_steps": maybe(st.sampled_from((0, 1))),
        },
        share=0.3,
    ),
    "ProgressiveGrowth": Case(
        constructed(callbacks.ProgressiveGrowth),
        {
            "images_per_fade": maybe(st.sampled_from((0, 10))),
            "images_per_stage": maybe(counts),
            "reset_optimizer": maybe(st.booleans()),
        },
        share=0.3,
    ),
    "RampWeight": Case(
        begun(callbacks.RampWeight, "vae_bernoulli"),
        {
            "name": st.just("beta"),
            "target": st.sampled_from((0, 0.5, 2)),
            "steps": st.sampled_from((0, 5)),
            "start": maybe(st.sampled_from((None, 0, 1.0))),
        },
        share=0.3,
    ),
    "TensorBoardScalars": Case(
        begun(callbacks.TensorBoardScalars, "vae_bernoulli"),
        {"log_dir": logs, "every": maybe(st.sampled_from((None, 1, 5)))},
        share=0.3,
    ),
}
