"""The tables of the cards: what they hold, and the commands that measured it."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

from keras_disentangle.applications._shared.parsers import JSON, PROGRAM, Parser, choice, output

CARDS = Path(__file__).parents[3] / "applications"
FLAGS = {
    "table": {"nargs": "?", "help": "APPLICATION/TABLE; without one, all tables are listed"},
    "--run": {"action": "store_true", "help": "run the commands instead of printing them"},
    "--data-dir": {"help": "what replaces DATA in the commands: where downloaded data sets lie"},
    **JSON,
}


def tables(folder=CARDS):
    """Dict from "application/table" to what the table's file holds.

    Args:
        folder: that of the cards, `applications` in the repository.
    """
    paths = sorted(Path(folder).glob("*/results/tables/*.json"))
    return {
        f"{path.parts[-4]}/{path.stem}": json.loads(path.read_text(encoding="utf-8"))
        for path in paths
    }


def reproduce(arguments):
    """Prints how the numbers of a card's table were measured, or measures them again in the
    folder at hand. Trainings that were interrupted go on where they were."""
    options = Parser("reproduce", reproduce.__doc__, FLAGS).read(arguments)
    found = tables()
    if not found:
        raise FileNotFoundError(
            f"the tables lie in the repository, not in the installed package. Expected: {CARDS}"
        )
    with output(options) as put:
        if options["table"] is None:
            width = max(map(len, found))
            return put(found, "\n".join(f"{k:{width}}  {v['about']}" for k, v in found.items()))
        content = found[choice("table", options["table"], list(found))]
        commands = _with_data(content["commands"], options)
        if options["run"]:
            return _run(commands)
        return put(content, "\n".join([*_conditions(content), "", *commands]))


def _with_data(commands, options):
    """The commands with the folder of the data in the place of DATA."""
    folder = options["data_dir"]
    if folder is None and options["run"] and any("DATA" in line.split() for line in commands):
        raise ValueError("`--data-dir` must name the folder of the data. Received: none")
    place = "DATA" if folder is None else shlex.quote(folder)
    return [" ".join(place if x == "DATA" else x for x in line.split(" ")) for line in commands]


def _conditions(content):
    seeds = ", ".join(map(str, content["seeds"]))
    lines = {
        "table": content["about"],
        "seeds": seeds,
        "commit": content["commit"],
        "hardware": content["hardware"],
        "time": content["time"] or "not recorded",
    }
    return [f"{name:8} {value}" for name, value in lines.items()]


def _run(commands):
    """Runs the commands one after the other, until one fails."""
    own = {PROGRAM: [sys.executable, "-m", "keras_disentangle"], "python": [sys.executable]}
    for line in commands:
        print(line, flush=True)
        program, *words = shlex.split(line)
        status = subprocess.run([*own[program], *words]).returncode
        if status:
            sys.exit(status)
