"""Trainings of several models, betas and seeds on one data set, and the paper's figures of them."""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np

from keras_disentangle._files import read_json
from keras_disentangle.applications import _runs
from keras_disentangle.applications.provlae import _trained, train
from keras_disentangle.visualization import score_points

SCORES = {"mig": "MIG", "mig_sup": "MIG-sup", "factor_vae": "FactorVAE"}


def main(arguments=None):
    """Command line of `scripts/compare.py provlae`."""
    parser = argparse.ArgumentParser(
        prog="compare.py provlae",
        description="Trains every model with every beta and seed that is not trained yet, into one "
        "folder (one that was cut short goes on); prints the scores of all and draws the "
        "paper's Figures 2 and 3.",
        epilog="Example: compare.py provlae --recipe demo --models provlae vlae --betas 1 4 "
        "--seeds 0 1 --out runs/comparison",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--recipe", choices=sorted(train.RECIPES), default="demo", help="settings of all trainings")
    add("--models", nargs="+", choices=train.MODELS, default=list(train.MODELS[:3]), help="models")
    add("--betas", nargs="+", type=float, help="weights of the KL terms; by default the recipe's")
    add("--seeds", nargs="+", type=int, default=[0, 1], help="seeds")
    add("--steps-per-stage", type=int, help="in place of the recipe's")
    add("--data", help="in place of the recipe's: data with factors")
    add("--image-size", type=int, help="side of the images in pixels; by default that of the data")
    add("--data-dir", help="where downloaded data sets lie")
    add("--out", default="runs/comparison", help="folder of all trainings, scores and figures")
    add("--verbose", type=int, default=2, help="2 prints a line an epoch, 0 nothing")
    options = parser.parse_args(arguments)
    recipe = train.RECIPES[options.recipe]
    if options.steps_per_stage is not None:
        recipe = replace(recipe, steps_per_stage=options.steps_per_stage)
    recipe = train.with_data(recipe, options.data, options.data_dir, options.image_size)
    out = Path(options.out)
    data = _trained.load_data(recipe.data, recipe.image_shape, options.data_dir)
    if not hasattr(data, "factors"):
        raise ValueError(f"`data` must have factors. Received: {recipe.data}")
    results = {}
    for model in options.models:
        for beta in options.betas or [recipe.beta]:
            for seed in options.seeds:
                print(f"{model}, beta {beta:g}, seed {seed}")
                results[model, beta, seed] = train_once(
                    replace(recipe, beta=beta),
                    model,
                    out / f"{model}_beta_{beta:g}_seed_{seed}",
                    options.data_dir,
                    seed,
                    options.verbose,
                )
    means = average(results)
    _runs.write_json(
        out / "scores.json",
        [{"model": model, "beta": beta, **found} for (model, beta), found in means.items()],
    )
    print("\n" + table(means))
    print(f"\n{', '.join(['scores.json', *draw(means, out)])} are in {out}")


def train_once(recipe, model, log_dir, data_dir, seed, verbose):
    """Trains one model, unless its folder holds the same training, finished; returns its results.

    Raises:
        ValueError: as `train.train`, or if the folder holds a training with other settings.
    """
    path = log_dir / "results.json"
    if path.is_file():
        results = read_json(path, "settings", "backend")
        settings = results["settings"] if isinstance(results["settings"], dict) else {}
        kept = {**settings, "steps_per_stage": 0}
        asked = {**json.loads(json.dumps(asdict(recipe))), "steps_per_stage": 0}
        # Steps are rounded to whole epochs.
        asked_steps = recipe.steps_per_stage // recipe.epochs_per_stage * recipe.epochs_per_stage
        same = kept == asked and settings.get("steps_per_stage") == asked_steps
        if not same or results["backend"] != keras.backend.backend():
            differ = sorted(name for name in asked if kept.get(name) != asked[name])
            raise ValueError(
                "`out` must be an empty folder, or one of the same trainings. Received: "
                f"{log_dir}, which differs in {differ or ['steps_per_stage or backend']}"
            )
    else:
        _, results = train.train(recipe, model, log_dir, data_dir, seed, verbose)
    return results


def average(results):
    """Dict of (model, beta) to the means over seeds, each seed's values, and their number."""
    kinds = {}
    for (model, beta, _), result in results.items():
        kinds.setdefault((model, beta), []).append(result)
    means = {}
    for kind, runs in kinds.items():
        values = {name: [run["scores"][name] for run in runs] for name in SCORES}
        values["reconstruction"] = [run["terms"]["reconstruction"] for run in runs]
        values["information_total"] = [run["scores"]["information_total"] for run in runs]
        means[kind] = {
            "means": {name: float(np.mean(found)) for name, found in values.items()},
            "values": values,
            "information": np.mean([run["scores"]["information"] for run in runs], 0).tolist(),
            "seeds": [run["seed"] for run in runs],
            "steps": runs[0]["steps"],
        }
    return means


def table(means):
    """Means as text, a line for each model and beta."""
    heads = {**SCORES, "reconstruction": "reconstruction", "information_total": "I(x; z)"}
    line = f"{'model':17}{'beta':>6}{'seeds':>6}" + "".join(f"{h:>16}" for h in heads.values())
    lines = [line + "   I(x; z_l) in nats, the top rung first"]
    for (model, beta), found in means.items():
        line = f"{model:17}{beta:6g}{len(found['seeds']):6d}"
        line += "".join(f"{found['means'][name]:16.3f}" for name in heads)
        lines.append(line + "   " + " ".join(f"{value:z.2f}" for value in found["information"]))
    return "\n".join(lines)


def draw(means, out):
    """Figures 2 and 3 of the paper; returns the names of the pictures."""
    pairs = {
        f"reconstruction_and_{name}": ("reconstruction", name, "reconstruction error [nats]", label)
        for name, label in SCORES.items()
    }
    pairs["mig_and_mig_sup"] = ("mig", "mig_sup", "MIG", "MIG-sup")
    for name, (x, y, x_label, y_label) in pairs.items():
        points = {}
        for (model, beta), found in means.items():
            numbers = found["means"]
            points.setdefault(model, {})[f"{beta:g}"] = (numbers[x], numbers[y])
        score_points(points, x_label=x_label, y_label=y_label, path=out / f"{name}.png")
    return [f"{name}.png" for name in pairs]
