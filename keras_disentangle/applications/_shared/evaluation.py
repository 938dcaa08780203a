"""What goes into the file of an evaluation."""

import importlib.metadata
import math
import platform
from dataclasses import asdict
from pathlib import Path

import keras

import keras_disentangle as kd
from keras_disentangle._files import sha256
from keras_disentangle.datasets.named import RENDERED


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
    shape = data.shape[1:] if hasattr(data, "shape") else data.image_shape
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
