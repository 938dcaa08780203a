"""How disentangled the codes of any model are, measured on data with factors."""

import importlib.metadata
import math
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle._files import sha256
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.datasets.named import RENDERED
from keras_disentangle.evaluation import metric_names
from keras_disentangle.visualization import (
    enlarge,
    information_flow,
    information_matrix,
    latent_traversal,
    score_points,
)

ENOUGH = 100  # Fewer images tell little of which dimension knows what.


@dataclass(frozen=True)
class FactorEvaluation:
    """What is measured, and on how much."""

    metrics: tuple[str, ...] | None = setting(
        None, help=f"all, or some of {', '.join(metric_names())}"
    )
    samples: int = setting(10_000, help="images that are encoded")
    votes: int = setting(1000, help="training votes of FactorVAE and beta-VAE")
    resamples: int = setting(0, help="of the 95% intervals, less bias; 0 is none")
    options: dict | None = setting(
        None, help='arguments of single metrics, as JSON: \'{"dci": {"estimator": "exact"}}\''
    )
    seed: int = setting(0, help="of the images and the draws")

    def arguments(self):
        """What `kd.evaluate` takes."""
        some = None if self.metrics is None else list(self.metrics)
        return {
            "metrics": "all" if some and "all" in some else some,
            "num_samples": self.samples,
            "num_votes": self.votes,
            "num_resamples": self.resamples,
            "options": self.options,
            "seed": self.seed,
            "batch_size": 500,
        }


def evaluate(model, data, settings):
    """The scores of anything that `kd.evaluate` takes, with their "intervals", if there are any."""
    return kd.evaluate(model, data, **settings.arguments(), verbose=1)


def text(scores, intervals):
    """Scores, a line each, with their 95% intervals."""
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


def pictures(model, data, scores, name, settings):
    """The pictures that this model and these scores can have: a dict from name to picture.

    Args:
        name: what the user calls the model.
    """
    rng = np.random.default_rng(settings.seed)
    index = data.sample_index(min(settings.samples, 2000), rng)
    mean, _ = kd.encode_images(model, lambda i: data.images(index[i]), len(index))
    rungs, found = getattr(model, "rung_sizes", None), {}
    if len(index) >= ENOUGH:
        information = kd.metrics.mutual_information(mean, data.factors(index))
        found["information_matrix.png"] = information_matrix(
            information, data.factor_names, rungs=rungs
        )
    if "mig" in scores and "mig_sup" in scores:
        point = {name: {"": (scores["mig"], scores["mig_sup"])}}
        found["mig_and_mig_sup.png"] = score_points(point, x_label="MIG", y_label="MIG-sup")
    if "information" in scores:
        stage = {"total": scores["information_total"], "rungs": scores["information"]}
        found["information.png"] = information_flow([stage])
    if hasattr(model, "decode"):

        def decode(z):
            images = ops.convert_to_numpy(model.decode(z.astype("float32")))
            return enlarge(np.clip(images, 0, 1))

        found["traversal.png"] = latent_traversal(decode, mean[0], rungs=rungs)
    return found


def record(scores, intervals, name, weights, data_name, data, settings):
    """What goes into `evaluation.json`: what was found, and what it takes to find it again.

    Args:
        name, weights: what the user calls the model, and the file of its weights.
        data_name, data: what the user calls the data, `None` without any, and the data.
        settings: the dataclass of settings.
    """
    used = settings.arguments() if hasattr(settings, "arguments") else asdict(settings)
    found = {
        "scores": scores,
        "intervals": intervals,
        "model": {"name": str(name), "sha256": sha256(Path(weights).expanduser())},
        "settings": used,
        "versions": _versions(),
    }
    if data_name is not None:
        file = Path(str(data_name)).expanduser()
        found["data"] = {"name": str(data_name), **described(data)}
        if data_name not in RENDERED and file.is_file():
            found["data"]["sha256"] = sha256(file)
    return _finite(found)


def described(data):
    """Number and shape of the images, and the factors, of an array, a data set or a dict of parts,
    each of which is an array or a pair of images and labels, or None."""
    if isinstance(data, dict):
        data = next(part for part in data.values() if part is not None)
    if isinstance(data, tuple):
        data, _ = data
    shape = data.shape[1:] if isinstance(data, np.ndarray) else data.image_shape
    found = {"images": len(data), "image_shape": list(map(int, shape))}
    if hasattr(data, "factor_names"):
        found["factor_names"] = list(data.factor_names)
        found["factor_sizes"] = list(getattr(data, "factor_sizes", [])) or None
    return found


def _finite(content):
    """The same with None for numbers that JSON has not, such as an infinite total correlation."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _versions():
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
