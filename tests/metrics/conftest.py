import json
import pathlib

import numpy as np
import pytest


@pytest.fixture(scope="session")
def published():
    """Numbers computed once with the published implementations, and how."""
    path = pathlib.Path(__file__).with_name("published_values.json")
    return json.loads(path.read_text())


@pytest.fixture
def discretized():
    """Codes: a clean one, a noisy one, one of two factors, one of noise, one constant."""
    rng = np.random.default_rng(2020)
    factors = rng.integers(0, (3, 5, 8), size=(2000, 3))
    codes = np.stack(
        [
            factors[:, 0] + 0.1 * rng.standard_normal(2000),
            factors[:, 1] + 0.8 * rng.standard_normal(2000),
            factors[:, 1] - factors[:, 2] + 0.3 * rng.standard_normal(2000),
            rng.standard_normal(2000),
            np.ones(2000),
        ],
        axis=1,
    )
    return codes, factors


@pytest.fixture
def posteriors():
    """Posteriors on a grid of 4 x 5 x 6 factors, four times over: one dimension holds two factors,
    one factor is in two dimensions, one dimension is not in use."""
    rng = np.random.default_rng(2018)
    factors = np.stack(np.unravel_index(np.arange(480) % 120, (4, 5, 6)), axis=1)
    mean = np.zeros((480, 4))
    mean[:, 0] = factors[:, 0] + 0.5 * factors[:, 1]
    mean[:, 1] = factors[:, 2] - 2.5
    mean[:, 2] = 0.4 * (factors[:, 1] - 2)
    mean[:, :3] += 0.05 * rng.standard_normal((480, 3))
    log_var = np.array([-3.0, -2.0, -2.5, 0.0]) + 0.3 * rng.standard_normal((480, 4))
    return mean, log_var, factors
