"""Time and memory of `latent_information`, by default for 60,000 posteriors and 3 rungs of 3.

python scripts/benchmarks/latent_information.py --runs 3

Prints the seconds of each run and their median, and the memory that the process adds to what it
held before: the rise of its peak resident size (Linux and macOS).
"""

import argparse
import resource
import statistics
import sys
import time

import numpy as np

from keras_disentangle.metrics import latent_information


def peak_mebibytes():
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kibibytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main():
    parser = argparse.ArgumentParser(description="Time and memory of latent_information.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--rungs", type=int, nargs="+", default=[3, 3, 3])
    parser.add_argument("--samples", type=int, default=10_000)
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    shape = (arguments.examples, sum(arguments.rungs))
    mean = rng.standard_normal(shape)
    log_var = 2 * np.log(rng.uniform(0.05, 0.5, size=shape))

    before = peak_mebibytes()
    seconds = []
    for _ in range(arguments.runs):
        start = time.perf_counter()
        result = latent_information(
            mean, log_var, rungs=arguments.rungs, num_samples=arguments.samples
        )
        seconds.append(time.perf_counter() - start)
    print(f"information: {result}")
    print("seconds:", " ".join(f"{value:.1f}" for value in seconds))
    print(f"median seconds: {statistics.median(seconds):.1f}")
    print(f"peak added memory: {peak_mebibytes() - before:.0f} MiB")


if __name__ == "__main__":
    main()
