"""Bundled weights: which there are, what they were trained with, and whether they are whole."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from keras import ops

from keras_disentangle._files import open_zip, read_json, read_member, replacing, sha256
from keras_disentangle._initial_values import no_random_values
from keras_disentangle._weights_files import check_weights_file
from keras_disentangle.applications._shared.files import write_json

ROOT = Path(__file__).parents[1]  # one folder for each application
MANIFEST = "manifest.json"


def available_weights():
    """Names of the weights that are bundled with each application.

    Returns:
        Dict from application (`"ProVLAE"`) to a list of names that its `weights` argument takes.

    Example:

    >>> kd.applications.available_weights()["InfoGAN"]
    ['mnist']
    """
    return {
        title: sorted(entries)
        for _, title, entries in sorted(manifests(), key=lambda found: found[0])
    }


def manifests():
    """(folder, application, entries) of each application with bundled weights.

    Raises:
        ValueError: if a manifest is damaged.
    """
    for path in ROOT.glob(f"*/weights/{MANIFEST}"):
        content = _manifest(path.parent)
        if not isinstance(title := content.get("application"), str):
            raise ValueError(f"{path}: application must be text. Received: {title!r}")
        yield path.parents[1].name, title, content["weights"]


class Release:
    """Weights that a factory was given, with what is known of their training.

    Args:
        application: the application's folder, such as "info_gan".
        weights: `None`, the name of bundled weights, or the path of a `.weights.h5` or `.keras`
            file.
        configured: names of the arguments that the configuration of a saved model has too.

    Attributes:
        is_bundled: whether `weights` is such a name.
        settings: the arguments with which the weights were trained, as far as it is known: all for
            bundled weights, those of `configured` for a `.keras` file.
        entry: what the manifest says of bundled weights.

    Raises:
        ValueError: if the name is unknown or the manifest damaged.
    """

    def __init__(self, application, weights, configured=()):
        self.weights, self.folder = weights, ROOT / application / "weights"
        self.is_bundled = weights is not None and not is_path(weights)
        self.entry, self.settings = {}, {}
        if self.is_bundled:
            self.entry = self._entry(weights)
            self.settings = self.entry["settings"]
        elif weights is not None and Path(weights).suffix == ".keras":
            self.settings = _configuration(weights, configured)

    def arguments(self, defaults, fixed, free=None):
        """The arguments of a factory: those given, else as the weights were trained, else defaults.

        Args:
            defaults: dict of defaults.
            fixed: dict of arguments that must agree with bundled weights; `None` is not given.
            free: dict of those that replace what the weights were trained with.

        Raises:
            ValueError: if a fixed one contradicts bundled weights.
        """
        for name, value in fixed.items() if self.is_bundled else ():
            if value is not None and _plain(value) != _plain(self.settings[name]):
                raise ValueError(
                    f"`{name}` must be {self.settings[name]!r} for the weights {self.weights!r}. "
                    f"Received: {name}={value!r}"
                )
        given = {**fixed, **(free or {})}
        given = {name: value for name, value in given.items() if value is not None}
        return {**defaults, **self.settings, **given}

    def building(self):
        """A context in which no random values are drawn, if weights come in their place."""
        return no_random_values(self.weights is not None)

    def load(self, model, *, seed=None, ramps=None):
        """Loads the weights, if there are any.

        A file also holds the state of a training; what was asked for precedes it.

        Args:
            model: the model, or what a file of this application holds of it.
            seed: the seed that was asked for, or `None` to keep the file's state.
            ramps: dict from a `Ramp` to the value at which it shall stay, or `None` to keep it.

        Raises:
            ValueError: if the file is missing, altered, truncated, refers to other files, holds NaN
                or infinity, or is of another architecture. In the last case, the model is to be
                discarded.
        """
        if self.weights is None:
            return
        if seed is not None:
            draws = model if hasattr(model, "seed_generator") else model.sampling
            generator = draws.seed_generator
            noise = ops.convert_to_numpy(generator.state)
        self._load(model)
        for ramp, value in (ramps or {}).items():
            if value is not None:
                ramp.set(value, value, 0, 0)
        if seed is not None:
            generator.state.assign(noise)

    @property
    def path(self):
        """The file of the weights."""
        return self.folder / self.entry["file"] if self.is_bundled else Path(self.weights)

    def _load(self, model):
        path = self.path
        if self.is_bundled:
            _verify(path, self.entry["sha256"], f"The weights {self.weights!r} are")
        elif not path.is_file():
            raise ValueError(f"`weights` must name an existing file. Received: weights={path}")
        try:
            check_weights_file(path)
            model.load_weights(path)
        except Exception as error:  # h5py, zipfile and Keras each raise their own kinds.
            raise ValueError(
                f"`weights` must be a whole weights file of this architecture. Received: {path} "
                f"({type(error).__name__}: {error})"
            ) from error

    def _entry(self, name):
        manifest = self.folder / MANIFEST
        entries = _manifest(self.folder)["weights"]
        if name not in entries:
            raise ValueError(
                f"`weights` must be None, the path of a weights file, or one of {sorted(entries)}. "
                f"Received: weights={name!r} ({manifest})"
            )
        entry = entries[name]
        found = entry if isinstance(entry, dict) else {}
        missing = [key for key in ("file", "sha256", "settings") if key not in found]
        file, settings = found.get("file"), found.get("settings")
        for is_wrong, expected, received in (
            (missing, f"{name} must be a JSON object with {missing}", entry),
            (Path(str(file)).name != file, f"{name} must name a file beside it", file),
            (not isinstance(settings, dict), f"settings of {name} must be a JSON object", settings),
        ):
            if is_wrong:
                raise ValueError(f"{manifest}: {expected}. Received: {received!r}")
        return entry


def is_path(name_or_path):
    """Names are bare words; whatever has a suffix or a folder is a path."""
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise ValueError(
            f"`weights` must be None, a name or a path. Received: weights={name_or_path!r}"
        )
    path = Path(name_or_path)
    return bool(path.suffix) or len(path.parts) > 1


def save_weights(model, application, title, name, settings, mantissa_bits=10, **known):
    """Writes a model's weights as float16 with an entry in the manifest.

    Args:
        model: the model, or what a file of this application holds of it.
        application, title: the application's names, "info_gan" and "InfoGAN".
        name: that of the weights.
        settings: the arguments of the factory with which they were trained.
        mantissa_bits: float16 has a mantissa of 10 bits; what is rounded to fewer compresses
            better. `None` leaves the weights in float32.
        **known: what else the manifest shall say: `recipe`, `data`.
    """
    import h5py

    folder = ROOT / application / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.weights.h5"
    with tempfile.TemporaryDirectory() as scratch:
        model.save_weights(whole := Path(scratch) / path.name)
        with (
            replacing(path) as half,
            h5py.File(whole) as source,
            h5py.File(half, "w") as target,
        ):

            def copy(key, item):
                if isinstance(item, h5py.Dataset):
                    values = item[()]
                    rounds = mantissa_bits is not None and values.dtype == "float32"
                    if rounds and values.ndim:
                        values = _rounded(values.astype("float16"), mantissa_bits)
                    options = {"compression": "gzip", "shuffle": True} if values.ndim else {}
                    copied = target.create_dataset(key, data=values, **options)
                else:
                    copied = target.require_group(key)
                copied.attrs.update(item.attrs)

            target.attrs.update(source.attrs)
            source.visititems(copy)
    entry = {"file": path.name, "sha256": sha256(path), "settings": settings, **known}
    # All that was said of another file of this name goes, its scores too.
    content = _manifest(folder)
    content["weights"][name] = entry
    _write(folder, title, content)


def without_optimizers(model, fresh):
    """The uncompiled model `fresh` with a trained model's weights: optimizers triple a file."""
    for variable, value in zip(fresh.weights, model.weights, strict=True):
        variable.assign(value)
    return fresh


