"""Reads tensors that PyTorch stored, without ever running what a file holds besides them."""

import importlib
import math
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np

from keras_disentangle._extras import install
from keras_disentangle._files import is_zip, open_zip

SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")


def read_state_dict(path):
    """The tensors of a state dict: of a `.pth`, `.pt`, `.bin` or `.safetensors` file.

    A pickle that names anything but tensors and plain containers is refused before any of it is
    run. Half precision comes as float32. A state dict that lies inside a dict, as the only one
    there, is taken out of it, and so is the prefix "module." that DataParallel puts before names.

    Args:
        path: the file, as `torch.save(network.state_dict(), path)` or safetensors wrote it.

    Returns:
        Dict from name to NumPy array.

    Raises:
        ValueError: if there is no such file, its suffix is another, it is damaged, would run code,
            holds no state dict or several, or a tensor holds NaN or infinity.
        ImportError: if the package that reads such files is missing.
    """
    content = _load(path)
    tensors = _state_dict(content, path)
    _check_size(tensors, path)
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return {name: _array(value, name, path) for name, value in tensors.items()}


def read_directions(path):
    """Learnt directions of a latent space, orthonormal, one a row.

    The Hessian Penalty's published directions (Peebles et al. 2020) are the matrix as it was
    trained, (directions, latent width), which is orthonormalised whenever it is used: by
    Gram-Schmidt, from the first row on. So is what comes from here.

    Args:
        path: a `.pt`, `.pth`, `.bin` or `.safetensors` file with this one matrix.

    Returns:
        (directions, latent width) float64.

    Raises:
        ValueError: as `read_state_dict`, or if the file holds no matrix of real numbers, or one
            whose rows are linearly dependent.
        ImportError: as `read_state_dict`.
    """
    content = _load(path)
    if isinstance(content, dict) and len(content) == 1:
        (content,) = content.values()
    if _is_tensor(content):
        _check_size({"directions": content}, path)
    shape = tuple(getattr(content, "shape", ()))
    matrix = _array(content, "directions", path) if len(shape) == 2 else np.zeros(())
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or not 0 < len(matrix) <= matrix.shape[1]:
        raise ValueError(
            "A file of directions must hold one matrix of floats, (directions, latent width), with "
            f"no more rows than columns. Received: {path} with {_describe(content)}"
        )
    # A QR decomposition is Gram-Schmidt up to signs, and keeps right angles to the last digit.
    columns, triangle = np.linalg.qr(matrix.astype("float64").T)
    kept = np.diag(triangle)
    lengths = np.linalg.norm(matrix.astype("float64"), axis=1)
    if np.any(np.abs(kept) <= 1e-6 * lengths):
        row = int(np.argmax(np.abs(kept) <= 1e-6 * lengths))
        raise ValueError(
            "The rows of directions must be linearly independent. Received: "
            f"{path}, whose row {row} is a combination of those before it"
        )
    return columns.T * np.sign(kept)[:, None]


