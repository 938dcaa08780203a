"""Several trainings of directions of one generator side by side: ours and the baseline's."""

import argparse
from pathlib import Path

from keras_disentangle._files import read_json
from keras_disentangle.applications import _runs
from keras_disentangle.applications.direction_discovery import _trained
from keras_disentangle.applications.direction_discovery.presets import PRESETS


def main(arguments=None):
    """Command line of `scripts/compare.py direction_discovery`."""
    parser = argparse.ArgumentParser(
        prog="compare.py direction_discovery",
        description="Prints the scores of finished trainings on one generator, a line each, beside "
        "the axes and random orthonormal directions.",
        epilog="Example: compare.py direction_discovery runs/hessian runs/shift --out runs/both",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", help="the --log-dir of each training")
    parser.add_argument("--codes", type=int, default=10, help="codes at which Hessians are taken")
    parser.add_argument("--seed", type=int, default=0, help="of the codes")
    parser.add_argument("--out", default="runs/compared", help="folder for the scores")
    options = parser.parse_args(arguments)
    runs = {Path(run).name: Path(run) for run in options.runs}
    if len(runs) < len(options.runs) or {"axes", "random", "random_deviation"} & set(runs):
        raise ValueError(
            '`runs` must have different names, for the table, and none that of "axes" or "random". '
            f"Received: runs={options.runs}"
        )
    generators = {name: _generator(run) for name, run in runs.items()}
    if len(set(generators.values())) > 1:
        raise ValueError(
            "`runs` must all be trainings on one generator. Received: the presets and generators' "
            f"weights {generators}"
        )
    models = {name: _trained.load(run / "model.keras") for name, run in runs.items()}
    preset, _ = next(iter(generators.values()))
    position = PRESETS[preset].shows_one_cube
    found = _trained.compare(models, options.codes, options.seed, position)
    print(_trained.table(found))
    _runs.write_json(Path(options.out) / "scores.json", found)


def _generator(run):
    """A run's preset, and the weights of the generator if they are not the preset's."""
    path = run / "results.json"
    try:
        results = read_json(path)
        PRESETS[results["preset"]]
        return results["preset"], results["generator_weights"]
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(
            "`runs` must be folders of finished trainings of directions, with their results.json. "
            f"Received: {path} ({type(error).__name__}: {error})"
        ) from error
