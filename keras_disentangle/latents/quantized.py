"""Latent dimensions that take a few ordered values."""

import math

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_number
from keras_disentangle._tensors import check_width, widen
from keras_disentangle.latents._code import Code, check_draw

LARGEST = 1e6  # of the values: beyond it, float32 has steps of its own


@keras.saving.register_keras_serializable("keras_disentangle")
class Quantized(Code):
    """`size` independent dimensions, each one of `num_values` ordered values, equally likely.

    The values are evenly spaced from `low` to `high`. The parameters of the posterior are logits,
    one for each value of the first dimension, then of the second, and so on. A traversal visits
    each value once.

    Args:
        size: number of dimensions, >= 1.
        num_values: number of values of each, >= 2.
        low, high: the first and the last value, `low` < `high`.
        informative: whether a recognition network is trained to infer them.
        name: name of the code, "quantized" by default.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> code = kd.latents.Quantized(2, num_values=10)
    >>> code.dim, code.num_params
    (2, 20)
    >>> code.entropy()   # 2 log 10

    Reference: Hsu et al., 2023 (Disentanglement via Latent Quantization).
    """

    default_name = "quantized"

    def __init__(self, size, num_values=10, low=-1.0, high=1.0, informative=True, name=None):
        super().__init__(informative, name)
        self.size = self.dim = self.num_traversals = check_int("size", size)
        self.num_values = check_int("num_values", num_values, minimum=2)
        self.low = check_number("low", low, -LARGEST, LARGEST)
        self.high = check_number("high", high, -LARGEST, LARGEST)
        if not self.low < self.high:
            raise ValueError(f"`low` must be less than `high`. Received: low={low}, high={high}")
        self.num_params = self.size * self.num_values

    def codebooks(self):
        """The values of each dimension, (size, num_values); a hook for values that are learnt."""
        row = np.linspace(self.low, self.high, self.num_values, dtype="float32")
        return ops.convert_to_tensor(np.tile(row, (self.size, 1)))

    def sample(self, n, seed=None):
        n, seed = check_draw(n, seed)
        shape = (n, self.size)
        index = keras.random.randint(shape, 0, self.num_values, dtype="int32", seed=seed)
        return self._values_at(index)

    def entropy(self):
        return self.size * math.log(self.num_values)

    def log_likelihood(self, params, codes):
        """As in every code; codes between two values count as the nearer one."""
        params, codes = self._checked(params, codes)
        chosen = ops.one_hot(self._nearest(codes), self.num_values, dtype=params.dtype)
        return ops.sum(chosen * ops.log_softmax(self._logits(params), axis=-1), axis=(1, 2))

    def shifted(self, codes, steps):
        """Codes (n, size) moved by integer steps (n, size) to other values, round from the last
        to the first."""
        return self._values_at(ops.mod(self._nearest(codes) + steps, self.num_values))

    def predict(self, params):
        """The most likely value of each dimension."""
        check_width("params", params, self.num_params)
        return self._values_at(ops.argmax(self._logits(widen(params)), axis=-1))

    def traversal(self, steps=10, extent=1.0):
        """Every value, whatever the arguments: (num_values,)."""
        return np.linspace(self.low, self.high, self.num_values, dtype="float32")

    def traverse(self, code, dim=0, steps=10, extent=1.0):
        self._check_traversal(dim)
        codes = np.tile(np.asarray(code, "float32"), (self.num_values, 1))
        codes[:, dim] = self.values_of(dim)
        return codes

    def values_of(self, dim):
        """The values of a dimension in increasing order, NumPy (num_values,)."""
        return self.traversal()

    def _nearest(self, codes):
        """The indices of the nearest values, int32 (n, size)."""
        distances = ops.abs(codes[..., None] - ops.cast(self.codebooks(), codes.dtype))
        return ops.cast(ops.argmin(distances, axis=-1), "int32")

    def _logits(self, params):
        return ops.reshape(params, (-1, self.size, self.num_values))

    def _values_at(self, index):
        chosen = ops.one_hot(index, self.num_values, dtype="float32")
        return ops.sum(chosen * self.codebooks(), axis=-1)

    def get_config(self):
        return {
            "size": self.size,
            "num_values": self.num_values,
            "low": self.low,
            "high": self.high,
            **super().get_config(),
        }