def _load(path):
    """What a file holds: tensors, in whatever containers."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"`checkpoint` must name an existing file. Received: checkpoint={path}")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"`checkpoint` must end in one of {SUFFIXES}. Received: checkpoint={path}")
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    torch = _module("torch", path)
    # Files older than PyTorch 1.6 are no archives, which alone have checksums and can be mapped.
    mapped = is_zip(path)
    if mapped:
        _check_archive(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it calls for {named.group(1)}" if named else "it is damaged or no such file"
        raise ValueError(
            "A checkpoint must hold tensors and nothing that runs code; none of it was run. "
            f"Received: {path} ({reason})"
        ) from error
    except Exception as error:  # PyTorch, its archives and pickles each raise their own kinds.
        raise ValueError(
            f"A checkpoint must be a whole file of torch.save. Received: {path} "
            f"({type(error).__name__}: {error})"
        ) from error


def _check_archive(path):
    """PyTorch compares no checksum of what it maps, and takes each member for as large as it says.

    Raises:
        ValueError: if one is wrong.
    """
    with open_zip(path) as archive:
        damaged = archive.testzip()
        packed = [x.filename for x in archive.infolist() if x.compress_type != zipfile.ZIP_STORED]
    if damaged or packed:
        raise ValueError(
            "A checkpoint must be a whole file of torch.save. Received: "
            f"{path}, of which {damaged or packed[0]} is {'damaged' if damaged else 'compressed'}"
        )


def _check_size(tensors, path):
    """A tensor of stride 0 is as large as it likes; as arrays all take what they declare."""
    stored = Path(path).stat().st_size
    asked = sum(math.prod(x.shape) * x.dtype.itemsize for x in tensors.values())
    # Some are stored once and used twice.
    if asked > 4 * stored + 2**20:
        raise ValueError(
            f"A checkpoint must hold what it declares. Received: {path}, whose tensors declare "
            f"{asked:,} bytes in a file of {stored:,}"
        )


def _load_safetensors(path):
    safetensors = _module("safetensors", path)
    try:
        with safetensors.safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors' own kind and those of the operating system.
        raise ValueError(
            f"A checkpoint must be a whole safetensors file of types that NumPy has. Received: "
            f"{path} ({type(error).__name__}: {error})"
        ) from error


def _module(name, path):
    """An optional package, by its name: no backend is chosen by it, it only reads."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Reading {path} needs {name}. Install it with: {install('checkpoints')}"
        ) from error


def _state_dict(content, path):
    """A dict of tensors: the content itself, or the only one inside."""
    if _is_state_dict(content):
        return content
    inside = content.items() if isinstance(content, dict) else ()
    found = {key: value for key, value in inside if _is_state_dict(value)}
    if len(found) != 1:
        raise ValueError(
            "A checkpoint must hold one state dict, from names to tensors. Received: "
            f"{path} with {_describe(content)}"
            + (f", of which state dicts: {sorted(map(str, found))}" if found else "")
        )
    return next(iter(found.values()))


def _is_state_dict(content):
    return (
        isinstance(content, dict)
        and len(content) > 0
        and all(isinstance(key, str) for key in content)
        and all(_is_tensor(value) for value in content.values())
    )


def _is_tensor(value):
    # PyTorch's and NumPy's alike; a plain number has no shape.
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _array(tensor, name, path):
    """A tensor as an array of a type that NumPy has, checked to be finite."""
    if not isinstance(tensor, np.ndarray):
        tensor = tensor.detach()
        if (
            tensor.is_meta
            or tensor.layout != importlib.import_module("torch").strided
            or tensor.is_quantized
        ):
            raise ValueError(
                f"A checkpoint's tensors must be dense and hold numbers. Received: {name} of {path}"
            )
        if tensor.is_floating_point() and tensor.element_size() < 4:
            tensor = tensor.float()
        tensor = tensor.numpy()
    if tensor.dtype.name == "bfloat16":  # A guest in NumPy, as safetensors gives it.
        tensor = tensor.astype("float32")
    if tensor.dtype.kind not in "fiub":
        raise ValueError(
            f"A checkpoint's tensors must be real numbers. Received: {name} of {path} with "
            f"dtype={tensor.dtype}"
        )
    if tensor.dtype.kind == "f" and tensor.dtype.itemsize < 4:
        tensor = tensor.astype("float32")
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise ValueError(
            f"A checkpoint's tensors must be finite. Received: {name} of {path}, which holds NaN "
            "or infinity"
        )
    return tensor


def _describe(content):
    if _is_tensor(content):
        return f"a tensor of shape {tuple(content.shape)} and type {content.dtype}"
    if isinstance(content, dict):
        keys = sorted(map(str, content))
        return f"the keys {keys[:10]}" + (f" and {len(keys) - 10} more" if keys[10:] else "")
    return f"a {type(content).__name__}"
