"""Uniformly distributed latent dimensions."""

import math

import keras
import numpy as np

from keras_disentangle._arguments import check_number
from keras_disentangle.latents._code import ContinuousCode, check_draw, interval


@keras.saving.register_keras_serializable("keras_disentangle")
class Uniform(ContinuousCode):
    """`size` independent dimensions, uniform between `low` and `high`.

    Args:
        size: number of dimensions, >= 1.
        low, high: the bounds, `low` < `high`.
        informative: whether a recognition network is trained to infer them.
        posterior_std: standard deviation of its Gaussian posterior, > 0 (1 in the code published
            with InfoGAN); `None` means that the network predicts it (2 * size outputs: means, then
            log standard deviations).
        name: name of the code, "uniform" by default.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> kd.latents.Uniform(2, -1, 1).entropy()   # 2 log 2

    Reference: Chen et al., 2016 (InfoGAN), section 6.
    """

    default_name = "uniform"

    def __init__(self, size, low=-1.0, high=1.0, informative=True, posterior_std=None, name=None):
        super().__init__(size, informative, posterior_std, name)
        self.low, self.high = check_number("low", low), check_number("high", high)
        if self.high - self.low > np.finfo("float32").max:
            raise ValueError(
                "`low` and `high` must lie less than the range of float32 apart. "
                f"Received: low={low}, high={high}"
            )
        if not self.low < self.high:
            raise ValueError(f"`low` must be less than `high`. Received: low={low}, high={high}")

    def sample(self, n, seed=None):
        n, seed = check_draw(n, seed)
        shape = (n, self.size)
        return keras.random.uniform(shape, self.low, self.high, dtype="float32", seed=seed)

    def entropy(self):
        return self.size * math.log(self.high - self.low)

    def traversal(self, steps=10, extent=1.0):
        """`steps` values over the whole interval times `extent`, (steps,)."""
        return interval((self.low + self.high) / 2, (self.high - self.low) / 2, steps, extent)

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}
