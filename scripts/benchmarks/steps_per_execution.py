"""What many training steps in a call, and images on the device, save on JAX; do they agree?

    KERAS_BACKEND=jax python scripts/benchmarks/steps_per_execution.py speed
    KERAS_BACKEND=jax python scripts/benchmarks/steps_per_execution.py equal
    KERAS_BACKEND=torch python scripts/benchmarks/steps_per_execution.py memory

`speed` trains a VAE by `fit` in several ways, in turns, and prints the time of a step by the clock
and on all cores (CPU time; on a busy machine it alone means something): one step a call, `steps` in
one call by Keras's own loop and by this library's scan, and with the images on the device.
`--wide` takes convolutions on images of 64² in place of the tiny networks. It ends with exit status
1 if the scan is less than 2.5 times as fast as `fit` (with the tiny networks, in CPU time).

`equal` trains every model of the tests' table with 1, 8 and 50 steps in a call, over an epoch of 56
batches, and prints the largest difference of weights and histories from single steps, and of 50
from 8. XLA may add numbers in another order in a loop than outside of one. It ends with exit status
1 if a history differs by more than 1e-4 of its values. `--quick` compiles with few of XLA's
optimisations, as the tests do.

`memory` prints what 200 MB of images on the device add to this process, by `/proc`: on a CPU, the
device's memory is the process's own.
"""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

SEED = 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["speed", "equal", "memory"])
    parser.add_argument("--steps", type=int, default=50, help="steps in a call")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way")
    parser.add_argument("--wide", action="store_true", help="convolutions on images of 64²")
    parser.add_argument("--models", nargs="*", help="names in the table; by default all")
    parser.add_argument("--quick", action="store_true", help="compile quickly")
    settings = parser.parse_args()
    sys.exit({"speed": speed, "equal": equal, "memory": memory}[settings.what](settings))


# Speed


def speed(settings):
    side, n = (64, 8 * settings.steps) if settings.wide else (8, 40 * settings.steps)
    pixels = np.random.default_rng(SEED).integers(
        0, 256, (n * settings.batch_size, side, side, 1), np.uint8
    )
    ways = {
        "fit": (1, False, False),
        "fit, images on the device": (1, True, False),
        "Keras's loop in a call": (settings.steps, False, True),
        "scan": (settings.steps, False, False),
        "scan, images on the device": (settings.steps, True, False),
    }
    runs = {name: way_of(settings, pixels, *way) for name, way in ways.items()}
    times = {name: [] for name in ways}
    for turn in range(settings.rounds + 1):
        for name, run in runs.items():
            found = run()
            if turn:  # The first compiles.
                times[name].append(found)
    print(f"{settings.steps} steps a call, batches of {settings.batch_size}: ms a step (median)")
    median = {name: np.median(found, axis=0) * 1e3 / n for name, found in times.items()}
    for name, (wall, cpu) in median.items():
        print(f"{name:28} {wall:8.3f} by the clock {cpu:8.3f} on all cores")
    gain = median["fit"] / median["scan"]
    print(f"fit / scan: {gain[0]:.1f} by the clock, {gain[1]:.1f} on all cores")
    return int(gain[1] < 2.5 and not settings.wide)


def way_of(settings, pixels, steps, on_device, kerass):
    """A function without arguments: an epoch's seconds by the clock, and on all cores."""
    import keras

    import keras_disentangle as kd

    model = vae(settings.wide)
    model.compile("adam", steps_per_execution=steps)
    if kerass:
        model.make_train_function = lambda force=False: keras.Model.make_train_function(
            model, force
        )
    batches = kd.datasets.image_batches(pixels, settings.batch_size, seed=SEED)
    if on_device:
        batches.on_device()
    clock = Clock()
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=clock.start, on_epoch_end=clock.stop)

    def run():
        model.fit(batches, verbose=0, callbacks=[watch])
        return clock.found

    return run


class Clock:
    def start(self, epoch, logs=None):
        self.begun = time.perf_counter(), time.process_time()

    def stop(self, epoch, logs=None):
        now = time.perf_counter(), time.process_time()
        self.found = [b - a for a, b in zip(self.begun, now, strict=True)]


