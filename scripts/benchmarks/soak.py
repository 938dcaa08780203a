"""An hour of `fit` with all callbacks: memory, traces and open files must stay as they were.

    KERAS_BACKEND=tensorflow PYTHONPATH=.:tests python scripts/benchmarks/soak.py [MINUTES] [MODEL]

MODEL is `progressive_ladder_vae` (the default), `progressive_gan` or `direction_discovery`, a small
one of the tests'. One `fit` trains it with every callback of this package that fits it, and with
Keras's `ModelCheckpoint` and `CSVLogger`, on `image_batches` with a validation set. An epoch takes
a second or two, so that what happens at its end (pictures, metrics, backups) happens a thousand
times; each leaves about 2 kB behind, most of it Keras's `History`.

Prints, ten times, the memory that the process holds, what was traced or compiled so far, and the
open files. The exit status is 1 if memory at the end, as a median over the last tenth of the
epochs, is more than 2% above that of the second tenth, if anything was traced or compiled after
the first tenth, or if `fit` leaves files open. Needs Linux's `/proc`.
"""

import gc
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from factor_images import factor_images
from model_table import MODELS
from tiny_networks import IMAGES
from tiny_training import adams

import keras_disentangle as kd

EPOCH = 4000  # images: 200 steps
FACTORS = factor_images()


def memory():
    """Megabytes that this process holds, swapped out or not, but for the files of libraries."""
    status = Path("/proc/self/status").read_text()
    return sum(int(kb) for kb in re.findall(r"(?:RssAnon|VmSwap):\s+(\d+) kB", status)) / 1024


def open_files():
    """How many are open, but for the fonts that matplotlib holds."""
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sum(not os.readlink(link).endswith(".ttf") for link in links if os.path.lexists(link))


def counter():
    """A function that says how often anything was traced (TensorFlow) or compiled (JAX)."""
    count = [0]
    if keras.backend.backend() == "jax":
        import jax

        def listener(event, seconds, **others):
            count[0] += event == "/jax/core/compile/backend_compile_duration"

        jax.monitoring.register_event_duration_secs_listener(listener)
    elif keras.backend.backend() == "tensorflow":
        from tensorflow.python.framework.func_graph import FuncGraph

        original = FuncGraph.__init__

        def counted(self, *args, **kwargs):
            count[0] += 1
            original(self, *args, **kwargs)

        FuncGraph.__init__ = counted
    return lambda: count[0]


def callbacks_of(name, model, folder):
    of_ours = kd.callbacks
    noted = []

    def tracker(*args, **kwargs):
        noted[:] = [len(args)]

    chosen = [
        of_ours.TensorBoardScalars(folder / "logs", every=5),
        of_ours.ExperimentTracker(tracker, folder / "logs"),
        keras.callbacks.CSVLogger(folder / "epochs.csv"),
        keras.callbacks.ModelCheckpoint(folder / "best.keras", "val_loss", save_best_only=True),
        of_ours.ExactBackup(folder / "backup"),
    ]
    pixels = (255 * IMAGES).astype("uint8")
    if name == "progressive_ladder_vae":
        return [
            of_ours.ProgressiveFadeIn(steps_per_stage=1000, fade_steps=500),
            of_ours.RampWeight("beta", 8.0, 5000),
            of_ours.LatentTraversal(folder / "logs", images=IMAGES[:2]),
            of_ours.FactorMetrics(FACTORS, every=2, max_share=None, num_samples=200),
            of_ours.InformationFlow(folder / "logs", pixels, num_samples=200),
            *chosen,
        ]
    if name == "progressive_gan":
        chosen[3] = keras.callbacks.ModelCheckpoint(folder / "last.keras")
        growth = of_ours.ProgressiveGrowth(images_per_fade=8000, images_per_stage=8000)
        return [growth, of_ours.LatentTraversal(folder / "logs"), *chosen]
    latents = np.zeros(model.directions.latent_dim, "float32")
    chosen[3] = keras.callbacks.ModelCheckpoint(folder / "last.keras")
    return [of_ours.DirectionTraversal(folder / "logs", latents=latents), *chosen]


class Watch(keras.callbacks.Callback):
    """Notes what the process holds at the end of each epoch, and ends training in time."""

    only_looks_on = True

    def __init__(self, minutes, traces):
        super().__init__()
        self.minutes, self.traces = minutes, traces
        self.notes, self.told = [], 0

    def on_train_begin(self, logs=None):
        self.begin = time.time()

    def on_epoch_end(self, epoch, logs=None):
        passed = time.time() - self.begin
        self.notes.append((passed, memory(), self.traces(), open_files()))
        if passed > self.told * self.minutes * 6:
            self.told += 1
            text = "{:6.0f} s  {:8.1f} MB  {:6d} traces  {:4d} files  epoch {:6d}"
            print(text.format(*self.notes[-1], epoch), flush=True)
        if passed > 60 * self.minutes:
            self.model.stop_training = True


def main(minutes, name):
    keras.utils.set_random_seed(0)
    traces = counter()
    model = MODELS[name].build()
    model.compile(**adams(model, 1e-3))
    before = open_files()
    watch = Watch(minutes, traces)
    with tempfile.TemporaryDirectory() as folder:
        images = np.tile((255 * IMAGES).astype("uint8"), (EPOCH // 16, 1, 1, 1))
        given = {"x": kd.datasets.image_batches(images, 20, seed=0)}
        if name == "direction_discovery":
            given = {"steps": EPOCH // 20}
        elif name == "progressive_ladder_vae":
            given["validation_data"] = kd.datasets.image_batches(images[:40], 20, seed=0)
        callbacks = [*callbacks_of(name, model, Path(folder)), watch]
        model.fit(**given, epochs=10**6, callbacks=callbacks, verbose=0)
    del callbacks
    gc.collect()
    left = open_files() - before
    tenth = len(watch.notes) // 10
    held = np.array(watch.notes)
    early = np.median(held[tenth : 2 * tenth, 1])
    late = np.median(held[-tenth:, 1])
    later = int(held[-1, 2] - held[tenth, 2])
    print(
        f"{keras.backend.backend()}, {name}: {len(held)} epochs in {held[-1, 0] / 60:.1f} minutes; "
        f"memory {early:.1f} to {late:.1f} MB ({late / early - 1:+.2%}), {later} traces after the "
        f"first tenth, {left} files left open"
    )
    return late > 1.02 * early or later > 0 or left > 0


if __name__ == "__main__":
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    name = sys.argv[2] if len(sys.argv) > 2 else "progressive_ladder_vae"
    sys.exit(main(minutes, name))
