"""The command that measures any trained model on any data with factors."""

import argparse
import hashlib
import importlib.metadata
import json
import math
import platform
from pathlib import Path

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle._files import is_zip, open_npz
from keras_disentangle.applications import _runs
from keras_disentangle.evaluation import metric_names
from keras_disentangle.visualization import (
    enlarge,
    information_flow,
    information_matrix,
    latent_traversal,
    save_png,
    score_points,
)


def _variant(variant):
    return lambda size: kd.datasets.DSpritesVariant(variant, kd.datasets.DSprites(size))


RENDERED = {
    "dsprites": kd.datasets.DSprites,
    "dsprites_color": _variant("color"),
    "dsprites_noisy": _variant("noisy"),
    "dsprites_scream": _variant("scream"),
    "shapes3d": kd.datasets.Shapes3D,
    "clevr_simple": lambda size: kd.datasets.Clevr("simple", image_size=size),
    "clevr_complex": lambda size: kd.datasets.Clevr("complex", image_size=size),
}
PICTURES = ("information_matrix.png", "mig_and_mig_sup.png", "information.png", "traversal.png")
ENOUGH = 100  # Fewer images tell little of which dimension knows what.
DATA_HELP = (
    f"{', '.join(RENDERED)}; small_norb or celeb_a (its attributes), from --data-dir or TensorFlow "
    "Datasets; the original dSprites .npz or 3dshapes.h5; or an .npz file with images and factors"
)


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
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    add_options(parser)
    options = parser.parse_args(arguments)
    model = _runs.load_model(options.model, "model")
    shape = getattr(model, "image_shape", None) or getattr(model, "input_shape", (None,))[1:]
    data = factor_data(options.data, shape, options.data_dir)
    if data is None:
        raise ValueError(f"`data` must be {DATA_HELP}. Received: {options.data}")
    report(model, data, options.model, options.model, options)


def add_options(parser):
    """The options of an evaluation."""
    add = parser.add_argument
    add("--metrics", nargs="+", help=f"all, or some of {', '.join(metric_names())}")
    add("--samples", type=int, default=10_000, help="images that are encoded")
    add("--votes", type=int, default=1000, help="training votes of FactorVAE and beta-VAE")
    add("--resamples", type=int, default=0, help="of the 95%% intervals, less bias; 0 is none")
    add(
        "--options",
        type=json.loads,
        help='arguments of single metrics, as JSON: \'{"dci": {"estimator": "exact"}}\'',
    )
    add("--seed", type=int, default=0, help="of the images and the draws")
    add("--out", default="runs/evaluation", help="folder for evaluation.json and the pictures")


def factor_data(name, image_shape, data_dir=None):
    """The data set that `--data` names, or None if it names none with factors.

    Raises:
        ValueError: if it cannot be had in this shape.
        FileNotFoundError: if there is no such file.
    """
    path, shape = Path(str(name)).expanduser(), tuple(image_shape)
    known = len(shape) == 3 and None not in shape
    if not known and (name in RENDERED or name in ("small_norb", "celeb_a")):
        raise ValueError(
            "`model` must say what images it takes, for data that are brought to their size. "
            f"Received: image shape {shape}"
        )
    if name in RENDERED:
        data = RENDERED[name](shape[0])
    elif name == "small_norb":
        data = kd.datasets.SmallNORB(data_dir, image_size=shape[0])
    elif name == "celeb_a":
        options = {"data_dir": data_dir, "image_shape": shape, "attributes": True}
        images, attributes = kd.datasets.load_images(name, **options)
        if attributes is None:
            raise ValueError(
                "`data`: the attributes of celeb_a come with TensorFlow Datasets alone; otherwise "
                "put images and attributes, as factors, into an .npz file. Received: images alone"
            )
        data = kd.datasets.LabelledImages(images, attributes)
    elif path.suffix == ".h5":
        data = kd.datasets.Shapes3D.from_file(path)
    elif path.suffix == ".npz" and not path.is_file():
        raise FileNotFoundError(f"`data`: there is no file {path}")
    elif path.suffix == ".npz" and "latents_classes" in (held := _arrays(path)):
        data = kd.datasets.DSprites.from_file(path)
    elif path.suffix == ".npz" and "factors" in held:
        data = kd.datasets.load_labelled_images(path)
    else:
        return None
    if known and tuple(data.image_shape) != shape:
        raise ValueError(
            f"`data` must hold images of shape {shape}, which the model takes. "
            f"Received: {name}, of shape {tuple(data.image_shape)}"
        )
    return data


