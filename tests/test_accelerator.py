"""The script for a machine with a GPU runs whole, in small, on a CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "benchmarks" / "accelerator.py"
BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(BACKEND == "tensorflow", reason="it runs on JAX and on PyTorch")
# All of it where nothing is compiled; on JAX, the tasks that are its own.
TASKS = [] if BACKEND == "torch" else ["--only", "device", "equal"]


def run(folder, *options):
    command = [sys.executable, SCRIPT, "--smoke", "--out", folder, *TASKS, *options]
    found = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert found.returncode == 0, found.stderr
    return json.loads((folder / "summary.json").read_text()), found.stdout


def test_every_task_runs(tmp_path):
    summary, out = run(tmp_path)
    for task, found in summary.items():
        assert found["status"] == "done", (task, found)
    assert summary["device"]["matmul_float32_tflops"] > 0
    # Numbers of another backend's CPU, or of this one's before the last change of the models.
    assert all(found["equal"] for found in summary["equal"]["models"].values())
    assert len(summary["equal"]["models"]) == 2
    if BACKEND == "torch":
        assert len(summary) == 11
        timed = [name for name, found in summary.items() if found.get("rows")]
        assert len(timed) == 8 and all(name in out for name in timed)
        assert [stage["step"] for stage in summary["train"]["stages"]] == [2, 4, 6]
        assert all(0 <= stage["scores"]["mig"] <= 1 for stage in summary["train"]["stages"])
        assert (tmp_path / "provlae.npz").exists()


def test_tasks_without_time_are_recorded(tmp_path):
    summary, _ = run(tmp_path, "--seconds", "1")
    assert {(found["status"], found["error"]) for found in summary.values()} == {
        ("failed", "no time was left")
    }
