"""Two devices compute what one does; each run is a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras distributes nothing over torch's devices"
)


@pytest.fixture(scope="module")
def runs():
    """What `distribution_worker.py` found on one device and on two."""
    worker = Path(__file__).with_name("distribution_worker.py")
    started = [
        subprocess.Popen(
            [sys.executable, str(worker), str(devices)],
            env={**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for devices in (1, 2)
    ]
    found = []
    for run in started:
        out, errors = run.communicate(timeout=600)
        assert run.returncode == 0, errors
        found.append(json.loads(out.splitlines()[-1]))
    return found


@pytest.mark.parametrize("model", ["info_gan", "wgan_gp"])
def test_two_devices_equal_one(runs, model):
    one, two = (run[model] for run in runs)
    assert one["logs"].keys() == two["logs"].keys()
    for name, values in one["logs"].items():
        assert len(values) == 10
        np.testing.assert_allclose(two["logs"][name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    for i, (a, b) in enumerate(zip(one["weights"], two["weights"], strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=str(i))
    losses = one["logs"]["generator_loss"]
    assert abs(losses[9] - losses[0]) > 1e-3


def test_the_step_that_is_not_finite_on_one_device_alone(runs):
    for run in runs:
        assert "`discriminator_loss`" in run["message"]
        assert "at training step 12." in run["message"]
