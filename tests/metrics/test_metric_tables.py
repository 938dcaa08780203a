"""The tables of the documentation are those of the declarations."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLES = runpy.run_path(str(ROOT / "scripts" / "tables.py"))


def test_the_pages_are_up_to_date():
    for page, tables in TABLES["pages"]().items():
        text = page.read_text(encoding="utf-8")
        # If it is not: python scripts/tables.py
        assert TABLES["updated"](page, text, tables) == text


def test_a_page_without_a_table():
    with pytest.raises(ValueError, match="page.md must have one table 'metrics'. Received: 0"):
        TABLES["updated"]("page.md", "# Metrics\n", {"metrics": ""})


def test_rows_say_what_is_declared():
    assert "| `factor_vae` | 0 to 1 | higher | 1 / factors | 1 |" in TABLES["scores"](
        ["factor_vae"]
    )
    row = TABLES["metrics"](["unsupervised"]).splitlines()[-1]
    assert row.startswith("| `unsupervised` (`kd.metrics.unsupervised_scores`) | How much")
    assert row.endswith("| `codes` | no | bootstrap |")
    assert "| `nll` | any | lower | – | – |" in TABLES["scores"](["importance_nll"])
