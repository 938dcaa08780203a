"""Laplace observations: real values whose errors are large now and then."""

import math

import keras
from keras import ops

from keras_disentangle._arguments import check_seed
from keras_disentangle._likelihood import sum_per_example
from keras_disentangle.observations._scaled import ScaledObservation


@keras.saving.register_keras_serializable("keras_disentangle")
class Laplace(ScaledObservation):
    r"""Independent Laplace values, with medians from the decoder.

    $$\sum_i [\log 2 b_i + |x_i - \mu_i| / b_i]$$

    Against Gaussian observations, few large errors cost less, and images become sharper.

    Args:
        scale: the shape of $\log b$, which is learnt and starts at 0: `"scalar"`, one for all;
            `"channel"`, one for each channel of images or feature of vectors; `"full"`, one for
            each value; or `"decoder"`: the decoder's output has twice as many channels, the
            medians, then $\log b$. The mean is logged as `log_scale`.
        min_log_scale: floor of $\log b$, a number <= 0, or `None`.

    Raises:
        ValueError: if an argument is out of range; by the model, if the decoder's output has
            another number of channels.

    Example:

    >>> laplace = kd.observations.Laplace()
    >>> laplace.negative_log_likelihood(np.zeros((1, 4)), np.zeros((1, 4)))   # [4 log 2]
    """

    def __init__(self, scale="scalar", min_log_scale=None):
        super().__init__(scale, min_log_scale)

    def negative_log_likelihood(self, x, prediction):
        x, median, log_scale = self._with_parameters(x, prediction)
        each = ops.abs(x - median) * ops.exp(-log_scale) + log_scale + math.log(2)
        return sum_per_example(each)

    def mean(self, prediction):
        return ops.cast(self.parameters(prediction)[0], "float32")

    def sample(self, prediction, seed=None):
        seed = check_seed("seed", seed, generator=True)
        median, log_scale = self.parameters(prediction)
        u = keras.random.uniform(ops.shape(median), -0.5, 0.5, dtype="float32", seed=seed)
        # The smallest step of float32 keeps the logarithm of an endpoint finite.
        noise = -ops.sign(u) * ops.log(ops.maximum(1 - 2 * ops.abs(u), 1e-7))
        return ops.cast(median, "float32") + ops.exp(ops.cast(log_scale, "float32")) * noise
