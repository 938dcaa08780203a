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
from tiny_models import MODELS

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


@pytest.fixture(scope="module")
def terms():
    """From backend to model to term to the values at eleven steps."""
    worker = Path(__file__).with_name("one_backend_losses.py")
    runs = {
        backend: subprocess.Popen(
            [sys.executable, str(worker)],
            env={**os.environ, "KERAS_BACKEND": backend},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for backend in BACKENDS
    }
    found = {}
    for backend, run in runs.items():
        out, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
        found[backend] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.parametrize("a, b", itertools.combinations(BACKENDS, 2))
@pytest.mark.parametrize("model", MODELS)
def test_terms_agree(terms, model, a, b):
    terms_a, terms_b = terms[a][model], terms[b][model]
    assert terms_a.keys() == terms_b.keys() == {"loss", *MODELS[model].terms}
    for name in terms_a:
        values_a, values_b = np.array(terms_a[name]), np.array(terms_b[name])
        assert values_a.shape == (11,)
        np.testing.assert_allclose(values_a[0], values_b[0], rtol=1e-4, err_msg=name)
        np.testing.assert_allclose(values_a, values_b, rtol=2e-3, err_msg=name)
    # Ten steps of Adam did something.
    assert abs(terms_a["loss"][10] - terms_a["loss"][0]) > 1e-2 * abs(terms_a["loss"][0])
