"""Standard normal latent dimensions."""

import math

import keras

from keras_disentangle.latents._code import ContinuousCode, check_draw, interval


@keras.saving.register_keras_serializable("keras_disentangle")
class Normal(ContinuousCode):
    """`size` independent standard normal dimensions: usually a generator's noise.

    Args:
        size: number of dimensions, >= 1.
        informative: whether a recognition network is trained to infer them.
        posterior_std: standard deviation of its posterior, > 0; `None` means that the network
            predicts it (2 * size outputs: means, then log standard deviations).
        name: name of the code, "normal" by default.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> kd.latents.Normal(62).sample(8, seed=0).shape
    (8, 62)

    Reference: Chen et al., 2016 (InfoGAN), section 6.
    """

    default_name = "normal"

    def __init__(self, size, informative=False, posterior_std=None, name=None):
        super().__init__(size, informative, posterior_std, name)

    def sample(self, n, seed=None):
        n, seed = check_draw(n, seed)
        return keras.random.normal((n, self.size), dtype="float32", seed=seed)

    def entropy(self):
        return self.size * 0.5 * math.log(2 * math.pi * math.e)

    def traversal(self, steps=10, extent=1.0):
        """`steps` values from -2 * extent to 2 * extent, (steps,)."""
        return interval(0.0, 2.0, steps, extent)
