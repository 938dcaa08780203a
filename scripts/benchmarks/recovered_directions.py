"""Whether `DirectionDiscovery` finds the directions that a generator is known to have.

    python scripts/benchmarks/recovered_directions.py
    python scripts/benchmarks/recovered_directions.py --sizes 4 8 --seeds 0 1 --steps 1000

The generators are sums of functions of one direction each: pixel p of 2d is

    sum_i M_pi sin(a_i r_i z + b_i)

with the rows r_i of a random rotation of the d latents, M from N(0, 1), a from U[0.5, 1] and b from
U[-1, 1]. Along these directions, and up to order and sense along no others, the Hessian of each
pixel is diagonal. Each run draws a generator and random directions from its seed and learns d
directions with the model's own settings.

Prints a line for each run, with |cosine| of the directions and the r_i:

    start, theory    its mean over all pairs of random directions, and what is expected of it:
                     gamma(d / 2) / (sqrt(pi) gamma((d + 1) / 2))
    matched, learnt  its mean over d pairs, each direction with an r_i of its own so that the mean
                     is largest, before and after training
    first, last      the penalty in the first and in the last tenth of the training
    seconds          of the training, compilation included

The exit status is 1 if "learnt" is below --least in a run, otherwise 0. KERAS_BACKEND chooses the
backend.
"""

import argparse
import sys
import time

import keras
import numpy as np
from keras import ops
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln

from keras_disentangle.models import DirectionDiscovery

EPOCHS = 10


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    several = {"type": int, "nargs": "+"}
    parser.add_argument("--sizes", help="latents", default=[4, 8, 16, 32], **several)
    parser.add_argument("--seeds", help="a run for each", default=[0, 1, 2, 3, 4], **several)
    parser.add_argument("--steps", help="of a training", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--least", help="mean |cosine| wished for", type=float, default=0.95)
    settings = parser.parse_args()
    if min(settings.sizes) < 2:
        parser.error("--sizes must be at least 2")
    if settings.steps < EPOCHS or settings.steps % EPOCHS:
        parser.error(f"--steps must be a multiple of {EPOCHS}")

    heads = ("size", "seed", "start", "theory", "matched", "learnt", "first", "last", "seconds")
    print(" ".join(f"{head:>9}" for head in heads))
    learnt = []
    for size in settings.sizes:
        for seed in settings.seeds:
            found = run(size, seed, settings.steps, settings.batch_size)
            learnt.append(found["learnt"])
            columns = [f"{size:9d} {seed:9d}"]
            columns += [f"{found[key]:9.4f}" for key in ("start", "theory", "matched", "learnt")]
            columns += [f"{value:9.2e}" for value in found["penalty"]]
            print(*columns, f"{found['seconds']:9.1f}", flush=True)
    print(f"least {min(learnt):.4f}, mean {np.mean(learnt):.4f} of {len(learnt)} runs")
    sys.exit(int(min(learnt) < settings.least))


def run(size, seed, steps, batch_size, optimizer=None, **arguments):
    """Learns the directions of one generator: a dict of the numbers that are printed.

    Args:
        size, seed, steps, batch_size: as the options.
        optimizer: the model's own by default.
        **arguments: more arguments of the model.
    """
    generator, rotation = separable_generator(size, seed)
    model = DirectionDiscovery(generator, seed=seed, **arguments)
    model.compile(optimizer)
    start = cosines(model, rotation)
    begin = time.perf_counter()
    history = model.fit(steps // EPOCHS, batch_size=batch_size, epochs=EPOCHS, verbose=0).history
    return {
        "start": start.mean(),
        "theory": expected_cosine(size),
        "matched": matched(start),
        "learnt": matched(cosines(model, rotation)),
        "penalty": (history["hessian_penalty"][0], history["hessian_penalty"][-1]),
        "seconds": time.perf_counter() - begin,
    }


def separable_generator(size, seed):
    """A frozen generator of `size` latents, and its directions as rows of a rotation."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(size, size)))[0]
    generator = keras.Sequential(
        [
            keras.Input((size,)),
            keras.layers.Dense(size, activation=ops.sin),
            keras.layers.Dense(2 * size, use_bias=False),
        ]
    )
    frequencies, phases = rng.uniform(0.5, 1.0, size), rng.uniform(-1.0, 1.0, size)
    mixture = rng.normal(size=(size, 2 * size))
    generator.set_weights([rotation.T * frequencies, phases, mixture])
    generator.trainable = False
    return generator, rotation


def cosines(model, rotation):
    """|cosine| of each direction of a model with each row of a rotation."""
    return np.abs(ops.convert_to_numpy(model.directions.matrix()) @ rotation.T)


def matched(cosines):
    """Their mean where each direction has a row of its own, so that it is largest."""
    return cosines[linear_sum_assignment(cosines, maximize=True)].mean()


def expected_cosine(size):
    """The mean |cosine| of a random direction with a fixed one, in `size` dimensions."""
    return np.exp(gammaln(size / 2) - gammaln((size + 1) / 2)) / np.sqrt(np.pi)


if __name__ == "__main__":
    main()
