import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def run_script(monkeypatch):
    """Runs `scripts/<name>.py` within this process; gives its exit status, or its last words."""
    monkeypatch.syspath_prepend(SCRIPTS)

    def run(name, *arguments):
        path = str(SCRIPTS / f"{name}.py")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [path, *map(str, arguments)])
            try:
                runpy.run_path(path, run_name="__main__")
            except SystemExit as end:
                return end.code
        return 0

    return run
