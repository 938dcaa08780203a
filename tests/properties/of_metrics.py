"""Metrics, and the two functions that measure a model."""

import functools

import keras
import numpy as np
from hypothesis import strategies as st
from properties._cases import DTYPES, LAYOUTS, Case, arrays, maybe, optional_seeds, seeds

import keras_disentangle as kd
from keras_disentangle import metrics

N = 24
codes = arrays((N, 3), (N, 1))
matrices = arrays((N, 3))
factors = arrays((N, 2), (N, 1), low=0, high=2, integer=True)
log_vars = arrays((N, 3), low=-5, high=1)
images = arrays((3, 4, 4, 3), low=0, high=1)
points = arrays((2, 2), (1, 2))
held_out = st.just(np.arange(N) % 3 == 0)
bins = st.integers(1, N)
small = st.integers(1, 6)
of_codes = {"codes": codes, "factors": factors}
labels = arrays((9,), low=-3, high=3, integer=True)
GRID = kd.datasets.ArrayFactorDataset(
    (40 * np.indices((2, 1, 3)).reshape(3, 6).T).astype(np.uint8)[:, None, None],
    (2, 1, 3),
    ("a", "b", "c"),
)
KINDS = {**LAYOUTS, **DTYPES}


def scalar(arguments):
    return ()


def encoder(kind):
    """From images to codes, given as one kind of array or tensor."""
    return lambda x: KINDS[kind](np.reshape(x, (len(x), -1)).astype("float32"))


encoders = st.sampled_from(list(KINDS)).map(encoder)


class Model:
    """What `evaluate` and `importance_nll` take."""

    def __init__(self, kind):
        self.codes = encoder(kind)

    def encode(self, x):
        z = np.reshape(x, (len(x), -1))[:, :3].astype("float32")
        return self.codes(z), self.codes(0 * z - 1)

    def log_likelihood(self, x, z):
        return -0.5 * np.square(np.asarray(z)).sum(axis=1)


models = st.sampled_from(list(KINDS)).map(Model)


def generator(kind):
    """From codes (n, 2) to (n, 2, 1, 1)."""
    return lambda z: LAYOUTS[kind](
        np.stack([z[:, 0] * z[:, -1], z[:, 0] ** 2], axis=1).astype("float32")[:, :, None, None]
    )


generators = st.sampled_from(list(LAYOUTS)).map(generator)
spaces = st.sampled_from(
    (
        2,
        kd.latents.LatentSpace([kd.latents.Normal(2)]),
        kd.latents.LatentSpace([kd.latents.Uniform(2)]),
    )
)
hessian = {
    "fn": generators,
    "z": points,
    "epsilon": maybe(st.sampled_from((0.1, 1, np.float32(0.5)))),
    "directions": maybe(st.one_of(st.none(), arrays((2, 2), (3, 2), low=0.1))),
    "batch_size": maybe(st.integers(4, 9)),
}


def axes(arguments):
    given = arguments.get("directions")
    return 2 if given is None else np.shape(given)[0]


@functools.cache
def network():
    inputs = keras.Input((4, 4, 3))
    return keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))


def features(images, **settings):
    made = metrics.ImageFeatures(**settings)
    return made(images)


def distance(images_a, images_b, **settings):
    return metrics.feature_distance(**settings)(images_a, images_b)


networks = st.builds(network)

# Strategies of what metrics are of and of their options, by their names: a metric without a row
# below is drawn by what it declares.
OF = {
    **of_codes,
    **{"mean": matrices, "log_var": log_vars, "encode": encoders, "dataset": st.just(GRID)},
    **{"clusters": labels, "labels": labels, "features_a": matrices, "features_b": matrices},
}
OPTIONS = {
    "seed": maybe(optional_seeds),
    "held_out": maybe(st.one_of(st.none(), held_out)),
    "num_bins": maybe(bins),
    "active": maybe(st.sampled_from((None, [True, False, True], np.zeros(3, bool)))),
    "estimator": maybe(st.just("binned")),
    "continuous": maybe(st.booleans()),
    "method": maybe(st.sampled_from(("pearson", "spearman"))),
    "scaled": maybe(st.booleans()),
    "num_batches": maybe(small),
    "top_k": maybe(st.sampled_from((None, 1, 2))),
    "discrete_codes": maybe(st.just(False)),
    "min_range": maybe(st.sampled_from((0, 0.1))),
    "num_neighbors": maybe(st.integers(1, 5)),
    "quantile": maybe(st.sampled_from((0.5, 1))),
    "rungs": maybe(st.sampled_from((None, [3], [1, 2], (2, 1), np.array([1, 1, 1])))),
    "factors_used": maybe(st.sampled_from((None, [0], (0,), np.array([0])))),
    "num_samples": st.integers(1, 30),
    "num_train": st.integers(1, 12),
    "num_eval": st.integers(1, 8),
    "num_variance": st.integers(2, 20),
    "batch_size": st.integers(2, 4),
    "encode_batch": maybe(small),
    "threshold": maybe(st.sampled_from((0, 0.05, 10))),
}
SHARES = {"dci": 0.3, "explicitness": 0.5}


