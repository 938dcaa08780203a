"""Time and memory of a step that learns directions of a BigGAN with random weights.

Prints the median time of a step, the peak of the process's resident memory, and how far the
directions are from orthonormal after the last step: the largest |Q Q^T - I|. The generator is the
published one for 128x128 images unless the options say otherwise.

    python scripts/benchmarks/direction_discovery_step.py --batch-size 4 --steps 10
    python scripts/benchmarks/direction_discovery_step.py --batch-size 1 --steps 1000
"""

import argparse
import resource
import statistics
import sys
import time

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd


class StepTimes(keras.callbacks.Callback):
    """Seconds of each step, until its result is there."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_train_batch_begin(self, batch, logs=None):
        self._begin = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        float(logs["hessian_penalty"])
        self.seconds.append(time.perf_counter() - self._begin)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--image-size", type=int, default=128, help="pixels a side (default: %(default)s)")
    add("--channels", type=int, default=96, help="of the last block (default: %(default)s)")
    add("--directions", type=int, help="how many are learnt (default: as many as dimensions)")
    add("--batch-size", type=int, default=4, help="latents of a step (default: %(default)s)")
    add("--steps", type=int, default=10, help="steps, the first not timed (default: %(default)s)")
    add("--one-pass", action="store_true", help="evaluate all points as one batch")
    add("--seed", type=int, default=0, help="of weights, directions and draws")
    options = parser.parse_args()
    if options.steps < 2:
        sys.exit("error: `steps` must be at least 2, for the first is not timed")

    keras.utils.set_random_seed(options.seed)
    generator = kd.applications.BigGAN(image_size=options.image_size, channels=options.channels)
    generator.trainable = False
    print(
        f"{keras.backend.backend()}: BigGAN {options.image_size}, "
        f"{generator.count_params() / 1e6:.1f} million weights, z of {generator.latent_dim}"
    )
    directions = kd.layers.LatentDirections(
        generator.latent_dim, options.directions, seed=options.seed
    )
    model = kd.models.DirectionDiscovery(
        generator,
        directions,
        labels=min(207, generator.num_classes - 1),
        hessian_penalty={"one_pass": options.one_pass},
        seed=options.seed,
    )
    before = ops.convert_to_numpy(directions.matrix())
    built = peak()
    model.compile()
    times = StepTimes()
    history = model.fit(
        options.steps, batch_size=options.batch_size, callbacks=[times], verbose=0
    ).history
    matrix = ops.convert_to_numpy(directions.matrix()).astype("float64")
    error = np.abs(matrix @ matrix.T - np.eye(len(matrix))).max()
    seconds = times.seconds[1:]
    print(
        f"{len(matrix)} directions, batch {options.batch_size}, {options.steps} steps: median "
        f"{statistics.median(seconds):.2f} s a step ({min(seconds):.2f} to {max(seconds):.2f}), "
        f"the first {times.seconds[0]:.1f} s"
    )
    print(f"resident memory: {built:.2f} GiB once built, {peak():.2f} GiB at the peak")
    print(f"hessian_penalty, mean of the steps: {history['hessian_penalty'][-1]:.4g}")
    print(f"directions: moved by up to {np.abs(matrix - before).max():.3g}; ", end="")
    print(f"largest |Q Q^T - I| {error:.2g}")


def peak():
    """The peak of the process's resident memory so far, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


if __name__ == "__main__":
    main()
