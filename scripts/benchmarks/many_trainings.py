"""Trains several seeds at once, by one `jax.vmap` over the train step, against one after another.

    KERAS_BACKEND=jax python scripts/benchmarks/many_trainings.py [--seeds 8] [--method beta_vae]

The networks, batch and images are those of the study of methods (applications/autoencoders,
dSprites, 32×32). Prints the largest difference of a weight after `--steps` steps, relative to the
largest of its variable, and, as the median of `--rounds` rounds in turn, the seconds of a step of
all seeds in both ways. Weights, ramps, the optimizer and the seeds of noise are all state of a
step, so that nothing else is needed to train a population; the library has no interface for it
because it must be worth its while first.
"""

import argparse
import statistics
import time

import jax
import keras
import numpy as np
from _accelerator_tasks import state_of

import keras_disentangle as kd


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--method", default="beta_vae")
    parser.add_argument("--strength", type=float, default=4.0)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if keras.backend.backend() != "jax":
        parser.error("KERAS_BACKEND must be jax")

    data = kd.datasets.DSprites(32)
    index = np.random.default_rng(0).integers(len(data), size=(options.seeds, 64))
    images = np.stack([data.images(each) for each in index]).astype("float32") / 255
    states = [state_of(compiled(options, seed)) for seed in range(options.seeds)]
    model = compiled(options, 0)
    alone = jax.jit(model.train_step)
    together = jax.jit(jax.vmap(model.train_step))
    stacked = jax.tree.map(lambda *x: np.stack(x), *states)

    one_by_one, all_at_once = list(states), stacked
    for _ in range(options.steps):
        one_by_one = [alone(state, (x,))[1] for state, x in zip(one_by_one, images, strict=True)]
        all_at_once = together(all_at_once, (images,))[1]
    expected = jax.tree.map(lambda *x: np.stack(x), *one_by_one)[0]
    difference = max(
        float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-2))
        for a, b in zip(expected, all_at_once[0], strict=True)
    )

    def single():
        return [alone(state, (x,)) for state, x in zip(states, images, strict=True)]

    def population():
        return together(stacked, (images,))

    seconds = {single: [], population: []}
    for _ in range(options.rounds):
        for step, taken in seconds.items():
            start = time.perf_counter()
            jax.block_until_ready(step())
            taken.append(time.perf_counter() - start)
    one, all_ = (statistics.median(taken) for taken in seconds.values())
    print(f"{options.method}, {options.seeds} seeds, {jax.devices()[0].device_kind}")
    print(f"weights after {options.steps} steps differ by {difference:.1e}")
    print(f"one after another {1e3 * one:.1f} ms, together {1e3 * all_:.1f} ms: {all_ / one:.2f}")


def compiled(options, seed):
    keras.utils.set_random_seed(seed)
    model = kd.applications.Autoencoder(
        method=options.method, strength=options.strength, image_shape=(32, 32, 1), seed=seed
    )
    model.compile(keras.optimizers.Adam(1e-3))
    model.optimizer.build(model.trainable_variables)
    return model


if __name__ == "__main__":
    main()
