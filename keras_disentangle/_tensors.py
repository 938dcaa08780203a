"""Shared by all computations on tensors: conversion to NumPy, wide types, checks of shapes."""

import keras
import numpy as np
from keras import ops


def to_numpy(name, x):
    """A tensor of any backend, an array or nested numbers as a NumPy array: the only conversion.

    A tensor of PyTorch may require gradients or be on another device; bfloat16, which is not a
    NumPy type, becomes float32. Arrays are not copied.

    Raises:
        ValueError: if `x` is none of these, such as `None`, text, a ragged list or a symbolic
            tensor, as inside a compiled function.
    """
    if isinstance(x, (list, tuple)):
        x = [
            to_numpy(name, part)
            if hasattr(part, "shape") or isinstance(part, (list, tuple))
            else part
            for part in x
        ]
    try:
        if hasattr(x, "detach"):
            x = x.detach().cpu()
            if str(x.dtype) == "torch.bfloat16":
                x = x.float()
        elif isinstance(x, keras.Variable):
            x = ops.convert_to_numpy(x)
        array = np.asarray(x)
    except (TypeError, ValueError, NotImplementedError, RuntimeError, AttributeError) as error:
        raise ValueError(f"`{name}` must be an array of numbers. Received: {name}={x!r}") from error
    if array.dtype.name == "bfloat16":
        array = array.astype("float32")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"`{name}` must be an array of numbers. Received: {name}={x!r}")
    return array


def as_rows(name, x):
    """`x` as an object that has a `shape` and whose slices `to_numpy` takes.

    An object that is read when it is sliced, such as a memory map or an h5py data set, is returned
    unchanged.

    Raises:
        ValueError: if it is empty, a single number or not an array.
    """
    if not (hasattr(x, "shape") and hasattr(x, "__getitem__")):
        x = to_numpy(name, x)
    if not tuple(x.shape) or 0 in tuple(x.shape):
        raise ValueError(
            f"`{name}` must be a non-empty array. Received: {name}.shape={tuple(x.shape)}"
        )
    return x


def read_rows(x, index):
    """The rows `index` of `x`, an array, a memory map or an h5py data set."""
    if type(x) is np.ndarray:
        return x[index]
    # HDF5 takes increasing indices without repetition.
    numbers, places = np.unique(index, return_inverse=True)
    return np.asarray(x[numbers])[places]


def widen(*tensors):
    """Tensors in one dtype, float32 or wider, which sums over pixels and dimensions need even if
    the layers compute in bfloat16: a list, or a single tensor for one argument."""
    tensors = [ops.convert_to_tensor(x) for x in tensors]
    is_double = any(keras.backend.standardize_dtype(x.dtype) == "float64" for x in tensors)
    found = [ops.cast(x, "float64" if is_double else "float32") for x in tensors]
    return found[0] if len(found) == 1 else found


def as_floats(**tensors):
    """Like `widen`, for named arguments.

    Raises:
        ValueError: if one of them is not a tensor, an array or a list of numbers.
    """
    found = []
    for name, x in tensors.items():
        try:
            if x is None:  # JAX converts it to NaN.
                raise TypeError
            found.append(ops.convert_to_tensor(x))
            dtype = keras.backend.standardize_dtype(found[-1].dtype)
            is_number = keras.backend.is_float_dtype(dtype) or keras.backend.is_int_dtype(dtype)
            if not (is_number or dtype == "bool"):
                raise TypeError(dtype)
        except Exception as error:  # The type depends on the backend.
            raise ValueError(
                f"`{name}` must be a tensor or an array of numbers. Received: {name}={x!r}"
            ) from error
    return widen(*found)


def check_rank(name, x, minimum):
    """Raises a ValueError unless `x` is a tensor or an array of at least `minimum` axes."""
    shape = getattr(x, "shape", None)
    if shape is None or len(shape) < minimum:
        received = f"{name}={x!r}" if shape is None else f"{name}.shape={tuple(shape)}"
        raise ValueError(
            f"`{name}` must be a tensor of rank {minimum} or more. Received: {received}"
        )


def check_same_batch(name_a, a, name_b, b):
    """Raises a ValueError unless two tensors have equally many examples, where both are known."""
    sizes = tuple(a.shape)[:1], tuple(b.shape)[:1]
    if () in sizes or (None not in (*sizes[0], *sizes[1]) and sizes[0] != sizes[1]):
        raise ValueError(
            f"`{name_a}` and `{name_b}` must hold the same number of examples. "
            f"Received: {name_a}.shape={tuple(a.shape)}, {name_b}.shape={tuple(b.shape)}"
        )


def check_same_shape(name_a, a, name_b, b, rank=None):
    """Raises a ValueError unless the two shapes agree wherever both are known."""
    shape_a, shape_b = tuple(a.shape), tuple(b.shape)
    same = len(shape_a) == len(shape_b) and all(
        m is None or n is None or m == n for m, n in zip(shape_a, shape_b, strict=True)
    )
    right_rank = len(shape_a) >= 2 if rank is None else len(shape_a) == rank
    if not (same and right_rank):
        expected = "(batch, d)" if rank == 2 else "(batch, ...)"
        raise ValueError(
            f"`{name_a}` and `{name_b}` must have the same shape {expected}. "
            f"Received: {name_a}.shape={shape_a}, {name_b}.shape={shape_b}"
        )


def check_width(name, tensor, width):
    """Raises a ValueError unless `tensor`, an array or a tensor, is (n, width)."""
    if not hasattr(tensor, "shape") or not hasattr(tensor, "dtype"):
        raise ValueError(
            f"`{name}` must be a tensor or an array (n, {width}). Received: {name}={tensor!r}"
        )
    shape = tuple(tensor.shape)
    if len(shape) != 2 or shape[1] != width:
        raise ValueError(
            f"`{name}` must have the shape (n, {width}). Received: {name}.shape={shape}"
        )


def constant_beside(x, scalar):
    """A scalar tensor for a call together with `x`: of a symbolic `x` its number.

    An exported graph would take a tensor that it captured for an input.
    """
    return float(ops.convert_to_numpy(scalar)) if isinstance(x, keras.KerasTensor) else scalar
