"""Finds an application's command by its name."""

import importlib
import sys
from pathlib import Path

import keras_disentangle.applications as applications


def dispatch(command, doc):
    """Runs `applications/<name>/<command>.py` with the arguments that follow its name."""
    known = sorted(
        path.parent.name for path in Path(applications.__file__).parent.glob(f"*/{command}.py")
    )
    if len(sys.argv) < 2 or sys.argv[1] not in known:
        print(f"{doc.strip()}\n\nAPPLICATION is one of: {', '.join(known)}")
        asked_for_help = len(sys.argv) == 2 and sys.argv[1] in ("-h", "--help")
        sys.exit(0 if asked_for_help else 2)
    module = importlib.import_module(f"{applications.__name__}.{sys.argv[1]}.{command}")
    try:
        module.main(sys.argv[2:])
    except (ValueError, FileNotFoundError, ImportError) as error:
        sys.exit(f"error: {error}")