def declared(metric):
    """The case of a metric, by what it declares."""
    arguments = {name: OF[name] for name in metric.of}
    arguments |= {name: OPTIONS[name] for name in metric.options}
    if "active" in metric.options:  # It has an entry for each of three dimensions.
        arguments["codes"] = matrices
    return Case(
        metric.function,
        arguments,
        scalar if len(metric.scores) == 1 else None,
        share=SHARES.get(metric.name, 1.0),
        # Of dependent codes the total correlation is infinite.
        nan=metric.name == "unsupervised",
    )


DECLARED = {
    metric.function.__name__: declared(metric)
    for metric in metrics.METRICS.values()
    if set(metric.of) <= set(OF)
}

PACKAGES = ("metrics", "keras_disentangle")

TABLE = DECLARED | {
    "METRICS": Case(lambda: len(metrics.METRICS)),
    "Metric": Case(
        lambda **settings: metrics.Metric(**settings)(np.zeros(3)),
        {
            "function": st.just(np.mean).map(lambda mean: lambda codes: {"a": float(mean(codes))}),
            "name": st.just("mean"),
            "scores": maybe(st.sampled_from((None, [metrics.Score("mean", "a")]))),
            "learns": maybe(st.booleans()),
            "interval": maybe(st.sampled_from((None, "resamples"))),
            "needs_grid": maybe(st.booleans()),
        },
        fixed=("function",),
        nan=True,
    ),
    "Score": Case(
        metrics.Score,
        {
            "name": st.just("a"),
            "key": maybe(st.sampled_from((None, "b"))),
            "bounds": maybe(st.sampled_from(((0, 1), [0.0, np.inf]))),
            "better": maybe(st.sampled_from((None, "higher", "lower"))),
            "random": maybe(st.sampled_from((None, 0, 0.5))),
            "one_to_one": maybe(st.sampled_from((None, 1))),
            "tolerance": maybe(st.sampled_from((0, 0.1))),
        },
    ),
    "ImageFeatures": Case(
        features,
        {
            "images": images,
            "network": networks,
            "layers": maybe(st.one_of(st.none(), st.just([]).map(lambda _: network().layers[-1:]))),
            "weights": maybe(st.none()),
            "image_size": maybe(st.sampled_from((None, 4, (4, 4)))),
            "preprocess": maybe(st.sampled_from((None, np.copy))),
            "batch_size": maybe(small),
        },
        lambda a: (3, 2),
        share=0.3,
    ),
    "activeness": Case(
        metrics.activeness,
        {
            "generator": generators,
            "space": spaces,
            "codes": maybe(st.one_of(st.none(), points)),
            "num_samples": small,
            "num_values": maybe(st.integers(2, 4)),
            "extent": maybe(st.sampled_from((0.5, 1, np.float32(2)))),
            "directions": maybe(st.one_of(st.none(), arrays((2, 2), (3, 2), low=0.1))),
            "seed": maybe(optional_seeds),
            "batch_size": maybe(small),
        },
        lambda a: (axes(a),),
    ),
    "confidence_interval": Case(
        lambda first, second, **settings: metrics.confidence_interval(
            settings.pop("metric"), first, second, **settings
        ),
        {
            "metric": st.sampled_from((metrics.irs, metrics.modularity, metrics.sap)),
            "first": codes,
            "second": factors,
            "level": maybe(st.sampled_from((0.5, 0.95, np.float32(0.9)))),
            "num_resamples": st.integers(2, 4),
            "bounds": maybe(st.sampled_from((None, (0, 1), [0.0, 0.5]))),
            "seed": maybe(optional_seeds),
        },
        lambda a: ((), ()),
        share=0.5,
    ),
    "feature_distance": Case(
        distance,
        {
            "images_a": images,
            "images_b": images,
            "network": networks,
            "layers": maybe(st.none()),
            "channel_weights": maybe(st.sampled_from((None, [np.ones(2)], [[1, 2]]))),
            "batch_size": maybe(small),
        },
        lambda a: (3,),
        share=0.2,
    ),
    # Nothing off the diagonal makes a ratio infinite, by definition.
    "hessian_diagonality": Case(
        metrics.hessian_diagonality,
        {**hessian, "min_curvature": maybe(st.sampled_from((None, 0, 1e-4)))},
        nan=True,
    ),
    "hessian_matrix": Case(
        metrics.hessian_matrix, hessian, lambda a: (np.shape(a["z"])[0], 2, 1, 1, axes(a), axes(a))
    ),
    "hessian_penalty_map": Case(
        metrics.hessian_penalty_map, hessian, lambda a: (np.shape(a["z"])[0], 2, 1, 1)
    ),
    "importance_nll": Case(
        lambda **settings: {**metrics.importance_nll(**settings), "standard_error": 0},
        {
            "model": models,
            "x": images,
            "num_samples": small,
            "per_unit": maybe(st.booleans()),
            "seed": maybe(seeds),
            "batch_size": maybe(small),
        },
    ),
    # Of a constant output nothing is on the diagonal either.
    "jacobian_orthogonality": Case(metrics.jacobian_orthogonality, hessian, nan=True),
    "mutual_information": Case(
        metrics.mutual_information,
        {**of_codes, "num_bins": maybe(bins)},
        lambda a: (np.shape(a["codes"])[1], np.shape(a["factors"])[1]),
    ),
    "peak_hessians": Case(
        metrics.peak_hessians,
        hessian,
        lambda a: ((np.shape(a["z"])[0], axes(a), axes(a)), (np.shape(a["z"])[0], 3)),
    ),
    "perceptual_path_length": Case(
        metrics.perceptual_path_length,
        {
            "generator": generators,
            "space": spaces,
            "distance": st.just(metrics.squared_pixel_distance),
            "num_samples": small,
            "epsilon": maybe(st.sampled_from((1e-4, 1e-2))),
            "sampling": maybe(st.sampled_from(("end", "full"))),
            "interpolation": maybe(st.sampled_from(("slerp", "lerp"))),
            "percentiles": maybe(st.sampled_from(((1, 99), [0, 100], np.array([50, 50])))),
            "seed": maybe(optional_seeds),
            "batch_size": maybe(small),
        },
        scalar,
    ),
    "squared_pixel_distance": Case(
        metrics.squared_pixel_distance, {"images_a": images, "images_b": images}, lambda a: (3,)
    ),
    "udr": Case(
        lambda first, second, **settings: metrics.udr([first, second], **settings),
        {
            "first": codes,
            "second": matrices,
            "kls": maybe(st.sampled_from((None, [None, [0, 1, 2]], (None, np.zeros(3))))),
            "method": maybe(st.sampled_from(("lasso", "spearman"))),
            "groups": maybe(st.sampled_from((None, ["a", "a"], (1, 1)))),
            "min_kl": maybe(st.sampled_from((0, 0.01))),
        },
        lambda a: (2,),
    ),
    "model_centrality": Case(
        lambda generators, encoders, **settings: metrics.model_centrality(
            encoders, generators, **settings
        ),
        {
            "generators": st.lists(generators, min_size=2, max_size=2),
            "encoders": st.lists(encoders, min_size=2, max_size=2),
            "space": st.one_of(spaces, st.lists(spaces, min_size=2, max_size=2)),
            "num_votes": small,
            "batch_size": st.integers(2, 4),
            "num_variance": st.integers(2, 9),
            "seed": maybe(optional_seeds),
            "encode_batch": maybe(small),
        },
        lambda a: (2,),
    ),
    "rank_models": Case(
        lambda first, second, **settings: kd.rank_models([first, second], **settings)["udr"],
        {
            "first": models,
            "second": models,
            "images": st.just(GRID.images),
            "num_images": st.integers(1, 6),
            "groups": maybe(st.sampled_from((None, ["a", "a"], (1, 1)))),
            "method": maybe(st.sampled_from(("lasso", "spearman"))),
            "batch_size": maybe(small),
        },
        lambda a: (2,),
        share=0.5,
    ),
    "evaluate": Case(
        kd.evaluate,
        {
            "model": models,
            "dataset": st.just(GRID),
            "metrics": maybe(
                st.sampled_from(("modularity", ["irs", "information"], ("factor_vae",)))
            ),
            "num_samples": maybe(st.integers(6, 8)),
            "num_votes": st.integers(1, 9),
            "num_resamples": maybe(st.sampled_from((0, 2))),
            "options": st.just({"modularity": {"num_bins": 2}, "mig": {"num_bins": 2}}).map(
                lambda options: {**options, "mig_sup": {"num_bins": 2}}
            ),
            "seed": maybe(seeds),
            "batch_size": maybe(small),
            "verbose": maybe(st.just(0)),
        },
        share=0.5,
    ),
    "encode_images": Case(
        kd.encode_images,
        {
            "model": models,
            "images": st.just(GRID.images),
            "num_images": st.integers(1, 6),
            "batch_size": maybe(small),
        },
        lambda a: ((a["num_images"], 3), (a["num_images"], 3)),
    ),
}
