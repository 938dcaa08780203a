"""CPU seconds of UDR, of 10 models of 10 dimensions and 10,000 points unless said otherwise.

    python scripts/benchmarks/udr.py
    python scripts/benchmarks/udr.py --models 50 --dimensions 20

The codes are rotations and reorderings of the same Gaussian variables with noise, so that the lasso
has correlated and uncorrelated dimensions to choose from.
"""

import argparse
import time

import numpy as np

from keras_disentangle.metrics import udr


def models(count, rows, width, seed=0):
    """Codes of each model, and the KL divergences of their dimensions, two of which are dead."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((rows, width))
    codes = []
    for i in range(count):
        turned, _ = np.linalg.qr(rng.standard_normal((width, width)))
        matrix = turned if i % 2 else np.eye(width)[rng.permutation(width)]
        codes.append(z @ matrix + 0.3 * rng.standard_normal((rows, width)))
    kls = np.ones((count, width))
    kls[:, -2:] = 0.001
    return codes, kls


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=10)
    options = parser.parse_args()
    codes, kls = models(options.models, options.rows, options.dimensions)
    udr(codes[:2], kls[:2], method="spearman")  # What is imported is so once.
    for method in ("lasso", "spearman"):
        start = time.process_time()
        scores = udr(codes, kls, method)
        seconds = time.process_time() - start
        print(f"{method:10}{seconds:8.2f} s   scores {scores.min():.3f} to {scores.max():.3f}")


if __name__ == "__main__":
    main()
