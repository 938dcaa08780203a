"""Several trained progressive GANs side by side: the paper's Tables 1 and 2, Figures 5 and 8."""

import argparse
from pathlib import Path

import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle._files import read_json
from keras_disentangle.applications import _runs
from keras_disentangle.applications.progressive_gan import _trained
from keras_disentangle.applications.progressive_gan.presets import PRESETS
from keras_disentangle.applications.progressive_gan.train import Recipe, curve
from keras_disentangle.visualization import (
    activeness_bars,
    hessian_grid,
    save_png,
    training_curves,
)

# The scale of each curve's axis: distances fall by orders of magnitude.
CURVES = {"generator_loss": "linear", "hessian_penalty": "linear", "frechet_distance": "log"}


def main(arguments=None):
    """Command line of `scripts/compare.py progressive_gan`."""
    parser = argparse.ArgumentParser(
        prog="compare.py progressive_gan",
        description="Prints the paper's measures of finished trainings, a line each, and draws "
        "their curves, the activeness of their components, and Hessians of their pixels. On "
        'CLEVR-1FOV, "perfect" has the least path length that all of the data allow.',
        epilog="Example: compare.py progressive_gan runs/scratch runs/finetune --out runs/compared",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", help="the --log-dir of each training")
    parser.add_argument("--features", help="a .keras file of the features module")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    parser.add_argument("--samples", type=int, default=10_000, help="for the Fréchet distance")
    parser.add_argument("--paths", type=int, default=10_000, help="for the path lengths")
    parser.add_argument("--seed", type=int, default=0, help="of the codes")
    parser.add_argument("--out", default="runs/compared", help="folder for scores and pictures")
    options = parser.parse_args(arguments)
    runs = {Path(run).name: Path(run) for run in options.runs}
    if len(runs) < len(options.runs) or "perfect" in runs:
        raise ValueError(
            '`runs` must have different names, for the legend, and none that of "perfect". '
            f"Received: runs={options.runs}"
        )
    results = {name: read_results(run) for name, run in runs.items()}
    models = {name: _trained.load(run / "model.keras") for name, run in runs.items()}
    scores = {}
    for name, model in models.items():
        recipe = Recipe(**results[name]["settings"])
        if recipe.data == "clevr_1fov" and "perfect" not in scores:
            scores["perfect"] = _trained.path_lengths(
                _trained.perfect_generator(PRESETS[recipe.preset]),
                model.latent_dim,
                _trained.features.load(options.features)[1],
                options.paths,
                options.seed,
            )
        images = _trained.load_images(recipe.data, PRESETS[recipe.preset], options.data_dir)
        scores[name] = _trained.scores(
            model, images, options.features, options.samples, options.paths, options.seed
        )
    print(_trained.table(scores))
    out = Path(options.out)
    _runs.write_json(out / "scores.json", scores)
    written = draw(results, models, scores, out, options.seed)
    print(f"\nscores.json, {', '.join(written)} are in {out}")


def read_results(log_dir):
    """What a finished training wrote to `results.json`.

    Raises:
        ValueError: if there is no such file, or it is none of a progressive GAN's.
    """
    path = Path(log_dir) / "results.json"
    try:
        results = read_json(path)
        Recipe(**results["settings"])
        curve(results, "generator_loss")
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(
            "`runs` must be folders of finished trainings of progressive GANs, with their "
            f"results.json. Received: {path} ({type(error).__name__}: {error})"
        ) from error
    return results


def draw(results, models, scores, out, seed=0, num_codes=4):
    """Writes the pictures into the folder `out`; returns their names."""
    pictures = {
        "activeness": activeness_bars({k: np.array(scores[k]["activeness"]) for k in models})
    }
    for name, scale in CURVES.items():
        curves = {
            label: curve(result, name)
            for label, result in results.items()
            if name in result["history"]
        }
        if curves:
            pictures[name] = training_curves(curves, y_label=name.replace("_", " "), y_scale=scale)
    found = [_hessians(model, num_codes, seed) for model in models.values()]
    hessians, images, pixels = (np.stack(part) for part in zip(*found, strict=True))
    # Each row on a scale of its own: what matters is where a Hessian is large.
    hessians /= np.abs(hessians).max(axis=(1, 2, 3), keepdims=True)
    pictures["hessians"] = hessian_grid(hessians, images, pixels, labels=list(models))
    for name, picture in pictures.items():
        save_png(out / f"{name}.png", picture)
    return [f"{name}.png" for name in pictures]


def _hessians(model, num_codes, seed):
    codes = _trained.measured_codes(model, num_codes, seed)
    hessians, pixels = kd.metrics.peak_hessians(
        _trained.measured_generator(model), codes, batch_size=512
    )
    return hessians, ops.convert_to_numpy(model.decode(codes.astype("float32"))), pixels
