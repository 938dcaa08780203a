"""What all computations on tensors share: wide enough types, and shapes that fit."""

import keras
from keras import ops


def widen(x):
    """Sums over pixels and dimensions need float32 even where the layers compute in bfloat16."""
    x = ops.convert_to_tensor(x)
    is_wide = keras.backend.standardize_dtype(x.dtype) in ("float32", "float64")
    return x if is_wide else ops.cast(x, "float32")


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
