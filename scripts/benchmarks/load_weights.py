"""CPU seconds, and compilations on JAX, that loading each of the bundled weights takes.

python scripts/benchmarks/load_weights.py --backends tensorflow jax

Each model is loaded in a fresh process, once the backend has done its first operation, so that what
is measured is what a user waits for after the imports. The last column is the ratio to the first
backend.
"""

import argparse
import os
import subprocess
import sys
import time


def measure(backend, application, name):
    import keras

    import keras_disentangle as kd

    compilations = []
    if backend == "jax":
        import jax

        jax.monitoring.register_event_duration_secs_listener(
            lambda event, *_, **__: "backend_compile" in event and compilations.append(event)
        )
    keras.ops.add(keras.ops.zeros(1), 1)
    compilations.clear()
    start = time.process_time()
    getattr(kd.applications, application)(weights=name)
    print(time.process_time() - start, len(compilations))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax"])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return measure(*options.one)
    from keras_disentangle.applications import available_weights

    print(f"{'application':20}{'weights':24}{'backend':12}{'CPU s':>8}{'compiled':>10}{'ratio':>7}")
    for application, names in available_weights().items():
        for name in names:
            first = None
            for backend in options.backends:
                found = subprocess.run(
                    [sys.executable, __file__, "--one", backend, application, name],
                    env={**os.environ, "KERAS_BACKEND": backend},
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout.split()
                seconds, compiled = float(found[-2]), int(found[-1])
                first = seconds if first is None else first
                print(
                    f"{application:20}{name:24}{backend:12}{seconds:8.2f}{compiled:10}"
                    f"{seconds / first:7.1f}"
                )


if __name__ == "__main__":
    main()
