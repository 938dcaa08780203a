"""Runs the tests in several processes, two at a time, since a test keeps one core busy.

python scripts/_run_tests.py "BACKEND ..." [arguments of pytest]; test.sh calls it.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

PROCESSES = 2
QUICKEST = ["torch", "tensorflow", "jax"]  # PyTorch compiles nothing.
# What computes with NumPy alone, or not at all, is tested under the first backend.
NUMPY_ALONE = [
    *("tests/metrics", "tests/datasets", "tests/visualization"),
    *("tests/test_floors.py", "tests/test_packaging.py"),
]
# The parts of a backend's tests: balanced, and at an end before a process holds much memory.
MODELS = ["tests/models", "tests/trainers"]
CALLBACKS = ["tests/callbacks", "tests/test_shared_table.py"]
APPLICATIONS = ["tests/applications", "tests/test_evaluation.py", "tests/test_docs.py"]
# Runs Python where the packages are that tests with the mark `extra` need.
WITH_EXTRAS = ["bash", "scripts/with_extras.sh"]
NO_TESTS = 5  # pytest's exit status

running = []


def jobs(backends, arguments):
    """Names, backends, arguments and, unless it is this one, Python of the processes.

    Those that take long come first.
    """
    by_speed = sorted(backends, key=QUICKEST.index)
    whole = any(Path(argument.partition("::")[0]).exists() for argument in arguments)
    rest = [] if whole else MODELS + CALLBACKS + APPLICATIONS
    found = []
    for backend in reversed(by_speed):
        ignored = rest if backend == backends[0] and whole else rest + NUMPY_ALONE
        one = "" if backend == by_speed[0] else " and not one_backend"
        common = ["-m", f"not extra{one}", *arguments]
        found.append((backend, backend, [*(f"--ignore={path}" for path in ignored), *common]))
        if not whole:
            found.append((f"{backend}, models", backend, [*MODELS, *common]))
            found.append((f"{backend}, callbacks", backend, [*CALLBACKS, *common]))
            found.append((f"{backend}, applications", backend, [*APPLICATIONS, *common]))
    if not whole:
        numpy_alone = [*NUMPY_ALONE, "-m", "not extra", *arguments]
        found.append((f"{backends[0]}, NumPy alone", backends[0], numpy_alone))
    paths, options = [], []
    for argument in arguments:
        path = Path(argument.partition("::")[0])
        (paths if path.exists() else options).append(path if path.exists() else argument)
    # Early, since setting up the environment mostly waits for the network. Some are of JAX alone.
    if files := with_extras(paths or [Path("tests")]):
        backend = "jax" if "jax" in backends else by_speed[0]
        job = ("extras", backend, ["-m", "extra", *files, *options], WITH_EXTRAS)
        found.insert(1, job)
    return found


def with_extras(paths):
    """The files under `paths` with tests that need further packages."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    return sorted({str(file) for file in files if "mark.extra(" in file.read_text()})


def run(name, backend, arguments, program=(sys.executable,)):
    """Name, exit status, output, minutes, seconds of all cores and gigabytes of one process."""
    command = [*program, "-m", "pytest", "-q", "--durations=10", *arguments]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        running.append(process)
        _, status, used = os.wait4(process.pid, 0)
        running.remove(process)
        log.seek(0)
        output = log.read()
    process.returncode = os.waitstatus_to_exitcode(status)
    # macOS counts in bytes, Linux in units of 1024.
    memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    minutes, cpu = (time.monotonic() - start) / 60, used.ru_utime + used.ru_stime
    return name, process.returncode, output, minutes, cpu, memory


def main():
    backends, arguments = sys.argv[1].split(), sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start, statuses, counts, most = time.monotonic(), {}, Counter(), 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(PROCESSES) as pool:
        # What one process compiled with JAX, the others load.
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", folder)
        try:
            ends = [pool.submit(run, *job) for job in jobs(backends, arguments)]
            for end in as_completed(ends):
                name, statuses[name], output, minutes, cpu, memory = end.result()
                print(f"== {name}\n{output}{minutes:.1f} minutes, {cpu:.0f} s of CPU, ", end="")
                print(f"{memory:.1f} GB", flush=True)
                summary = output.rstrip().rpartition("\n")[2]
                for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", summary):
                    counts[word] += int(number)
                most = max(most, memory)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.terminate()
            raise
    failed = [name for name, status in statuses.items() if status not in (0, NO_TESTS)]
    print(f"== {', '.join(f'{number} {word}' for word, number in counts.items())}", end=" ")
    print(f"in {(time.monotonic() - start) / 60:.1f} minutes, at most {most:.1f} GB a process")
    if failed or NO_TESTS in statuses.values() and not counts:
        sys.exit(f"failed: {'; '.join(failed) or 'no test was found'}")


if __name__ == "__main__":
    main()
