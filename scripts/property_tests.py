"""Calls everything public with arguments drawn at random, and counts how the calls ended.

    KERAS_BACKEND=jax python scripts/property_tests.py --cases 5000 --seed 1
    KERAS_BACKEND=jax python scripts/property_tests.py --only metrics. --cases 500

A failure is printed with its arguments; the exit status is the number of failures, at most 100.
Needs hypothesis. What a call may end in is said in tests/properties/_cases.py.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import sys
import tempfile
import time
import warnings

with contextlib.suppress(ImportError):
    import torch  # noqa: F401  # must be loaded before TensorFlow

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

# As the tests have it: what is compiled here runs once.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import keras
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from properties._cases import Failure, calls, made, run
from properties._tables import cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="of names that begin with this")
    options = parser.parse_args()
    # Networks that are made while drawing take numbers for seeds that nobody uses.
    warnings.simplefilter("ignore", FutureWarning)
    table = {name: case for name, case in cases().items() if name.startswith(options.only)}
    total = sum(case.share for case in table.values())
    outcomes, failures = collections.Counter(), []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, case in table.items():
            start = time.monotonic()
            number = -(-round(options.cases * case.share) // max(1, round(total)))
            counts, failed = _draw(case, number, options.seed)
            outcomes.update(counts)
            failures += [(name, *failure) for failure in failed]
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
            print(f"{name:45} {time.monotonic() - start:6.1f} s  {kinds}", flush=True)
            for arguments, message in _distinct(failed):
                print(f"    FAILURE {_line(message)}\n        of {_line(arguments)}", flush=True)
        os.chdir("/")
    print(f"\nbackend {keras.backend.backend()}, seed {options.seed}, {len(table)} names")
    print(f"{sum(outcomes.values())} cases in {time.monotonic() - began:.0f} s: {dict(outcomes)}")
    return min(100, len(failures))


def _draw(case, number, first_seed):
    """How `number` calls ended, and those that failed as pairs of arguments and message.

    Hypothesis ends early where there is not more to draw, so it may begin anew.
    """
    counts, failures = collections.Counter(), []
    for attempt in range(1000):
        left = number - counts.total()
        if left <= 0:
            break

        @seed(1000 * first_seed + attempt)
        @settings(
            max_examples=left,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def draw(data):
            if counts.total() >= number:
                return
            arguments, as_meant = data.draw(calls(case))
            arguments = made(arguments)
            shown = _shown(arguments)
            try:
                counts[run(case, arguments, as_meant)] += 1
            except Failure as failure:
                counts["FAILURE"] += 1
                failures.append((shown, f"{failure}"[:600]))

        draw()
    return counts, failures


def _shown(arguments):
    """The shortest first, so that what matters is not cut off."""
    return ", ".join(sorted((f"{k}={v!r}"[:400] for k, v in arguments.items()), key=len))


def _line(text):
    return " ".join(text.split())


def _distinct(failures, most=6):
    """One failure of each kind, by how its message begins."""
    return list({message[:60]: (shown, message) for shown, message in failures}.values())[:most]


if __name__ == "__main__":
    sys.exit(main())
