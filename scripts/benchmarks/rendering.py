"""How fast, and with how much memory, DSprites, Shapes3D and Clevr draw.

Draws random images in batches, on one core, each data set and image size in a process of its own.
Prints the images a second (median of the runs, with the slowest and the fastest; the first run of
Shapes3D draws what later ones only colour), the time to set up the data set, and by how much data
set and drawing raised the process's resident memory at its peak.

    python scripts/benchmarks/rendering.py
    python scripts/benchmarks/rendering.py --data simple complex --sizes 128 --runs 11
"""

import argparse
import itertools
import multiprocessing
import os
import pathlib
import resource
import statistics
import sys
import time

import numpy as np

# Images in a run, so that one takes seconds.
IMAGES = {"dsprites": 20_000, "shapes3d": 20_000, "1fov": 2_000, "simple": 2_000, "complex": 2_000}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        nargs="+",
        choices=IMAGES,
        default=list(IMAGES),
        help="dsprites, shapes3d, or variants of Clevr (default: all)",
    )
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[32, 64, 128],
        help="image sizes in pixels, 16 to 128; below 64, DSprites draws larger images and "
        "averages them (default: %(default)s)",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=512,
        help="images asked for at once, as a training step would (default: %(default)s)",
    )
    parser.add_argument(
        "--images",
        type=int,
        help="images in a run; their numbers are random, drawn with seed 0 (default: 20,000 of "
        "dsprites and shapes3d, 2,000 of the others)",
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="runs that are timed for a size (default: %(default)s)"
    )
    arguments = parser.parse_args()
    for name in ("batch_size", "images", "runs"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    if not all(16 <= size <= 128 for size in arguments.sizes):
        parser.error("--sizes must be 16 to 128")

    print("data       size   images/s   (slowest - fastest)   set-up   added memory")
    for name, size in itertools.product(arguments.data, arguments.sizes):
        images = arguments.images or IMAGES[name]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rates, set_up, memory = pool.apply(
                measure, (name, size, arguments.batch_size, images, arguments.runs)
            )
        print(
            f"{name:8s} {size:6d} {statistics.median(rates):10,.0f}   ({min(rates):,.0f} - "
            f"{max(rates):,.0f})   {set_up:.2f} s   {memory / 2**20:.0f} MiB",
            flush=True,
        )


def measure(name, size, batch_size, images, runs):
    """Images a second of each run, seconds to set up, bytes of memory added."""
    from keras_disentangle.datasets import Clevr, DSprites, Shapes3D

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    before = resident_memory()
    start = time.perf_counter()
    drawn = {"dsprites": DSprites, "shapes3d": Shapes3D}
    data = drawn[name](size) if name in drawn else Clevr(name, size)
    set_up = time.perf_counter() - start
    index = np.random.default_rng(0).integers(len(data), size=images)
    rates = []
    for _ in range(runs):
        start = time.perf_counter()
        for i in range(0, images, batch_size):
            data.images(index[i : i + batch_size])
        rates.append(images / (time.perf_counter() - start))
    return rates, set_up, peak_memory() - before


def resident_memory():
    """The resident memory of this process, in bytes; where unknown, its peak so far."""
    statm = pathlib.Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return peak_memory()


def peak_memory():
    """The largest resident memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
