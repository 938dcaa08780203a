"""Times a training step of a progressive GAN without a penalty, with the Hessian Penalty, and with
OroJaR, of all hidden layers: 2k and k + 1 further evaluations of the generator.

    KERAS_BACKEND=tensorflow python scripts/benchmarks/orthogonal_jacobian_step.py
"""

import argparse
import statistics
import time

import keras
import numpy as np

import keras_disentangle as kd
from keras_disentangle.applications.progressive_gan.recipes import PRESETS

PENALTIES = {
    "none": lambda k: [],
    "hessian": lambda k: [kd.penalties.HessianPenalty(num_directions=k)],
    "jacobian": lambda k: [kd.penalties.OrthogonalJacobian(num_directions=k)],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="small", choices=sorted(PRESETS))
    parser.add_argument("--num-directions", type=int, default=2, help="k")
    parser.add_argument("--steps", type=int, default=50, help="of each round")
    parser.add_argument("--rounds", type=int, default=5, help="in turns; the first compiles")
    options = parser.parse_args()
    preset, models = PRESETS[options.preset], {}
    shape = (preset.batch_size, preset.resolution, preset.resolution, 3)
    images = np.random.default_rng(0).random(shape, "float32")
    images = np.tile(images, (options.steps, 1, 1, 1))
    for name, penalties in PENALTIES.items():
        keras.utils.set_random_seed(0)
        models[name] = kd.applications.ProgressiveGAN(
            preset=options.preset, penalties=penalties(options.num_directions), seed=0
        )
        models[name].compile(**preset.optimizers())
    taken = {name: [] for name in models}
    for _ in range(options.rounds):
        for name, model in models.items():
            begin = time.perf_counter()
            model.fit(images, batch_size=preset.batch_size, verbose=0)
            taken[name].append((time.perf_counter() - begin) / options.steps)
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}
    for name, seconds in medians.items():
        more = seconds - medians["none"]
        print(f"{name}: {1e3 * seconds:.1f} ms a step, {1e3 * more:.1f} of the penalty")


if __name__ == "__main__":
    main()