def _arrays(path):
    """The names of the arrays in an npz file, none of what is no such file."""
    if not is_zip(path):
        return []
    with open_npz(path) as arrays:
        return list(arrays)


def report(model, data, name, weights, options):
    """Evaluates a model by the command's options; prints and writes all that came of it.

    Args:
        model: anything that `kd.evaluate` takes.
        data: a data set that it takes.
        name: what the user calls the model.
        weights: the file of its weights.
        options: those of `add_options`, and `data`.

    Returns:
        What went into `evaluation.json`.
    """
    settings = {
        "metrics": options.metrics,
        "num_samples": options.samples,
        "num_votes": options.votes,
        "num_resamples": options.resamples,
        "options": options.options,
        "seed": options.seed,
        "batch_size": 500,
    }
    if options.metrics is not None and "all" in options.metrics:
        settings["metrics"] = "all"
    scores = kd.evaluate(model, data, **settings, verbose=1)
    intervals = scores.pop("intervals", {})
    content = {
        "scores": scores,
        "intervals": intervals,
        "data": {
            "images": len(data),
            "image_shape": list(data.image_shape),
            "factor_names": list(data.factor_names),
            "factor_sizes": list(getattr(data, "factor_sizes", [])) or None,
        },
    }
    print("\n" + table(scores, intervals) + "\n")
    out = Path(options.out)
    write(out, content, name, weights, options.data, settings)
    written = ["evaluation.json", *draw(model, data, scores, Path(name).stem, settings, out)]
    print(f"{', '.join(written)} are in {out}")
    return content


def write(out, content, name, weights, data, settings):
    """Writes `evaluation.json`: what was found, and what it takes to find it again."""
    for picture in PICTURES:  # Of an earlier evaluation.
        (out / picture).unlink(missing_ok=True)
    file = Path(str(data)).expanduser()
    found = {
        **content,
        "model": {"name": str(name), "sha256": checksum(weights)},
        "data": {"name": str(data), **content.get("data", {})},
        "settings": settings,
        "versions": versions(),
    }
    if data not in RENDERED and file.is_file():
        found["data"]["sha256"] = checksum(file)
    _runs.write_json(out / "evaluation.json", _finite(found))


def _finite(content):
    """The same with None for numbers that JSON has not, such as an infinite total correlation."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def table(scores, intervals):
    """Scores as text, a line each, with their 95% intervals."""
    lines = [f"{'':28}    score" + ("   95% interval" if intervals else "")]
    for name, value in scores.items():
        values = value if isinstance(value, list) else [value]
        line = f"{name:28}" + "".join(f"{number:z9.4f}" for number in values)
        if name in intervals:
            low, high = intervals[name]
            line += f"   [{low:.4f}, {high:.4f}]"
        if name in ("information", "information_total", "kl"):
            line += "   nats" + (", the top rung first" if len(values) > 1 else "")
        lines.append(line)
    return "\n".join(lines)


def draw(model, data, scores, name, settings, out):
    """Writes the pictures that this model and these scores can have; returns their names."""
    rng = np.random.default_rng(settings["seed"])
    index = data.sample_index(min(settings["num_samples"], 2000), rng)
    mean, _ = kd.encode_images(model, lambda i: data.images(index[i]), len(index))
    rungs, written = getattr(model, "rung_sizes", None), []
    if len(index) >= ENOUGH:
        information = kd.metrics.mutual_information(mean, data.factors(index))
        path = out / "information_matrix.png"
        information_matrix(information, data.factor_names, rungs=rungs, path=path)
        written.append(path.name)
    if "mig" in scores and "mig_sup" in scores:
        path = out / "mig_and_mig_sup.png"
        point = {name: {"": (scores["mig"], scores["mig_sup"])}}
        score_points(point, x_label="MIG", y_label="MIG-sup", path=path)
        written.append(path.name)
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
    """The SHA-256 of a file's content."""
    with open(Path(path).expanduser(), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions():
    """The versions of what a score depends on."""
    backend = keras.backend.backend()
    packages = ("keras", backend, "numpy", "scipy", "scikit-learn")
    return {
        "keras_disentangle": kd.__version__,
        "backend": backend,
        **{name: importlib.metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
