import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from backup_runs import BACKEND

WORKER = Path(__file__).with_name("backup_worker.py")


def start(folder):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(folder)],
        env={**os.environ, "PYTHONPATH": str(WORKER.parents[1]), "KERAS_BACKEND": BACKEND},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(run):
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors


def test_a_run_that_is_killed(tmp_path):
    folder, undisturbed = tmp_path / "run", tmp_path / "undisturbed"
    run = start(folder)
    # After the best epoch, and in the midst of another.
    for line in run.stdout:
        if line.strip() == "done 3 1":
            break
    run.send_signal(signal.SIGKILL)
    errors = run.communicate()[1]
    assert run.returncode == -signal.SIGKILL, errors
    finish(start(folder))
    undisturbed.mkdir()
    runpy.run_path(str(WORKER))["main"](undisturbed)
    with (
        np.load(folder / "result.npz") as a,
        np.load(undisturbed / "result.npz") as b,
    ):
        assert a.files == b.files
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name], strict=True)
        assert json.loads(str(a["history"]))["score"] == [3.0, 1.0, 2.0, 1.5]
    assert (folder / "log.csv").read_bytes() == (undisturbed / "log.csv").read_bytes()
