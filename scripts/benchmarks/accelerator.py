"""What the models do on a GPU: are steps right, how fast are they, and what is learnt in minutes.

    python scripts/benchmarks/accelerator.py --out runs/accelerator
    python scripts/benchmarks/accelerator.py --out runs/accelerator --only equal train
    python scripts/benchmarks/accelerator.py --out runs/smoke --smoke
    KERAS_BACKEND=torch python scripts/benchmarks/accelerator.py --write-reference    # on a CPU

It needs this checkout, Keras (with namex and optree) and JAX; with `KERAS_BACKEND=torch`, PyTorch
in place of JAX. Nothing is downloaded, and the images are rendered. The tasks, in their order:

    device            versions, the rates of a large matrix product and of a copy: the measured peak
    equal             two steps of each model of the tests, in full float32, against the numbers in
                      accelerator_reference.json, which were computed on a CPU
    pro_vlae          milliseconds of a training step: the bare step; `fit` with images on the host
    info_gan          and on the device, one step a call and many (`steps_per_execution`); the same
    factor_vae        in mixed_bfloat16
    progressive_gan
    torch_pro_vlae    the same networks, losses and optimizers in plain PyTorch with channels_last:
    torch_info_gan    as it comes, with torch.compile, and with torch.compile and bfloat16; left out
    torch_...         where there is no PyTorch
    train             pro-VLAE on Shapes3D at 64x64 as in the paper, or shorter stages if time is
                      short; its weights are kept after each stage, and scored at the end

pro-VLAE has three rungs of three latents and 64x64 pixels, InfoGAN the networks for MNIST, and
FactorVAE those of the common protocol; the progressive GAN is in its last stage, of 128x128 pixels,
with the Hessian Penalty of ten layers.

Tasks run one after another in processes of their own, each within a limit; one that fails, crashes
or takes too long is recorded, and the next begins. What they find is in <out>/summary.json as soon
as it is known; a later call with `--only` adds to it. Its tables are printed, and in
<out>/tables.txt; the trained weights are in <out>/provlae.npz, by path, and in <out>/provlae.keras
where h5py is installed.

The share of the peak is the number of floating-point operations of a step, as XLA counts them in
the program before it is optimised, over the time and over the measured rate of a matrix product in
bfloat16 (for float32: of one in float32, as the framework computes it by default). Nothing else
should run meanwhile.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODELS = ("pro_vlae", "info_gan", "factor_vae", "progressive_gan")
# The most seconds that a task may take; `train` takes what is left.
LIMITS = {
    "device": 30,
    "equal": 100,
    **dict(zip(MODELS, (60, 55, 50, 90), strict=True)),
    **{f"torch_{name}": 45 for name in MODELS},
    "train": None,
}
ENDED = ("done", "failed")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("runs/accelerator"),
        help="folder of the results",
    )
    add("--only", nargs="+", choices=list(LIMITS), metavar="TASK", help="tasks (default: all)")
    add("--seconds", type=float, default=510, help="of all tasks together (default: %(default)s)")
    add(
        "--reserve",
        type=float,
        default=170,
        help="of them, those kept for `train` if it is to run (default: %(default)s)",
    )
    add("--smoke", action="store_true", help="everything in small, to see that it runs")
    add("--write-reference", action="store_true", help="compute the numbers of `equal`, on a CPU")
    add("--worker", nargs="+", help=argparse.SUPPRESS)
    add("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    backend = os.environ.setdefault("KERAS_BACKEND", "jax")
    if backend not in ("jax", "torch"):
        parser.error(f"KERAS_BACKEND must be jax or torch. Received: {backend}")
    if options.write_reference:
        _import_paths()
        from _accelerator_tasks import write_reference

        return write_reference()
    if options.worker:
        return work(options)
    options.out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + options.seconds
    tasks = options.only or list(LIMITS)
    if importlib.util.find_spec("torch") is None:
        tasks = [task for task in tasks if not task.startswith("torch_")]
    with tempfile.TemporaryDirectory() as folder:
        results = Results(options.out, pathlib.Path(folder))
        # The two frameworks do not share a process, nor the device's memory.
        groups = [_is_ours, _is_torch, lambda task: task == "train"]
        if options.smoke and backend == "torch":
            groups = [lambda task: True]
        for is_group in groups:
            group = [task for task in tasks if is_group(task)]
            kept = options.reserve if "train" in tasks and "train" not in group else 0
            run_tasks(group, options, results, deadline - kept)
    text = tables(results.found)
    (options.out / "tables.txt").write_text(text)
    print(text)


def _is_torch(task):
    return task.startswith("torch_")


def _is_ours(task):
    return not _is_torch(task) and task != "train"


# The parent: it holds no framework


class Results:
    """What the tasks have found: each writes a file of its own, and all are in summary.json.

    Attributes:
        folder: the folder of the tasks' files.
        found: a dict from task to what it has found, also in earlier calls.
    """

    def __init__(self, out, folder):
        self.folder, self._path = folder, out / "summary.json"
        self.found = read(self._path)

    def update(self, task, **more):
        """What a task has found so far, and `more`."""
        found = {**read(self.folder / f"{task}.json"), **more}
        if found and found != self.found.get(task):
            self.found[task] = found
            write(self._path, self.found)
        return found


def run_tasks(tasks, options, results, deadline):
    """Runs tasks in one worker after another, a new one after each that had to be ended."""
    tasks = list(tasks)
    while tasks:
        left = deadline - time.monotonic()
        if left < 5:
            for task in tasks:
                results.update(task, status="failed", error="no time was left")
            return
        command = [sys.executable, __file__, "--out", options.out, "--seconds", left]
        command += ["--smoke"] * options.smoke
        command += ["--folder", results.folder, "--worker", *tasks]
        environment = {**os.environ}
        if _is_torch(tasks[0]):
            environment["KERAS_BACKEND"] = "torch"  # JAX would take the device's memory.
        process = subprocess.Popen(list(map(str, command)), env=environment)
        started = time.monotonic()
        while tasks:
            has_ended = process.poll() is not None
            limit = min(started + limit_of(tasks[0], options, left), deadline)
            if results.update(tasks[0]).get("status") in ENDED:
                tasks.pop(0)
                started = time.monotonic()
            elif has_ended:
                error = f"the process ended with {process.returncode}"
                results.update(tasks.pop(0), status="failed", error=error)
                break
            elif time.monotonic() > limit:
                process.kill()
                results.update(tasks.pop(0), status="failed", error="it took too long")
                break
            else:
                time.sleep(0.2)
        process.wait()


def limit_of(task, options, left):
    """The seconds that a task may take: in small, where it may be slow for other reasons, all."""
    return left if options.smoke else LIMITS[task] or left


def read(path):
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}


def write(path, found):
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1))
    part.replace(path)


# The worker


def work(options):
    """Runs tasks one after another, and writes what each finds, also what it finds before an
    exception."""
    deadline = time.monotonic() + options.seconds
    _import_paths()
    for task in options.worker:
        start, found = time.monotonic(), {"status": "running"}

        def record(task=task, start=start, found=found, **more):
            found.update(more, seconds=round(time.monotonic() - start, 1))
            write(options.folder / f"{task}.json", found)

        record()
        left = deadline - time.monotonic()
        limit = min(limit_of(task, options, left), left)
        try:
            _function(task)(record, Limits(limit, options))
            record(status="done")
        except Exception:
            record(status="failed", error=traceback.format_exc(limit=-4))


class Limits:
    """What a task is to keep to.

    Attributes:
        smoke: whether everything is to be small.
        out: folder for the weights.
        peak: dict from dtype to operations a second, as the task `device` measured them.
    """

    def __init__(self, seconds, options):
        self._end = time.monotonic() + seconds
        self.smoke, self.out = options.smoke, options.out
        device = read(options.folder / "device.json") or read(options.out / "summary.json").get(
            "device", {}
        )
        keys = {dtype: f"matmul_{dtype}_tflops" for dtype in ("float32", "bfloat16")}
        self.peak = {dtype: 1e12 * device[key] for dtype, key in keys.items() if key in device}

    def left(self):
        """The seconds that are left."""
        return self._end - time.monotonic()


def _function(task):
    if _is_torch(task):
        from _accelerator_torch import measure

        return lambda record, limits: measure(task.removeprefix("torch_"), record, limits)
    import _accelerator_tasks as tasks

    if task in MODELS:
        return lambda record, limits: tasks.measure(task, record, limits)
    return getattr(tasks, task)


def _import_paths():
    """Finds the checkout; and the packages that only pictures need may be missing."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    if importlib.util.find_spec("PIL") is None:
        from unittest import mock

        sys.modules["PIL"] = mock.MagicMock()


# Tables


def tables(summary):
    lines = []
    for task, found in summary.items():
        if found.get("status") != "done":
            lines.append(f"{task}: {found.get('status')}: {found.get('error', '')}")
    device = summary.get("device", {})
    lines.append("  ".join(f"{key} {device[key]}" for key in device if key != "status"))
    equal = summary.get("equal", {})
    if "models" in equal:
        wrong = [name for name, found in equal["models"].items() if not found["equal"]]
        lines.append(f"equal: {len(equal['models']) - len(wrong)} of {equal['of']}; not: {wrong}")
    for task, found in summary.items():
        for name, row in found.get("rows", {}).items():
            share = f"{100 * row['share']:6.2f}% of the peak" if "share" in row else ""
            lines.append(f"{task:22} {name:40} {row['milliseconds']:9.3f} ms a step  {share}")
        for name, error in found.get("errors", {}).items():
            lines.append(f"{task:22} {name:40} {error.splitlines()[0][:100]}")
    for stage in summary.get("train", {}).get("stages", []):
        lines.append(f"train: {json.dumps(stage)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
