"""With equal weights and noise, every backend computes the same losses.

Runs in one process a backend, side by side; collected under TensorFlow alone.
"""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_table import MODELS
from quick_jax import quick_jax

NORMALIZED = ("gan_tanh", "info_gan", "discriminative_vae")
BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


@pytest.fixture(scope="module")
def runs():
    """From backend to model to what `one_backend_losses.py` found."""
    worker = Path(__file__).with_name("one_backend_losses.py")
    started = {
        backend: subprocess.Popen(
            [sys.executable, str(worker)],
            env={
                **os.environ,
                "KERAS_BACKEND": backend,
                **(quick_jax() if backend == "jax" else {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for backend in BACKENDS
    }
    found = {}
    for backend, run in started.items():
        out, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
        found[backend] = json.loads(out.splitlines()[-1])
    return found


def each_pair(test):
    test = pytest.mark.parametrize("a, b", itertools.combinations(BACKENDS, 2))(test)
    return pytest.mark.parametrize("model", MODELS)(test)


@each_pair
def test_terms_agree(runs, model, a, b):
    terms_a, terms_b = runs[a][model]["terms"], runs[b][model]["terms"]
    assert terms_a.keys() == terms_b.keys() == set(MODELS[model].terms)
    for name in terms_a:
        values_a, values_b = np.array(terms_a[name]), np.array(terms_b[name])
        assert values_a.shape == (11,)
        # The floor is for terms that may pass 0, as an adversarial loss of a few units does.
        np.testing.assert_allclose(values_a[0], values_b[0], rtol=1e-4, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(values_a, values_b, rtol=2e-3, atol=1e-5, err_msg=name)
    # Ten steps of Adam did something.
    losses = [terms_a[name] for name in MODELS[model].terms[:2]]
    assert any(abs(loss[10] - loss[0]) > 1e-2 * abs(loss[0]) for loss in losses)


@each_pair
def test_variables_agree(runs, model, a, b):
    """Moving statistics, and the moments that an optimizer has gathered: the gradients."""
    for step, rtol in enumerate((1e-4, 2e-3)):
        kept_a, kept_b = (runs[backend][model]["variables"][step] for backend in (a, b))
        assert kept_a.keys() == kept_b.keys() and len(kept_a) > 1
        for name in kept_a:
            for i, (x, y) in enumerate(zip(kept_a[name], kept_b[name], strict=True)):
                scale = np.abs(x).max()
                np.testing.assert_allclose(
                    x, y, rtol=rtol, atol=rtol * scale, err_msg=f"{name} {i} after step {step}"
                )
    assert bool(kept_a["moving"]) == (model in NORMALIZED)
