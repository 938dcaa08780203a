"""Every metric takes what a model gives: tensors of the backend, of any width, and any array.

The values are those of plain float64 or integer arrays. Metrics of codes, factors, posteriors and
grids of images take part by what they declare; of the others, a name in `kd.metrics.__all__`
without a row in this table fails.
"""

import keras
import numpy as np
import pytest
from keras import ops

import keras_disentangle as kd
from keras_disentangle import metrics
from keras_disentangle._tensors import to_numpy

N = 60
RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, 3, size=(N, 2))
# Numbers that bfloat16 holds exactly, so that a conversion changes nothing.
CODES = RNG.integers(-20, 20, size=(N, 3)) / 4 + np.pad(FACTORS, ((0, 0), (0, 1)))
LOG_VAR = RNG.integers(-8, 4, size=(N, 3)) / 4
IMAGES = RNG.integers(0, 5, size=(6, 4, 4, 3)) / 4
GRID = kd.datasets.ArrayFactorDataset(
    (40 * np.indices((2, 3, 2)).reshape(3, 12).T).astype(np.uint8)[:, None, None],
    (2, 3, 2),
    list("abc"),
)
VOTES = {"num_train": 30, "num_eval": 30, "batch_size": 4}
POINTS = RNG.integers(-4, 4, size=(3, 2)) / 4


def tensor(x, dtype="float32"):
    """As a model gives it: on PyTorch with the graph that made it."""
    x = ops.convert_to_tensor(np.asarray(x), dtype)
    if keras.backend.backend() == "torch" and x.is_floating_point():
        x = x.requires_grad_() * 1.0
    return x


