"""What every metric is of, by the names of arguments: no metric has a row here."""

import numpy as np
from representations import representations

from keras_disentangle.datasets import FactorDataset
from keras_disentangle.metrics import METRICS, squared_pixel_distance

N = 300
FACTORS = np.random.default_rng(0).integers(0, (2, 3, 5), size=(N, 3))
MIXED = FACTORS @ [[1.0, 0.2, 0.0], [0.0, 1.0, 0.3], [0.1, 0.0, 1.0]]
CODES = np.concatenate([MIXED, np.random.default_rng(1).normal(size=(N, 1))], axis=1)
CODES[:, :3] += 0.3 * np.random.default_rng(2).normal(size=(N, 3))
HELD_OUT = np.arange(N) % 3 == 0
IMAGES = np.random.default_rng(3).random((6, 4, 4, 3))

# Few enough to be quick, for every metric that has such an option.
FEW = {
    **{"num_train": 300, "num_eval": 300, "num_variance": 300, "num_samples": 1000},
    "held_out": HELD_OUT,
}
FEW_OF = {
    "factor_vae": {"batch_size": 8},
    "beta_vae": {"batch_size": 8},
    "mig_sup": {"active": np.ones(4, bool)},
    "importance_nll": {"num_samples": 4},
    "perceptual_path_length": {"num_samples": 8},
    "activeness": {"num_samples": 8},
    "model_centrality": {"num_votes": 60, "batch_size": 4},
}


class Grid(FactorDataset):
    """Every combination of factors, images of one pixel for each, which shows its value."""

    def __init__(self, sizes):
        super().__init__([f"factor_{k}" for k in range(len(sizes))], sizes, (1, len(sizes), 1))
        self.step = 255 // max(sizes)

    def images(self, index):
        return (self.step * self.factors(index)).astype(np.uint8)[:, None, :, None]

    def index_of(self, images):
        shown = np.asarray(images).reshape(len(images), -1) * (255 / self.step)
        return self.index(np.rint(shown).astype(int))


class Model:
    """Posteriors of images, and how likely images are at codes."""

    def encode(self, x):
        flat = np.asarray(x).reshape(len(x), -1)[:, :3]
        return flat, 0 * flat - 1

    def log_likelihood(self, x, z):
        return -np.asarray(z).sum(axis=1)


def curved(z):
    return np.stack([z[:, 0] * z[:, 1], z[:, 0] ** 2], axis=1)


def given(codes=CODES, factors=FACTORS, log_var=-3.0):
    """Dict of whatever a metric is of; `encode` gives each combination its first code here."""
    ranks = [np.unique(factor, return_inverse=True)[1] for factor in factors.T]
    grid = Grid([int(rank.max()) + 1 for rank in ranks])
    cells, rows = np.unique(grid.index(np.stack(ranks, axis=1)), return_index=True)
    table = np.zeros((len(grid), codes.shape[1]))
    table[cells] = codes[rows]
    return {
        "codes": codes,
        "factors": factors,
        "mean": codes,
        "log_var": np.full(codes.shape, log_var),
        "encode": lambda images: table[grid.index_of(images)],
        "dataset": grid,
        "clusters": ranks[0],
        "labels": ranks[-1],
        "features_a": codes,
        "features_b": 2 * codes,
        "fn": curved,
        "z": codes[:3, :2],
        "generator": curved,
        "space": 2,
        "distance": squared_pixel_distance,
        "model": Model(),
        "x": IMAGES,
        "codes of models": [codes, -codes[:, ::-1], np.tanh(codes[:, :2])],
        "encode of models": [np.copy, np.fliplr, lambda x: x @ [[1, 1], [-1, 1]]],
        "generate of models": [np.tanh, np.fliplr, curved],
        "space of models": [2, 2, 2],
    }


def scores(name, options=None, **changed):
    """What a metric gives of the codes and factors above, or of others; options are few."""
    metric = METRICS[name]
    arguments = given(**changed)
    few = {key: value for key, value in FEW.items() if key in metric.options}
    few |= FEW_OF.get(name, {}) | (options or {})
    return metric(*(arguments[argument] for argument in metric.of), **few)


def names(*arguments):
    """The metrics that are of nothing but these; without any, all of them."""
    return [n for n, m in METRICS.items() if not arguments or set(m.of) <= set(arguments)]


def random_code():
    """A code that knows nothing, and factors of a grid of 64,000 images."""
    rng = np.random.default_rng(2026)
    grid = Grid((40, 40, 40))
    return rng.standard_normal((len(grid), 4)), grid.factors(np.arange(len(grid)))


CASES = representations()
