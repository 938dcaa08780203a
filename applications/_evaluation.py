"""The command that measures any trained model on any data with factors."""

import argparse
import hashlib
import importlib.metadata
import platform
from pathlib import Path

import keras
import numpy as np
from keras import ops
from keras_disentangle.applications import _runs

import keras_disentangle as kd
from keras_disentangle.evaluation import METRICS
from keras_disentangle.visualization import (
    enlarge,
    information_flow,
    information_matrix,
    latent_traversal,
    save_png,
    score_points,
)

RENDERED = {
    "dsprites": kd.datasets.DSprites,
    "shapes3d": kd.datasets.Shapes3D,
    "clevr_simple": lambda size: kd.datasets.Clevr("simple", image_size=size),
    "clevr_complex": lambda size: kd.datasets.Clevr("complex", image_size=size),
}


def main(arguments=None):
    """Command line of `scripts/evaluate.py MODEL.keras`."""
    parser = argparse.ArgumentParser(
        prog="evaluate.py",
        description="Measures how disentangled a trained model's codes are: prints a table, and "
        "writes evaluation.json and pictures.",
        epilog="Example: evaluate.py model.keras --data images_and_factors.npz --metrics all",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "model",
        help="a .keras file: a model with encode, or one that maps images in [0, 1] to codes, or "
        "to mean and log variance",
    )
    parser.add_argument("--data", required=True, help=DATA_HELP)
    add_options(parser)
    options = parser.parse_args(arguments)
    model = _runs.load_model(options.model, "model")
    shape = getattr(model, "image_shape", None) or getattr(model, "input_shape", (None,))[1:]
    report(model, factor_data(options.data, shape), options.model, options)


DATA_HELP = f"{', '.join(RENDERED)}, or an .npz file with images and factors"


def add_options(parser):
    """The options of an evaluation."""
    add = parser.add_argument
    add("--metrics", nargs="+", help=f"all, or some of {', '.join(METRICS)}")
    add("--samples", type=int, default=10_000, help="images that are encoded")
    add("--votes", type=int, default=1000, help="training votes of FactorVAE and beta-VAE")
    add("--resamples", type=int, default=0, help="of the 95%% intervals, less bias; 0 is none")
    add("--seed", type=int, default=0, help="of the images and the draws")
    add("--out", default="runs/evaluation", help="folder for evaluation.json and the pictures")


def factor_data(name, image_shape):
    """The data set that `--data` names, for images of this shape.

    Raises:
        ValueError: if it is unknown, or cannot be had in this shape.
        FileNotFoundError: if there is no such file.
    """
    if name not in RENDERED:
        if not str(name).endswith(".npz"):
            raise ValueError(f"`data` must be {DATA_HELP}. Received: {name}")
        return kd.datasets.load_labelled_images(name)
    if len(image_shape) != 3 or image_shape[0] is None:
        raise ValueError(
            f"`model` must say what images it takes, for data that are drawn in that size. "
            f"Received: image shape {image_shape}"
        )
    return RENDERED[name](image_shape[0])


def report(model, data, weights, options):
    """Evaluates a model by the command's options; prints and writes all that came of it.

    Args:
        model: anything that `kd.evaluate` takes.
        data: a data set that it takes.
        weights: what the user named: a file, or weights that ship.
        options: those of `add_options`, and `data`.

    Returns:
        What went into `evaluation.json`.
    """
    metrics = options.metrics
    if metrics is not None and "all" in metrics:
        metrics = "all"
    scores = kd.evaluate(
        model,
        data,
        metrics,
        num_samples=options.samples,
        num_votes=options.votes,
        num_resamples=options.resamples,
        seed=options.seed,
        verbose=1,
    )
    intervals = scores.pop("intervals", {})
    content = {
        "scores": scores,
        "intervals": intervals,
        "model": {"name": str(weights), "sha256": checksum(weights)},
        "data": {
            "name": str(options.data),
            "sha256": checksum(options.data),
            "images": len(data),
            "image_shape": list(data.image_shape),
            "factor_names": list(data.factor_names),
            "factor_sizes": list(getattr(data, "factor_sizes", [])) or None,
        },
        "settings": {
            "metrics": metrics,
            "num_samples": options.samples,
            "num_votes": options.votes,
            "num_resamples": options.resamples,
            "seed": options.seed,
        },
        "versions": versions(),
    }
    out = Path(options.out)
    _runs.write_json(out / "evaluation.json", content)
    print("\n" + table(scores, intervals) + "\n")
    written = ["evaluation.json", *draw(model, data, scores, options, out)]
    print(f"{', '.join(written)} are in {out}")
    return content


def table(scores, intervals):
    """Scores as text, a line each, with their intervals."""
    lines = []
    for name, value in scores.items():
        values = value if isinstance(value, list) else [value]
        line = f"{name:28}" + "".join(f"{number:9.4f}" for number in values)
        if name in intervals:
            low, high = intervals[name]
            line += f"   [{low:.4f}, {high:.4f}]"
        lines.append(line)
    return "\n".join(lines)


def draw(model, data, scores, options, out):
    """Writes the pictures that this model and these scores can have; returns their names."""
    index = data.sample_index(options.samples, np.random.default_rng(options.seed))
    mean, _ = kd.encode_images(model, lambda i: data.images(index[i]), len(index))
    information = kd.metrics.mutual_information(mean, data.factors(index))
    rungs = getattr(model, "rung_sizes", None)
    information_matrix(
        information, data.factor_names, rungs=rungs, path=out / "information_matrix.png"
    )
    written = ["information_matrix.png"]
    if "mig" in scores and "mig_sup" in scores:
        score_points(
            {Path(str(options.data)).stem: {"": (scores["mig"], scores["mig_sup"])}},
            x_label="MIG",
            y_label="MIG-sup",
            path=out / "mig_and_mig_sup.png",
        )
        written.append("mig_and_mig_sup.png")
    if "information" in scores:
        stage = {"total": scores["information_total"], "rungs": scores["information"]}
        information_flow([stage], path=out / "information.png")
        written.append("information.png")
    if hasattr(model, "decode"):

        def decode(z):
            images = ops.convert_to_numpy(model.decode(z.astype("float32")))
            return enlarge(np.clip(images, 0, 1))

        save_png(out / "traversal.png", latent_traversal(decode, mean[0], rungs=rungs))
        written.append("traversal.png")
    return written


def checksum(path):
    """The SHA-256 of a file's content, None of what is no file."""
    path = Path(str(path)).expanduser()
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def versions():
    """The versions of what a score depends on."""
    named = {name: importlib.metadata.version(name) for name in ("keras", "numpy", "scikit-learn")}
    return {
        "keras_disentangle": kd.__version__,
        "backend": keras.backend.backend(),
        **named,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
