"""Finds an application's command by its name."""

import importlib
import sys
from pathlib import Path

import keras_disentangle.applications as applications


def dispatch(command, doc, of_files=None):
    """Runs `applications/<name>/<command>.py` with the arguments that follow its name.

    If the first is a `.keras` file in place of a name, `of_files`, a module of the applications,
    gets all arguments.
    """
    known = sorted(
        path.parent.name for path in Path(applications.__file__).parent.glob(f"*/{command}.py")
    )
    is_file = of_files is not None and sys.argv[1:2] and sys.argv[1].endswith(".keras")
    if not is_file and (len(sys.argv) < 2 or sys.argv[1] not in known):
        print(f"{doc.strip()}\n\nAPPLICATION is one of: {', '.join(known)}")
        asked_for_help = len(sys.argv) == 2 and sys.argv[1] in ("-h", "--help")
        sys.exit(0 if asked_for_help else 2)
    name = of_files if is_file else f"{sys.argv[1]}.{command}"
    module = importlib.import_module(f"{applications.__name__}.{name}")
    try:
        module.main(sys.argv[1:] if is_file else sys.argv[2:])
    except (ValueError, FileNotFoundError, ImportError) as error:
        sys.exit(f"error: {error}")