def vae(wide):
    import keras
    from keras import layers

    import keras_disentangle as kd

    if not wide:
        encoder = [layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(8)]
        decoder = [layers.Dense(32, "relu"), layers.Dense(64), layers.Reshape((8, 8, 1))]
    else:
        down = {"strides": 2, "padding": "same", "activation": "relu"}
        encoder = [layers.Conv2D(width, 4, **down) for width in (32, 32, 64, 64)]
        encoder += [layers.Flatten(), layers.Dense(256, "relu"), layers.Dense(8)]
        decoder = [layers.Dense(256, "relu"), layers.Dense(1024, "relu")]
        decoder += [layers.Reshape((4, 4, 64))]
        decoder += [layers.Conv2DTranspose(width, 4, **down) for width in (64, 32, 32)]
        decoder += [layers.Conv2DTranspose(1, 4, strides=2, padding="same")]
    side = 64 if wide else 8
    keras.utils.set_random_seed(SEED)
    return kd.models.VAE(
        keras.Sequential([keras.Input((side, side, 1)), *encoder]),
        keras.Sequential([keras.Input((4,)), *decoder]),
        seed=SEED,
    )


# Equality


def equal(settings):
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    if settings.quick:
        from quick_jax import quick_jax

        os.environ.update(quick_jax())
    from model_table import MODELS

    if os.environ.get("KERAS_BACKEND") == "jax":
        from keras_disentangle.trainers import _jax_steps

        # As on a GPU, where convolutions too are scanned over.
        _jax_steps.slow_in_a_loop = lambda *_: False
    worst = 0.0
    print(f"{'model':32} {'1 and 8':>20} {'1 and 50':>20} {'8 and 50':>20}  (weights, history)")
    for name in settings.models or MODELS:
        found = {steps: trained(MODELS[name], steps) for steps in (1, 8, 50)}
        pairs = [differences(found[a], found[b]) for a, b in ((1, 8), (1, 50), (8, 50))]
        text = " ".join(f"{weights:10.1e} {history:9.1e}" for weights, history in pairs)
        print(f"{name:32} {text}", flush=True)
        worst = max(worst, *(history for _, history in pairs))
    print(f"largest difference of a history: {worst:.1e} of its values")
    return int(worst > 1e-4)


def trained(row, steps):
    """The variables and the history of a model after an epoch of 56 steps."""
    import keras
    from tiny_networks import IMAGES
    from tiny_training import adams, assign_by_hand, fit, numbers

    from keras_disentangle.models.frozen_generator_model import FrozenGeneratorModel

    keras.utils.set_random_seed(SEED)
    model = row.build()
    assign_by_hand(model)
    model.compile(**adams(model, 1e-3), steps_per_execution=steps)
    paired = getattr(model, "images_per_example", 1)
    images = np.random.default_rng(SEED).random((56 * 4 * paired, *IMAGES.shape[1:]), "float32")
    if isinstance(model, FrozenGeneratorModel):
        history = model.fit(56, batch_size=4, verbose=0).history
    else:
        history = fit(model, images, epochs=1, batch_size=4, compile_with=False)
    return numbers([v for v in model.weights if v.trainable]), history


def differences(a, b):
    """The largest differences of weights, and of a history in units of its values."""
    weights = max(float(np.max(np.abs(x - y))) for x, y in zip(a[0], b[0], strict=True))
    history = max(
        float(np.max(np.abs(np.subtract(a[1][k], b[1][k])) / (1e-3 + np.abs(a[1][k]))))
        for k in a[1]
    )
    return weights, history


# Memory


def memory(settings):
    import keras_disentangle as kd

    def used():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def now():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    pixels = np.random.default_rng(SEED).integers(0, 256, (50_000, 64, 64, 1), np.uint8)
    model = vae(wide=True)
    model.compile("adam", run_eagerly=True)
    model.fit(kd.datasets.image_batches(pixels[:64], 32, seed=0), verbose=0)
    batches = kd.datasets.image_batches(pixels, 32, seed=0, steps_per_epoch=2).on_device()
    before = now()
    model.fit(batches, verbose=0)
    print(f"images of {batches.num_bytes / 2**20:.0f} MB: {now() - before:.0f} MB more afterwards")
    print(f"at the peak of the process: {used() - before:.0f} MB more")
    return 0


if __name__ == "__main__":
    main()
