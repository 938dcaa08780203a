"""Memory that training on an array, and kept results, take beyond what they hold.

    KERAS_BACKEND=torch python scripts/benchmarks/memory.py

Prints what `fit` adds at its peak to an array of 300 MB, after a short run has compiled everything:
for a plain Keras model, for a VAE and a GAN given the array, and for the VAE given
`kd.datasets.image_batches` of bytes; each in a process of its own. Keras itself copies arrays
on TensorFlow. Then what 100 kept results of `encode` take beside their numbers. Ends with exit
status 1 if a model adds over 5% more than Keras's own does, `image_batches` over 5%, or if results
take more than twice their numbers and 5 MB. Needs Linux's `/proc`.
"""

import gc
import re
import subprocess
import sys
from pathlib import Path

SHAPE = (28, 28, 1)
KINDS = ("keras", "vae", "gan", "vae, image_batches")


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


def added_by_fit(kind):
    """Megabytes at the peak of `fit` beyond those in use before it, and the array's."""
    import numpy as np

    import keras_disentangle as kd

    batched, model = kind.endswith("image_batches"), model_of(kind)
    generator = np.random.default_rng(0)
    if batched:
        images = generator.integers(0, 256, (401_400, *SHAPE), dtype=np.uint8)
    else:
        images = generator.random((100_350, *SHAPE), dtype=np.float32)

    def fit(images):
        if batched:
            model.fit(kd.datasets.image_batches(images, 200, seed=0), verbose=0)
        else:
            labels = {"y": np.zeros(len(images), "float32")} if kind == "keras" else {}
            model.fit(images, **labels, batch_size=200, verbose=0)

    fit(images[:3350])
    gc.collect()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # The peak begins anew.
    fit(images)
    return memory("VmHWM") - before, images.nbytes / 2**20


def held_by_results():
    """Megabytes that 100 results of `encode` take, and those of their numbers."""
    import numpy as np

    model, images = model_of("vae"), np.zeros((256, *SHAPE), "float32")
    kept = [model.encode(images) for _ in range(3)]
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
    more = max(added["vae"], added["gan"]) - added["keras"]
    too_much = more > 0.05 or added["vae, image_batches"] > 0.05 or held > 2 * numbers + 5
    return int(too_much)


if __name__ == "__main__":
    sys.exit(main())
