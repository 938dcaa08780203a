"""Reads 200,000 small JPEGs while nothing is trained: memory, time to the first batch, throughput.

    python scripts/benchmarks/stream_images.py                  # about six minutes on two cores
    python scripts/benchmarks/stream_images.py --kinds folder zip tfrecord array_record

The images have 32 to 64 pixels a side and are brought to 48. Each measurement is a process of its
own. "of Pillow" are the images a second of a stream (its start not counted) divided by those of
Pillow alone on one core; the CPU time of its process and workers stands beside it: threads that run
at once, each on a core of its own, wait for Python's lock. Memory is the peak of the process,
and of all its workers (each counted in whole, though they share pages).
"""

import argparse
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

SIDE = 48
BATCH = 64


def write_images(folder, number):
    """JPEGs of 32 to 64 pixels a side, a smooth picture each, in ten folders."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(number):
        place = folder / f"{i % 10}"
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype="uint8"))
        size = tuple(map(int, rng.integers(32, 65, size=2)))
        picture.resize(size, Image.Resampling.BICUBIC).save(place / f"{i:06}.jpg", quality=90)


def packed(folder, kind):
    """The same images in one file."""
    path = folder.with_suffix(f".{kind}")
    files = sorted(folder.rglob("*.jpg"))
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(folder))
    elif kind == "tfrecord":
        with open(path, "wb") as out:
            for content in map(pathlib.Path.read_bytes, files):
                out.write(struct.pack("<Q", len(content)) + bytes(4) + content + bytes(4))
    else:
        from array_record.python.array_record_module import ArrayRecordWriter

        writer = ArrayRecordWriter(str(path), "group_size:1")
        for file in files:
            writer.write(file.read_bytes())
        writer.close()
    return path


def alone(path, number):
    """Pillow alone: what must be done for an image, as short as it can be written."""
    import numpy as np
    from PIL import Image

    files = [str(file) for file in sorted(path.rglob("*.jpg"))[:number]]
    start = time.monotonic()
    for file in files:
        with Image.open(file) as picture:
            picture = picture.convert("RGB")
            scale = min(picture.width, picture.height) / SIDE
            left, top = ((size - scale * SIDE) / 2 for size in picture.size)
            box = (left, top, left + scale * SIDE, top + scale * SIDE)
            picture = picture.crop(tuple(map(round, box)))
            np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    return {"microseconds": 1e6 * (time.monotonic() - start) / len(files)}


def stream(path, number, workers):
    """The first `number` images of a stream, as `fit` draws them."""
    import keras_disentangle as kd

    imported = time.monotonic()
    batches = kd.datasets.stream_images(path, (SIDE, SIDE, 3), BATCH, seed=0, num_workers=workers)
    listed = time.monotonic() - imported
    batches.on_epoch_begin()
    batches[0]
    first, before, start = time.monotonic() - imported, cpu(workers), time.monotonic()
    steps = number // BATCH
    for i in range(1, steps):
        batches[i]
    used, passed = cpu(workers) - before, time.monotonic() - start
    batches.close()
    return {
        "images": len(batches) * BATCH,
        "seconds_to_list": listed,
        "seconds_to_first_batch": first,
        "microseconds": 1e6 * passed / (BATCH * (steps - 1)),
        "microseconds_of_cpu": 1e6 * used / (BATCH * (steps - 1)),
        "megabytes": peak(resource.RUSAGE_SELF),
        "megabytes_of_a_worker": peak(resource.RUSAGE_CHILDREN) if workers else 0,
    }


def cpu(workers):
    """Seconds of CPU of this process, and of its workers while they run."""
    used = time.process_time()
    if workers:
        import psutil

        for child in psutil.Process().children(recursive=True):
            used += sum(child.cpu_times()[:2])
    return used


def peak(who):
    # macOS counts in bytes, Linux in units of 1024.
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def train(path, folder):
    """Trains a small VAE in epochs of 400 batches; prints each and a digest of all weights."""
    import keras
    from keras import layers, ops

    import keras_disentangle as kd

    class Announce(keras.callbacks.Callback):
        only_looks_on = True

        def on_train_batch_end(self, batch, logs=None):
            print("batch", batch, flush=True)

    keras.utils.set_random_seed(0)
    shape = (SIDE, SIDE, 3)
    encoder = keras.Sequential(
        [keras.Input(shape), layers.AveragePooling2D(8), layers.Flatten(), layers.Dense(8)]
    )
    decoder = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6 * 6 * 3), layers.Reshape((6, 6, 3))]
    )
    decoder.add(layers.UpSampling2D(8))
    model = kd.models.VAE(encoder, decoder, seed=0)
    model.compile("adam")
    batches = kd.datasets.stream_images(path, shape, BATCH, seed=0, steps_per_epoch=400)
    backup = kd.callbacks.ExactBackup(folder, save_freq=100)
    history = model.fit(batches, epochs=2, verbose=0, callbacks=[backup, Announce()]).history
    digest = hashlib.sha256(json.dumps(history).encode())
    for variable in [*model.variables, *model.optimizer.variables]:
        digest.update(ops.convert_to_numpy(variable).tobytes())
    print("digest", digest.hexdigest(), flush=True)


def child(*arguments, kill_at=None):
    """The last word that a process of this script prints; `None` if it is killed at a batch."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )
    last, seen = "", 0
    for line in process.stdout:
        last, seen = line, seen + line.startswith("batch")
        if seen == kill_at:
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    if kill_at is None and process.returncode:
        sys.exit(f"failed: {arguments}")
    return last.partition(" ")[2].strip() if kill_at is None else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=200_000, help="of images")
    parser.add_argument("--read", type=int, default=40_000, help="images that are read and timed")
    parser.add_argument("--kinds", nargs="+", default=["folder"])
    parser.add_argument("--workers", nargs="+", type=int, default=[0], help="processes")
    parser.add_argument("--folder", type=pathlib.Path, help="for the images; deleted in the end")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, path, *rest = options.child
        path = pathlib.Path(path)
        if what == "train":
            return train(path, *rest)
        found = (alone if what == "alone" else stream)(path, *map(int, rest))
        return print("found", json.dumps(found))
    place = pathlib.Path(tempfile.mkdtemp(dir=options.folder))
    try:
        folder = place / "images"
        write_images(folder, options.number)
        print(f"{options.number:,} JPEGs, read as {SIDE}×{SIDE} in batches of {BATCH}", end="; ")
        print(f"backend {os.environ.get('KERAS_BACKEND', 'of the settings')}", flush=True)
        pillow = json.loads(child("alone", folder, options.read))["microseconds"]
        print(f"Pillow alone: {pillow:.0f} µs an image", flush=True)
        for kind in options.kinds:
            path = folder if kind == "folder" else packed(folder, kind)
            for workers in options.workers:
                found = json.loads(child("stream", path, options.read, workers))
                memory = found["megabytes"] + workers * found["megabytes_of_a_worker"]
                share = pillow / found["microseconds"]
                print(
                    f"{kind}, {workers} workers: {found['images']:,} images; listed in "
                    f"{found['seconds_to_list']:.1f} s, first batch after "
                    f"{found['seconds_to_first_batch']:.1f} s; {found['microseconds']:.0f} µs an "
                    f"image, {share:.2f} of Pillow ({found['microseconds_of_cpu']:.0f} µs of CPU); "
                    f"{memory:.0f} MB",
                    flush=True,
                )
            if kind == "folder":
                whole = child("train", path, place / "whole")
                child("train", path, place / "killed", kill_at=550)
                again = child("train", path, place / "killed")
                same = "bit for bit" if again == whole else "NOT"
                print(f"killed in the midst of epoch 1 and resumed: {same} the same", flush=True)
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
