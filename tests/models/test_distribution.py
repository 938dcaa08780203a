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


@pytest.mark.parametrize(
    "model",
    [
        *("info_gan", "wgan_gp", "factor_vae", "conditional_gan", "batch_statistics"),
        *("ada_gvae", "slow_vae", "qlae", "tripod", "info_gan_cr", "latent_clr"),
    ],
)
def test_two_devices_equal_one(runs, model):
    one, two = (run[model] for run in runs)
    assert one["logs"].keys() == two["logs"].keys()
    assert {len(values) for values in one["logs"].values()} in ({3}, {10})
    # All that differs, not the first: it tells a wrong log from a wrong step.
    differs = [
        (name, int(step), values[step], two["logs"][name][step])
        for name, values in one["logs"].items()
        for step in np.flatnonzero(~np.isclose(two["logs"][name], values, rtol=1e-5, atol=1e-6))
    ]
    differs += [
        ("weights", i, float(np.max(np.abs(np.subtract(a, b)))))
        for i, (a, b) in enumerate(zip(one["weights"], two["weights"], strict=True))
        if not np.allclose(b, a, rtol=1e-4, atol=1e-5)
    ]
    assert not differs
    losses = one["logs"].get("discriminator_loss") or one["logs"].get("loss")
    losses = losses or one["logs"]["contrastive_loss"]
    assert abs(losses[-1] - losses[0]) > 1e-3


def test_replicas_of_an_uneven_batch_draw_what_one_does(runs):
    one, two = (run["draws"] for run in runs)
    assert len(one) == 15
    np.testing.assert_array_equal(two, one)


def test_the_step_that_is_not_finite_on_one_device_alone(runs):
    for run in runs:
        assert "`discriminator_loss`" in run["message"]
        assert "at training step 12." in run["message"]
