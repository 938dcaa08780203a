"""Calls of everything public, drawn at random: each ends in a sound result or a clear refusal.

`scripts/property_tests.py` draws more of them.
"""

import keras
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from properties._cases import calls, made, run
from properties._tables import cases, public_names

CASES = cases()


def test_everything_public_has_a_strategy():
    covered = {".".join(name.split(".")[:2]) for name in CASES}
    assert public_names() - covered == set()


@pytest.mark.parametrize("name", CASES)
def test_a_few_calls(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = CASES[name]
    if case.share <= 0.1 and keras.backend.backend() == "jax":
        pytest.skip("Compiling what it needs takes longer than all others; the script draws it.")

    @settings(
        max_examples=max(1, round(4 * case.share)),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def draw(data):
        arguments, as_meant = data.draw(calls(case))
        run(case, made(arguments), as_meant)

    draw()