def read_only(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def strided(x):
    x = np.asarray(x)
    return np.repeat(x, 2, axis=-1)[..., ::2]


KINDS = {
    "tensor": tensor,
    "bfloat16": lambda x: tensor(x, "bfloat16"),
    "float16": lambda x: np.asarray(x, np.float16),
    "float64": lambda x: tensor(x, "float64"),
    "variable": lambda x: keras.Variable(x),
    "list": lambda x: np.asarray(x).tolist(),
    "list of tensors": lambda x: [tensor(row) for row in np.asarray(x)],
    "strided": strided,
    "reversed": lambda x: np.asarray(x)[::-1][::-1],
    "fortran": lambda x: np.asfortranarray(x),
    "read-only": read_only,
    "big-endian": lambda x: np.asarray(x).astype(">f8"),
}


class Encoder:
    """Gives `kind` of what it computes."""

    def __init__(self, kind):
        self.kind = kind

    def encode(self, x):
        flat = np.asarray(x).reshape(len(x), -1)[:, :3]
        return self.kind(np.round(4 * flat) / 4), self.kind(0 * flat - 1)

    def log_likelihood(self, x, z):
        return self.kind(np.round(np.asarray(z).sum(axis=1)))


def network():
    inputs = keras.Input((4, 4, 3))
    outputs = keras.layers.Conv2D(2, 3, kernel_initializer="ones", bias_initializer="ones")(inputs)
    return keras.Model(inputs, outputs)


def curved(z):
    return np.stack([z[:, 0] * z[:, 1], z[:, 0] ** 2], axis=1)


def hessian(measure):
    return lambda kind: measure(
        lambda z: tensor(curved(z)), kind(POINTS), epsilon=0.25, directions=kind(np.eye(2))
    )


def labels(kind, x):
    """Integers stay integers: of the kinds, those of tensors become tensors of int32."""
    floats = kind(np.zeros((1, 1)))
    return ops.convert_to_tensor(x, "int32") if ops.is_tensor(floats) else np.asarray(x)


# What metrics are of, each a function of the kind.
OF = {
    "codes": lambda kind: kind(CODES),
    "factors": lambda kind: labels(kind, FACTORS),
    "mean": lambda kind: kind(CODES),
    "log_var": lambda kind: kind(LOG_VAR),
    "encode": lambda kind: lambda x: Encoder(kind).encode(x)[0],
    "dataset": lambda kind: GRID,
    "clusters": lambda kind: labels(kind, FACTORS[:, 0]),
    "labels": lambda kind: labels(kind, FACTORS[:, 1]),
    "features_a": lambda kind: kind(CODES),
    "features_b": lambda kind: kind(LOG_VAR),
    "codes of models": lambda kind: [kind(CODES), kind(CODES[:, :2]), kind(LOG_VAR)],
}
OPTIONS = {
    "information": {"rungs": [1, 2], "num_samples": 50},
    "posterior_mig": {"num_samples": 50},
    "dci": {"held_out": np.arange(N) % 3 == 0},
    "factor_vae": VOTES,
    "beta_vae": VOTES,
}


def of_declared(metric):
    def score(kind):
        arguments = [OF[name](kind) for name in metric.of]
        return list(metric(*arguments, **OPTIONS.get(metric.name, {})).values())

    return score


DECLARED = {
    metric.function.__name__: of_declared(metric)
    for metric in metrics.METRICS.values()
    if set(metric.of) <= set(OF)
}
TABLE = DECLARED | {
    "ImageFeatures": lambda kind: metrics.ImageFeatures(network())(kind(IMAGES)),
    "activeness": lambda kind: metrics.activeness(
        lambda z: tensor(curved(z)), 2, codes=kind(POINTS), directions=kind(np.eye(2))
    ),
    "confidence_interval": lambda kind: metrics.confidence_interval(
        metrics.mig, kind(CODES), labels(kind, FACTORS), num_resamples=5
    ),
    "feature_distance": lambda kind: metrics.feature_distance(network())(
        kind(IMAGES), kind(IMAGES[::-1])
    ),
    "hessian_diagonality": hessian(metrics.hessian_diagonality),
    "hessian_matrix": hessian(metrics.hessian_matrix),
    "hessian_penalty_map": hessian(metrics.hessian_penalty_map),
    "jacobian_orthogonality": hessian(metrics.jacobian_orthogonality),
    "importance_nll": lambda kind: metrics.importance_nll(Encoder(kind), kind(IMAGES), 2),
    "model_centrality": lambda kind: metrics.model_centrality(
        [lambda x: kind(to_numpy("x", x)[:, ::-1]), lambda x: kind(to_numpy("x", x) * [2, 4])],
        [lambda z: kind(np.round(4 * z) / 4)] * 2,
        2,
        num_votes=10,
        batch_size=4,
        num_variance=20,
    ),
    "mutual_information": lambda kind: metrics.mutual_information(
        kind(CODES), labels(kind, FACTORS)
    ),
    "peak_hessians": lambda kind: hessian(metrics.peak_hessians)(kind)[0],
    "perceptual_path_length": lambda kind: metrics.perceptual_path_length(
        lambda z: tensor(curved(z)),
        2,
        lambda a, b: tensor(np.square(a - b).sum(axis=1)),
        num_samples=8,
        percentiles=kind(np.array([0.0, 100.0])),
    ),
    "squared_pixel_distance": lambda kind: metrics.squared_pixel_distance(
        kind(IMAGES), kind(IMAGES[::-1])
    ),
}


def numbers(result):
    """All numbers of a result, in order."""
    if isinstance(result, dict):
        result = list(result.values())
    return (
        np.concatenate([np.ravel(part) for part in result])
        if isinstance(result, (list, tuple))
        else np.ravel(result)
    )


@pytest.fixture(scope="module")
def plain():
    return {name: numbers(call(np.asarray)) for name, call in TABLE.items()}


def test_every_metric_is_in_the_table():
    assert set(TABLE) == set(metrics.__all__) - {"METRICS", "Metric", "Score"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_takes_every_kind_of_array(kind, plain):
    for name, call in TABLE.items():
        assert numbers(call(KINDS[kind])) == pytest.approx(plain[name], rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("kind", ["tensor", "bfloat16", "float64"])
def test_evaluate_takes_what_a_model_gives(kind):
    found = kd.evaluate(
        lambda x: Encoder(KINDS[kind]).encode(x),
        GRID,
        ["mig", "information"],
        num_samples=12,
        options={"mig": {"num_bins": 3}},
    )
    expected = kd.evaluate(
        lambda x: Encoder(np.asarray).encode(x),
        GRID,
        ["mig", "information"],
        num_samples=12,
        options={"mig": {"num_bins": 3}},
    )
    for name in expected:
        assert found[name] == pytest.approx(expected[name], rel=1e-5)


def test_a_model_goes_into_metrics_as_the_docstrings_say():
    model = kd.models.VAE(
        keras.Sequential([keras.Input((1, 1, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]),
        keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(3), keras.layers.Reshape((1, 1, 3))]
        ),
    )
    images = GRID.images(np.arange(12)).astype("float32") / 255
    mean, log_var = model.encode(images)
    factors = GRID.factors(np.arange(12))
    assert 0 <= metrics.mig(mean, factors, num_bins=4) <= 1
    assert len(metrics.latent_information(mean, log_var, rungs=[1, 1])["rungs"]) == 2
    assert 0 <= metrics.factor_vae(lambda im: model.encode(im)[0], GRID, **VOTES) <= 1
    assert np.isfinite(metrics.importance_nll(model, images, 3)["nll"])
    assert metrics.hessian_matrix(model.decode, mean[:2]).shape == (2, 1, 1, 3, 2, 2)


def test_importance_nll_reads_no_more_than_a_batch_of_a_file(tmp_path):
    h5py = pytest.importorskip("h5py")
    images = np.random.default_rng(1).random((50, 2, 2, 1), "float32")
    np.save(tmp_path / "images.npy", images)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["images"] = images

    class Watched:
        """Rows of something, that cannot be had all at once."""

        def __init__(self, rows):
            self.rows, self.shape, self.largest = rows, rows.shape, 0

        def __getitem__(self, index):
            assert isinstance(index, slice) and index.step is None
            part = self.rows[index]
            self.largest = max(self.largest, len(part))
            return part

    model = Encoder(np.asarray)
    expected = metrics.importance_nll(model, images, 2, batch_size=8)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    with h5py.File(tmp_path / "images.h5") as file:
        for rows in (mapped, file["images"]):
            watched = Watched(rows)
            assert metrics.importance_nll(model, watched, 2, batch_size=8) == expected
            assert watched.largest <= 8
            assert metrics.importance_nll(model, rows, 2, batch_size=8) == expected
            features = metrics.ImageFeatures(grey := grey_network(), batch_size=8)
            assert features(rows) == pytest.approx(features(images))
            watched = Watched(rows)
            assert features(watched) == pytest.approx(features(images)) and watched.largest <= 8
            distance = metrics.feature_distance(grey, batch_size=8)
            watched = Watched(rows)
            assert distance(watched, rows) == pytest.approx(np.zeros(50))
            assert watched.largest <= 8


def grey_network():
    inputs = keras.Input((2, 2, 1))
    return keras.Model(inputs, keras.layers.Conv2D(2, 2)(inputs))
