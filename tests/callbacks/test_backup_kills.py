import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from backup_runs import BACKEND


def start(folder):
    folder.mkdir(exist_ok=True)
    worker = Path(__file__).with_name("backup_worker.py")
    return subprocess.Popen(
        [sys.executable, str(worker), str(folder)],
        env={**os.environ, "PYTHONPATH": str(worker.parents[1]), "KERAS_BACKEND": BACKEND},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(run):
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors


def test_a_run_that_is_killed(tmp_path):
    undisturbed, folder = start(tmp_path / "undisturbed"), tmp_path / "run"
    for place in ("done 1 2", "done 3 1"):
        run = start(folder)
        for line in run.stdout:
            if line.strip() == place:
                break
        run.send_signal(signal.SIGKILL)
        errors = run.communicate()[1]
        assert run.returncode == -signal.SIGKILL, errors
    finish(start(folder))
    finish(undisturbed)
    with (
        np.load(folder / "result.npz") as a,
        np.load(tmp_path / "undisturbed" / "result.npz") as b,
    ):
        assert a.files == b.files
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name], strict=True)
        assert json.loads(str(a["history"]))["score"] == [3.0, 1.0, 2.0, 1.5]
    logs = [tmp_path / name / "log.csv" for name in ("run", "undisturbed")]
    assert logs[0].read_bytes() == logs[1].read_bytes()
