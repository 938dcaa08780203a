"""Memory that training on an array, and kept results, take beyond what they hold.

    KERAS_BACKEND=torch python scripts/benchmarks/memory.py

Prints what `fit` adds at its peak to an array of 300 MB, after a run on a fifth of it has compiled
everything: for a plain Keras model, for a VAE and a GAN, for the VAE given `image_batches` of
bytes, and for the VAE given a data set of h5py, which is not in memory before; each in a process of
its own. Keras itself copies arrays on TensorFlow. Then what 100 kept results of `encode` take
beside their numbers. Ends with exit status 1 if a model of ours adds over 5%, or if results take
more than twice their numbers and 5 MB. Needs Linux's `/proc`.

Batches have the 32 images that are `fit`'s default. On JAX steps wait to be computed while Python
goes on (15 were counted), and each keeps its batch: with batches of 200 images (0.6 MB) any model
of Keras takes 10 to 30 MB by that, whatever the size of the array.
"""

import gc
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SHAPE = (28, 28, 1)
KINDS = ("keras", "vae", "gan", "vae, image_batches", "vae, h5py")
BATCH = 32
PART = 22_014  # 69 MB, as many as are treated like those of 300 MB


def memory(key):
    """Megabytes that this process uses (`VmRSS`), or used at its peak (`VmHWM`)."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{key}:\s+(\d+) kB", status)[1]) / 1024


def model_of(kind):
    import keras
    from keras import layers

    import keras_disentangle as kd

    def network(*stack):
        return keras.Sequential(stack)

    encoder = network(keras.Input(SHAPE), layers.Flatten(), layers.Dense(16))
    decoder = network(keras.Input((8,)), layers.Dense(784), layers.Reshape(SHAPE))
    if kind == "gan":
        critic = network(keras.Input(SHAPE), layers.Flatten(), layers.Dense(1))
        model = kd.models.GAN(decoder, critic, image_range=(0.0, 1.0))
        model.compile(generator_optimizer="adam", discriminator_optimizer="adam")
    elif kind == "keras":
        model = network(*encoder.layers)
        model.compile("adam", lambda y, prediction: keras.ops.mean(prediction, axis=-1))
    else:
        model = kd.models.VAE(encoder, decoder)
        model.compile("adam")
    return model


def data_of(kind, folder):
    """The images of 300 MB, and a fifth of them with a last batch of the same size."""
    import h5py
    import numpy as np

    generator = np.random.default_rng(0)
    if kind.endswith("image_batches"):
        images = generator.integers(0, 256, (401_408, *SHAPE), dtype=np.uint8)
        return images, images[:80_288]
    if not kind.endswith("h5py"):
        images = generator.random((100_350, *SHAPE), dtype=np.float32)
        return images, images[:PART]
    file = h5py.File(Path(folder, "images.h5"), "w")
    for name, n in (("images", 100_350), ("part", PART)):
        data = file.create_dataset(name, (n, *SHAPE), "float32")
        for start in range(0, n, 1024):
            rows = min(1024, n - start)
            data[start : start + rows] = generator.random((rows, *SHAPE), dtype=np.float32)
    return file["images"], file["part"]


def added_by_fit(kind):
    """Megabytes at the peak of `fit` beyond those in use before it, and the data's."""
    import numpy as np

    import keras_disentangle as kd

    def fit(images):
        if kind.endswith("image_batches"):
            model.fit(kd.datasets.image_batches(images, BATCH, seed=0), verbose=0)
        else:
            labels = {"y": np.zeros(len(images), "float32")} if kind == "keras" else {}
            model.fit(images, **labels, batch_size=BATCH, verbose=0)

    with tempfile.TemporaryDirectory() as folder:
        model, (images, part) = model_of(kind), data_of(kind, folder)
        fit(part)
        gc.collect()
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # The peak begins anew.
        fit(images)
        return memory("VmHWM") - before, images.nbytes / 2**20


def held_by_results():
    """Megabytes that 100 results of `encode` take, and those of their numbers."""
    import numpy as np

    model, images = model_of("vae"), np.zeros((256, *SHAPE), "float32")
    for _ in range(50):  # What waits to be computed, and what the allocator keeps, is there by now.
        model.encode(images)
    gc.collect()
    before = memory("VmRSS")
    kept = [model.encode(images) for _ in range(100)]
    numbers = sum(4 * int(np.prod(part.shape)) for pair in kept for part in pair) / 2**20
    return memory("VmRSS") - before, numbers


def main():
    if len(sys.argv) > 1:
        found = held_by_results() if sys.argv[1] == "results" else added_by_fit(sys.argv[1])
        print("found", *found)
        return 0
    found = {}
    for kind in (*KINDS, "results"):
        run = subprocess.run(
            [sys.executable, __file__, kind], capture_output=True, text=True, check=True
        )
        found[kind] = [float(number) for number in run.stdout.split()[-2:]]
    for kind in KINDS:
        added, size = found[kind]
        print(f"{kind}: fit adds {added:.1f} MB to {size:.0f} MB, {added / size:.1%}")
    held, numbers = found["results"]
    print(f"100 results of encode hold {held:.1f} MB for {numbers:.1f} MB of numbers")
    added = {kind: found[kind][0] / found[kind][1] for kind in KINDS}
    most = max(share for kind, share in added.items() if kind != "keras")
    return int(most > 0.05 or held > 2 * numbers + 5)


if __name__ == "__main__":
    sys.exit(main())
