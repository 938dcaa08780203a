"""Checks shared by the metrics of a generator: of directions and of outputs."""

import numpy as np

from keras_disentangle._arguments import check_callable
from keras_disentangle._tensors import to_numpy
from keras_disentangle.metrics._validation import check_matrix


def check_directions(directions, codes):
    """`directions` as a finite float64 array (m, d), as wide as `codes` (n, d), no row of it 0."""
    directions = to_numpy("directions", directions)
    width = codes.shape[1]
    if directions.ndim != 2 or directions.shape[1] != width:
        raise ValueError(
            f"`directions` must be of shape (m, {width}), as wide as the codes. "
            f"Received: directions.shape={directions.shape}"
        )
    directions = check_matrix("directions", directions).astype(np.float64)
    if not directions.any(axis=1).all():
        raise ValueError(
            "`directions` must not hold a row of zeros. Received: zeros in the rows "
            f"{np.flatnonzero(~directions.any(axis=1)).tolist()}"
        )
    return directions


def evaluate(fn, z, name):
    """The output of `fn` for the codes `z` (n, d), as an array (n, ...) of float32 or float64.

    The metrics divide differences by the square of a small step: with a coarser type, such as
    images of 256 levels, the result would be rounding error alone.
    """
    check_callable(name.partition("(")[0], fn)
    outputs = fn(np.asarray(z, "float32"))
    coarse = "bfloat16" in str(getattr(outputs, "dtype", ""))
    outputs = to_numpy(name, outputs)
    if outputs.ndim < 1 or len(outputs) != len(z) or not outputs.size:
        raise ValueError(
            f"`{name}` must be of shape ({len(z)}, ...), one output for each of {len(z)} codes. "
            f"Received: {name}.shape={outputs.shape}"
        )
    if coarse or outputs.dtype not in (np.float32, np.float64):
        raise ValueError(
            f"`{name}` must be float32 or float64: rounding hides small differences. "
            f"Received: {name}.dtype={'bfloat16' if coarse else outputs.dtype}"
        )
    finite = np.isfinite(outputs)
    if not finite.all():
        raise ValueError(
            f"`{name}` must be finite. Received: {np.count_nonzero(~finite)} values that are NaN "
            "or infinite"
        )
    return outputs
