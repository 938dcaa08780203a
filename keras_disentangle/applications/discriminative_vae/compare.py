"""Several trainings side by side: with the discriminative terms and without, over seeds."""

import argparse
from pathlib import Path

import numpy as np

from keras_disentangle._files import read_json
from keras_disentangle.applications import _runs
from keras_disentangle.applications.discriminative_vae import _trained, traverse

MEASURES = ("accuracy", "frechet_samples", "frechet_reconstructions", "squared_error")


def main(arguments=None):
    """Command line of `scripts/compare.py discriminative_vae`."""
    parser = argparse.ArgumentParser(
        prog="compare.py discriminative_vae",
        description="Prints the scores of finished trainings, a line for each, and the means of "
        "each kind of model over its seeds; draws their pictures side by side.",
        epilog="Example: compare.py discriminative_vae runs/with_0 runs/with_1 runs/without_0 "
        "runs/without_1 --data-dir ~/data",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", help="the --log-dir of each training")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    parser.add_argument("--judge", help="measure again, with this classifier (.keras)")
    parser.add_argument("--out", default="runs/comparison", help="folder for pictures and scores")
    options = parser.parse_args(arguments)
    runs = {Path(run).name: Path(run) for run in options.runs}
    if len(runs) < len(options.runs):
        raise ValueError(f"`runs` must have different names. Received: runs={options.runs}")
    results = {name: read_results(run, options.judge is None) for name, run in runs.items()}
    check_alike(results)
    models = {name: _trained.load(run / "model.keras") for name, run in runs.items()}
    first = next(iter(results.values()))["settings"]
    splits = _trained.load_splits(first["data"], options.data_dir, tuple(first["image_shape"]))
    if options.judge is not None:
        judge = _trained.load_judge(options.judge, first["data"], first["image_shape"])
        for name, model in models.items():
            results[name]["scores"] = _trained.scores(model, splits, judge)
    scores = {name: result["scores"] for name, result in results.items()}
    kinds = means(results)
    print(
        _trained.table(scores) + "\n\nmeans over the seeds of each kind\n" + _trained.table(kinds)
    )
    out = Path(options.out)
    _runs.write_json(out / "scores.json", {"runs": scores, "means": kinds})
    written = traverse.draw(models, splits["test"][0], out)
    print(f"\n{', '.join(['scores.json', *written])} are in {out}")


def read_results(log_dir, with_scores=True):
    """What a finished training wrote to `results.json`.

    Raises:
        ValueError: if there is no such file, or, `with_scores`, it holds none.
    """
    path = Path(log_dir) / "results.json"
    try:
        results = read_json(path)
        results["settings"]["image_shape"]
        if with_scores:
            results["scores"]["nll"]
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(
            "`runs` must be folders of finished trainings of this application, with scores in "
            f"their results.json (or give `judge`). Received: {path} "
            f"({type(error).__name__}: {error})"
        ) from error
    return results


def check_alike(results):
    """A ValueError unless trainings of one kind differ in their seeds alone, and all have the same
    data and were measured by the same classifier."""
    kinds = {}
    for name, result in results.items():
        common = {k: result["settings"][k] for k in ("data", "image_shape")}
        for kind, settings in (
            (result["model"], result["settings"]),
            ("all", {**common, "judge": result.get("judge")}),
        ):
            first, expected = kinds.setdefault(kind, (name, settings))
            if settings != expected:
                differ = sorted(k for k in settings if settings[k] != expected.get(k))
                raise ValueError(
                    "`runs` must be alike but for their seeds and the kind of model. "
                    f"Received: {first} and {name}, which differ in {differ}"
                )


def means(results):
    """Scores of each kind of model, averaged over its trainings: dict from kind to scores."""
    kinds = {}
    for result in results.values():
        kinds.setdefault(result["model"], []).append(result["scores"])
    return {
        kind: {
            "nll": {k: float(np.mean([s["nll"][k] for s in found])) for k in found[0]["nll"]},
            **{k: float(np.mean([s[k] for s in found])) for k in MEASURES if k in found[0]},
        }
        for kind, found in kinds.items()
    }