def record_scores(application, title, name, scores):
    """Writes the scores of bundled weights, as measured on them, into the manifest."""
    folder = ROOT / application / "weights"
    content = _manifest(folder)
    content["weights"][name]["scores"] = scores
    _write(folder, title, content)


def verified(path):
    """The path of a network that is bundled beside an application's weights, whole.

    Raises:
        ValueError: if it is not as it was released.
    """
    expected = _manifest(path.parent).get("files", {}).get(path.name, "in its manifest")
    _verify(path, expected, f"The network {path.name!r} is")
    return path


def record_file(path, title):
    """Writes the checksum of a network that is bundled beside an application's weights."""
    content = _manifest(path.parent)
    content.setdefault("files", {})[path.name] = sha256(path)
    _write(path.parent, title, content)


def _configuration(path, names):
    """Those of `names` that the configuration of a saved model has."""
    try:
        with open_zip(path) as archive:
            config = json.loads(read_member(path, archive, "config.json"))["config"]
        return {name: config[name] for name in names if name in config}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}  # What is wrong with the file is said when its weights are loaded.


def _verify(path, expected, what):
    received = sha256(path) if path.is_file() else "no file"
    if received != expected:
        raise ValueError(
            f"{what} not as shipped: expected SHA-256 {expected}. Received: {received} ({path})"
        )


def _rounded(values, mantissa_bits):
    """Float16 values with the lower bits of their mantissas rounded away."""
    spare = 10 - mantissa_bits
    if not spare:
        return values
    half, mask = np.uint16(1 << (spare - 1)), np.uint16(0xFFFF << spare & 0xFFFF)
    return ((values.view("uint16") + half) & mask).view("float16")


def _manifest(folder):
    manifest = folder / MANIFEST
    content = read_json(manifest, "weights") if manifest.exists() else {"weights": {}}
    for part in ("weights", "files"):
        if not isinstance(found := content.get(part, {}), dict):
            raise ValueError(f"{manifest}: {part} must be a JSON object. Received: {found!r}")
    return content


def _write(folder, title, content):
    write_json(folder / MANIFEST, {**content, "application": title})


def _plain(value):
    return list(value) if isinstance(value, (tuple, list)) else value
