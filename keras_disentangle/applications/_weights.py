"""Trained weights: which there are, where they lie, and whether they are whole."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from keras_disentangle._files import open_zip, read_json, read_member
from keras_disentangle._weights_files import check_weights_file

MANIFEST = "manifest.json"


def available_weights():
    """Names of the weights that ship with each application.

    Returns:
        Dict from application (`"ProVLAE"`) to a list of names that its `weights` argument takes.

    Example:

    >>> kd.applications.available_weights()["InfoGAN"]
    ['mnist']
    """
    found = {}
    for manifest in sorted(Path(__file__).parent.glob(f"*/weights/{MANIFEST}")):
        content = read_json(manifest, "application", "weights")
        if not (isinstance(content["application"], str) and isinstance(content["weights"], dict)):
            raise ValueError(f"{manifest}: application must be text, weights a JSON object")
        found[content["application"]] = sorted(content["weights"])
    return found


def shipped_path(folder, name):
    """The file of the weights `name` of an application's folder."""
    return Path(folder) / "weights" / _entry(folder, name, "file")["file"]


def shipped_settings(folder, name):
    """The arguments with which the weights `name` of an application's folder were trained."""
    return _entry(folder, name, "settings")["settings"]


def trained_settings(folder, name_or_path, names):
    """The arguments with which weights were trained, as far as it is known.

    Args:
        names: those arguments whose names the configuration of a saved model has too.

    Returns:
        For a name, all that the manifest says; for a `.keras` file, those of `names` in the
        configuration of its model; for other files nothing.
    """
    if name_or_path is None:
        return {}
    if not is_path(name_or_path):
        return shipped_settings(folder, name_or_path)
    if Path(name_or_path).suffix != ".keras":
        return {}
    try:
        with open_zip(name_or_path) as archive:
            config = json.loads(read_member(name_or_path, archive, "config.json"))["config"]
        return {name: config[name] for name in names if name in config}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}  # What is wrong with the file is said when its weights are loaded.


def shipped_data(folder, name):
    """The name of the data that the weights `name` of an application's folder were trained on."""
    return _entry(folder, name, "data")["data"]


def load_weights(model, folder, name_or_path):
    """Loads shipped weights (checksum verified) or a `.weights.h5` / `.keras` file's weights.

    Raises:
        ValueError: if the name is unknown, or the file is missing, altered, truncated, refers to
            other files, holds NaN or infinity, or is of another architecture. In the last case, the
            model is to be discarded.
    """
    path = Path(name_or_path)
    if not is_path(name_or_path):
        entry = _entry(folder, name_or_path, "sha256")
        path = shipped_path(folder, name_or_path)
        _verify(path, entry["sha256"], f"The weights {name_or_path!r} are")
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


def verified(path):
    """The path of a network that ships beside an application's weights, whole.

    Raises:
        ValueError: if it is not as it was shipped.
    """
    manifest = path.parent / MANIFEST
    known = read_json(manifest).get("files", {}) if manifest.exists() else {}
    if not isinstance(known, dict):
        raise ValueError(f"{manifest}: files must be a JSON object. Received: {known!r}")
    _verify(path, known.get(path.name, "in its manifest"), f"The network {path.name!r} is")
    return path


def record_file(path, application):
    """Writes the checksum of a network that ships beside an application's weights."""
    content = _manifest(path.parent)
    content.setdefault("files", {})[path.name] = _checksum(path)
    _write(path.parent, application, content)


def _verify(path, expected, what):
    received = _checksum(path) if path.is_file() else "no file"
    if received != expected:
        raise ValueError(
            f"{what} not as shipped: expected SHA-256 {expected}. Received: {received} ({path})"
        )


def _checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_weights(model, folder, application, name, settings, mantissa_bits=10, data=None):
    """Writes a model's weights as float16 with an entry in the manifest: how releases are made.

    Float16 has a mantissa of 10 bits; what is rounded to fewer compresses better. `None` leaves
    the weights in float32. `data` names what they were trained on.
    """
    import h5py

    folder = Path(folder) / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    path, half = folder / f"{name}.weights.h5", folder / f"{name}.part"
    with tempfile.TemporaryDirectory() as scratch:
        model.save_weights(whole := Path(scratch) / path.name)
        with h5py.File(whole) as source, h5py.File(half, "w") as target:

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
    entry = {
        "file": path.name,
        "sha256": _checksum(half),
        "settings": settings,
        **({} if data is None else {"data": data}),
    }
    os.replace(half, path)
    # All that was said of another file of this name goes, its scores too.
    content = _manifest(folder)
    content["weights"][name] = entry
    _write(folder, application, content)


def _rounded(values, mantissa_bits):
    """Float16 values with the lower bits of their mantissas rounded away."""
    spare = 10 - mantissa_bits
    if not spare:
        return values
    half, mask = np.uint16(1 << (spare - 1)), np.uint16(0xFFFF << spare & 0xFFFF)
    return ((values.view("uint16") + half) & mask).view("float16")


def record_scores(folder, application, name, scores):
    """Writes the scores of shipped weights, as measured on them, into the manifest."""
    folder = Path(folder) / "weights"
    content = _manifest(folder)
    content["weights"][name]["scores"] = scores
    _write(folder, application, content)


def _manifest(folder):
    manifest = folder / MANIFEST
    return read_json(manifest, "weights") if manifest.exists() else {"weights": {}}


def _write(folder, application, content):
    content["application"] = application
    manifest = folder / MANIFEST
    part = manifest.with_suffix(".part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(part, manifest)


def is_path(name_or_path):
    """Names are bare words; whatever has a suffix or a folder is a path."""
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise ValueError(
            f"`weights` must be None, a name or a path. Received: weights={name_or_path!r}"
        )
    path = Path(name_or_path)
    return bool(path.suffix) or len(path.parts) > 1


def _entry(folder, name, *keys):
    """What the manifest says of weights, with these keys."""
    manifest = Path(folder) / "weights" / MANIFEST
    entries = read_json(manifest, "weights")["weights"] if manifest.exists() else {}
    if not isinstance(entries, dict):
        raise ValueError(f"{manifest}: weights must be a JSON object. Received: {entries!r}")
    if name not in entries:
        raise ValueError(
            f"`weights` must be None, the path of a weights file, or one of {sorted(entries)}. "
            f"Received: weights={name!r} ({manifest})"
        )
    entry = entries[name]
    missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
    if missing:
        raise ValueError(f"{manifest}: {name} must be a JSON object with {missing}. It lacks them")
    if "file" in entry and Path(str(entry["file"])).name != entry["file"]:
        raise ValueError(
            f"{manifest}: {name} must name a file beside it. Received: {entry['file']!r}"
        )
    return entry
