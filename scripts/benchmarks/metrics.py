"""How long metrics take, beside disentanglement_lib on the same arrays, in turn, in one process.

    git clone https://github.com/google-research/disentanglement_lib
    python scripts/benchmarks/metrics.py --published disentanglement_lib

10,000 samples of 10 codes and 6 factors for MIG, modularity and DCI; `ProVLAE(weights="dsprites")`
for FactorVAE and beta-VAE, whose votes the published code encodes one by one. Prints the medians of
the rounds and their ratio. One thread: set OMP_NUM_THREADS=1 and the like for steady figures.

    git clone https://github.com/Zhiyuan1991/proVLAE
    python scripts/benchmarks/metrics.py --provlae proVLAE

The seconds and the added memory of `posterior_mig` on the posteriors of all 737,280 images of
dSprites, and the seconds of the release's loop (PyTorch, CPU): of 50 latents of its 10,000, for the
marginal and for one value of each factor, times what is left out, which is more of the same.
"""

import argparse
import resource
import statistics
import sys
import time
import types
import warnings
from pathlib import Path

import numpy as np

import keras_disentangle as kd
from keras_disentangle import metrics

SIZES = (4, 5, 6, 3, 8, 10)


def arrays(rows, seed=0):
    """Codes (rows, 10), each a noisy mixture of factors, and factors (rows, 6)."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, SIZES, size=(rows, len(SIZES)))
    mixing = np.eye(len(SIZES), 10) + 0.2 * rng.standard_normal((len(SIZES), 10))
    standard = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    return standard @ mixing + 0.2 * rng.standard_normal((rows, 10)), factors


def load_published(folder):
    """The metric modules of a checkout of disentanglement_lib, whose gin is a stand-in."""
    bound = {"num_bins": 20, "threshold": 0.05}

    def configurable(*_, **__):
        def decorate(function):
            names = function.__code__.co_varnames[: function.__code__.co_argcount]

            def filled(*args, **options):
                given = set(names[: len(args)]) | set(options)
                extra = {name: bound[name] for name in names if name in bound and name not in given}
                return function(*args, **options, **extra)

            return filled

        return decorate

    gin = types.ModuleType("gin")
    gin.configurable, gin.REQUIRED = configurable, None
    logging = types.SimpleNamespace(info=lambda *_: None)
    absl, six, moves = (types.ModuleType(name) for name in ("absl", "six", "six.moves"))
    absl.logging, moves.range, moves.zip, six.moves = logging, range, zip, moves
    stubs = {"gin": gin, "gin.tf": gin, "absl": absl, "six": six, "six.moves": moves}
    gin.tf = gin
    before = {name: sys.modules.get(name) for name in stubs}
    sys.modules.update(stubs)
    sys.path.insert(0, str(folder))
    try:
        from disentanglement_lib.evaluation.metrics import (
            beta_vae,
            dci,
            factor_vae,
            mig,
            modularity_explicitness,
            utils,
        )
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    bound["discretizer_fn"] = utils._histogram_discretize
    return types.SimpleNamespace(
        beta_vae=beta_vae,
        dci=dci,
        factor_vae=factor_vae,
        mig=mig,
        modularity=modularity_explicitness,
        utils=utils,
    )


class Published:
    """A `FactorDataset` as disentanglement_lib's metrics see data."""

    def __init__(self, data):
        self.data, self.num_factors = data, len(data.factor_sizes)
        self.factors_num_values = list(data.factor_sizes)

    def sample_factors(self, num, random_state):
        return np.stack([random_state.randint(n, size=num) for n in self.factors_num_values], 1)

    def sample_observations_from_factors(self, factors, random_state):
        return self.data.images(self.data.index(factors)).astype(np.float32) / 255

    def sample_observations(self, num, random_state):
        return self.sample_observations_from_factors(
            self.sample_factors(num, random_state), random_state
        )


