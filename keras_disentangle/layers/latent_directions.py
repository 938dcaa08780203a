"""Learnt orthonormal directions in a latent space."""

import math
import numbers

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_seed, is_choice
from keras_disentangle._tensors import check_rank, to_numpy

PARTS = ("coarse", "mid", "fine")
_INITIAL = ("random", "axes")


@keras.saving.register_keras_serializable("keras_disentangle")
class LatentDirections(keras.layers.Layer):
    r"""Maps steps w along learnt directions to steps in latent space: $w Q$.

    The rows of $Q$ are the orthonormal directions. In each call they are computed from the rows of
    the trainable `kernel` $A$ by the Gram-Schmidt process, through which the gradient flows.

    A weights file contains both `kernel`, from which training resumes exactly, and `matrix`, the
    directions themselves. A file with `matrix` alone can be loaded too.

    Attributes:
        block: `None`, a name or the tuple (start, stop), as given.

    Args:
        latent_dim: width of the latent space, >= 1.
        num_directions: N, >= 1; by default the number of dimensions in `block`.
        block: the dimensions in which directions lie; the others stay unchanged. `None` for all,
            (start, stop), or one of `"coarse"`, `"mid"` and `"fine"`: the first, second and last
            third, which enter BigGAN at successively finer scales.
        initializer: `"random"`, $A$ from N(0, 2 / n) for n dimensions, so that the directions are
            uniformly distributed; or `"axes"`, the first N axes.
        seed: integer seed of the random initial directions, or `None`.

    Call arguments:
        w: float tensor (batch, N), steps in units of the latent space.

    Returns:
        Float32 tensor (batch, latent_dim).

    Raises:
        ValueError: if there are more directions than dimensions, or an argument is out of range;
            when a file is loaded, if its directions have another number or dimensions.

    Example:

    >>> directions = kd.layers.LatentDirections(120, 40, block="coarse")
    >>> directions(keras.ops.one_hot([3], 40)).shape
    (1, 120)

    Reference: Peebles et al., 2020 (The Hessian Penalty), section 4.4 and appendix A.2.
    """

    def __init__(
        self,
        latent_dim,
        num_directions=None,
        block=None,
        initializer="random",
        seed=None,
        **kwargs,
    ):
        # In half precision, directions would not be orthonormal.
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.latent_dim = check_int("latent_dim", latent_dim)
        self._start, self._stop = _interval(block, self.latent_dim)
        # A tuple becomes a list in a saved file.
        self.block = tuple(block) if isinstance(block, list) else block
        width = self._stop - self._start
        num_directions = width if num_directions is None else num_directions
        self.num_directions = check_int("num_directions", num_directions)
        if self.num_directions > width:
            raise ValueError(
                f"`num_directions` must be at most {width}, the number of dimensions that they can "
                f"move in. Received: num_directions={num_directions}"
            )
        if not is_choice(initializer, _INITIAL):
            raise ValueError(
                f"`initializer` must be one of {_INITIAL}. Received: initializer={initializer!r}"
            )
        self.initializer = initializer
        self.seed = seed = check_seed("seed", seed)
        is_random = initializer == "random"
        self.kernel = self.add_weight(
            shape=(self.num_directions, width),
            initializer=keras.initializers.RandomNormal(0.0, math.sqrt(2 / width), seed)
            if is_random
            else lambda shape, dtype: ops.eye(*shape, dtype=dtype),
            autocast=False,
            name="kernel",
        )
        self.built = True

    @classmethod
    def from_matrix(cls, matrix, block=None, **kwargs):
        """A layer that begins with given directions, made orthonormal from the first on.

        Args:
            matrix: array (N, latent_dim) of linearly independent rows, such as the result of
                `kd.latents.closed_form_directions`; 0 outside of `block`.
            block, **kwargs: as in `LatentDirections`.

        Raises:
            ValueError: if `matrix` is not such an array.
        """
        matrix = to_numpy("matrix", matrix)
        if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
            raise ValueError(
                "`matrix` must be a finite array (N, latent_dim). "
                f"Received: matrix.shape={matrix.shape}"
            )
        count, width = matrix.shape
        layer = cls(width, count, block=block, initializer="axes", **kwargs)
        inside = matrix[:, layer._start : layer._stop]
        is_inside = np.count_nonzero(matrix) == np.count_nonzero(inside)
        if not is_inside or np.linalg.matrix_rank(inside) < count:
            raise ValueError(
                "`matrix` must have linearly independent rows that are 0 outside of `block`. "
                f"Received: {count} rows of rank {np.linalg.matrix_rank(inside)}, block={block!r}"
            )
        layer.kernel.assign(inside)
        return layer

    def matrix(self):
        """The directions as rows: float32 tensor (num_directions, latent_dim), orthonormal."""
        basis, triangle = ops.qr(ops.transpose(self.kernel))
        # Gram-Schmidt keeps the sign of each row.
        sense = ops.stop_gradient(ops.where(ops.diagonal(triangle) < 0, -1.0, 1.0))
        rows = ops.transpose(basis * sense)
        return ops.pad(rows, [(0, 0), (self._start, self.latent_dim - self._stop)])

    def call(self, w):
        check_rank("w", w, 1)
        if w.shape[-1] != self.num_directions:
            raise ValueError(
                f"`w` must have the shape (..., {self.num_directions}). "
                f"Received: w.shape={tuple(w.shape)}"
            )
        return ops.matmul(ops.cast(w, "float32"), self.matrix())

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.latent_dim)

    # Saving

    def save_own_variables(self, store):
        store["kernel"] = ops.convert_to_numpy(self.kernel)
        store["matrix"] = ops.convert_to_numpy(self.matrix())

    def load_own_variables(self, store):
        matrix = store["matrix"][...]
        expected = (self.num_directions, self.latent_dim)
        moved = np.flatnonzero(np.any(matrix, axis=0))
        if matrix.shape != expected or np.setdiff1d(moved, range(self._start, self._stop)).size:
            raise ValueError(
                f"The file must hold directions of the shape {expected} in the dimensions "
                f"[{self._start}, {self._stop}). Received: directions of the shape {matrix.shape} "
                f"in the dimensions {moved.tolist()}"
            )
        is_exact = "kernel" in store.keys()
        value = store["kernel"][...] if is_exact else matrix[:, self._start : self._stop]
        self.kernel.assign(value)

    def get_config(self):
        config = super().get_config()
        del config["dtype"]
        return {
            **config,
            "latent_dim": self.latent_dim,
            "num_directions": self.num_directions,
            "block": self.block,
            "initializer": self.initializer,
            "seed": self.seed,
        }


def _interval(block, latent_dim):
    """The dimensions of a block, as (start, stop)."""
    if block is None:
        return 0, latent_dim
    if isinstance(block, str) and block in PARTS:
        third, rest = divmod(latent_dim, 3)
        if rest:
            raise ValueError(
                f"`block` must be (start, stop), since {latent_dim} dimensions cannot be divided "
                f"by 3. Received: block={block!r}"
            )
        start = third * PARTS.index(block)
        return start, start + third
    if isinstance(block, (tuple, list)) and len(block) == 2:
        start, stop = block
        are_ints = all(isinstance(x, numbers.Integral) and not isinstance(x, bool) for x in block)
        if are_ints and 0 <= start < stop <= latent_dim:
            return int(start), int(stop)
    raise ValueError(
        f"`block` must be None, one of {PARTS}, or (start, stop) with 0 <= start < stop <= "
        f"{latent_dim}. Received: block={block!r}"
    )