def contests(published, rows, votes):
    """Name → (ours, theirs), functions that return their scores."""
    codes, factors = arrays(3 * rows // 2)
    train, held_out = slice(0, rows), np.arange(len(codes)) >= rows

    def their_modularity():
        bins = published.utils.make_discretizer(codes[train].T)
        information = published.utils.discrete_mutual_info(bins, factors[train].T)
        return float(published.modularity.modularity(information))

    def their_dci():
        split = (codes[train], factors[train], codes[held_out], factors[held_out])
        return published.dci._compute_dci(*(part.T for part in split))["disentanglement"]

    model = kd.applications.ProVLAE(weights="dsprites")
    data = kd.datasets.DSprites(image_size=model.image_shape[0])
    model.encode(data.images(np.arange(2)) / np.float32(255))

    def encode(images):
        return np.asarray(model.encode(images)[0])

    numbers = {"num_train": votes, "num_eval": votes // 2, "batch_size": 64}
    theirs = Published(data)

    def their_votes(compute, **options):
        state = np.random.RandomState(0)
        return lambda: compute(theirs, encode, state, **numbers, **options)["eval_accuracy"]

    return {
        "mig": (
            lambda: metrics.mig(codes[train], factors[train]),
            lambda: published.mig._compute_mig(codes[train].T, factors[train].T)["discrete_mig"],
        ),
        "modularity": (
            lambda: metrics.modularity(codes[train], factors[train]),
            their_modularity,
        ),
        "factor_vae": (
            lambda: metrics.factor_vae(encode, data, num_variance=10_000, **numbers),
            their_votes(published.factor_vae.compute_factor_vae, num_variance_estimate=10_000),
        ),
        "beta_vae": (
            lambda: metrics.beta_vae(encode, data, **numbers),
            their_votes(published.beta_vae.compute_beta_vae_sklearn),
        ),
        "dci": (
            lambda: metrics.dci(codes, factors, held_out=held_out)["disentanglement"],
            their_dci,
        ),
    }


def timed(function):
    start = time.perf_counter()
    score = function()
    return time.perf_counter() - start, score


def contest(published, rows, votes, rounds, names):
    found = contests(published, rows, votes)
    print(f"{'':12}{'ours':>12}{'theirs':>12}{'times':>8}{'score':>10}{'theirs':>10}")
    for name in names or found:
        ours, theirs = found[name]
        repeats = 1 if name == "dci" else rounds
        if repeats > 1:  # What is traced or cached is so once.
            ours(), theirs()
        turns = [(timed(ours), timed(theirs)) for _ in range(repeats)]
        seconds = [statistics.median(turn[side][0] for turn in turns) for side in (0, 1)]
        scores = [turns[0][side][1] for side in (0, 1)]
        print(
            f"{name:12}{seconds[0]:10.4f} s{seconds[1]:10.4f} s{seconds[1] / seconds[0]:8.1f}"
            f"{scores[0]:10.4f}{scores[1]:10.4f}",
            flush=True,
        )


def peak_mebibytes():
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kibibytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def posterior_mig(folder):
    data = kd.datasets.DSprites(image_size=32)
    model = kd.applications.ProVLAE(weights="dsprites")
    mean, log_var = kd.encode_images(model, data.images, len(data), 2000, verbose=1)
    factors = data.factors(np.arange(len(data)))
    used = [1, 2, 3, 4]  # As both releases do, without the shape.
    before = peak_mebibytes()
    ours, scores = timed(lambda: metrics.posterior_mig(mean, log_var, factors, factors_used=used))
    added = peak_mebibytes() - before
    print(f"\nours    {ours:.1f} s for 10,000 latents, {added:.0f} MiB added at the peak")
    print(f"        MIG {scores['mig']:.4f}, MIG-sup {scores['mig_sup']:.4f}", flush=True)
    theirs = published_seconds(folder, mean, log_var, data.factor_sizes, used)
    print(f"theirs  {theirs:.0f} s for 10,000 latents, from 50\ntimes   {theirs / ours:.1f}")


def published_seconds(folder, mean, log_var, sizes, used, timed_latents=50):
    import torch

    torch.set_num_threads(1)
    torch.Tensor.cuda = lambda self, *args, **options: self  # The release asks for a GPU.
    sys.path.insert(0, str(folder))
    from lib.dist import Normal
    from metric_MIG import estimate_entropies

    params = np.stack([mean, 0.5 * log_var], axis=-1).astype(np.float32)
    grid = params.reshape(*sizes, *params.shape[1:])
    parts = [(params, 1)]
    parts += [(grid.take(0, axis=k).reshape(-1, *params.shape[1:]), sizes[k]) for k in used]
    seconds = 0.0
    for part, repeats in parts:
        part = torch.from_numpy(np.ascontiguousarray(part))
        samples = Normal().sample(params=part).T
        taken, _ = timed(lambda: estimate_entropies(samples, part, Normal(), timed_latents))  # noqa: B023
        seconds += taken * repeats * 10_000 / timed_latents
    return seconds


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--published", type=Path, help="a checkout of disentanglement_lib")
    add("--provlae", type=Path, help="a checkout of proVLAE: posterior_mig in place of the others")
    add("--metrics", nargs="+", help="some of mig, modularity, factor_vae, beta_vae, dci")
    add("--rows", type=int, default=10_000, help="samples of the array metrics (10000)")
    add("--votes", type=int, default=300, help="training votes of FactorVAE and beta-VAE (300)")
    add("--rounds", type=int, default=5, help="of all but DCI, which has one (5)")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    if options.provlae is not None:
        posterior_mig(options.provlae)
        return
    if options.published is None or not (options.published / "disentanglement_lib").is_dir():
        parser.error("--published must be a checkout of disentanglement_lib")
    contest(
        load_published(options.published),
        options.rows,
        options.votes,
        options.rounds,
        options.metrics,
    )


if __name__ == "__main__":
    main()
