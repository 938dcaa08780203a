"""Poisson observations: counts."""

import math

import keras
from keras import ops

from keras_disentangle._arguments import check_seed
from keras_disentangle._likelihood import sum_per_example
from keras_disentangle.observations._counts import (
    check_counts,
    drawn,
    exponential_excess,
    log_ratio,
    stirling_error,
)
from keras_disentangle.observations.observation import Observation


@keras.saving.register_keras_serializable("keras_disentangle")
class Poisson(Observation):
    r"""Independent counts, with the logarithms of their means from the decoder.

    $$\sum_i [e^{l_i} - x_i l_i + \log x_i!]$$

    Counts whose variance exceeds their mean, as most do, are `NegativeBinomial`.

    Example:

    >>> poisson = kd.observations.Poisson()
    >>> poisson.negative_log_likelihood(np.zeros((1, 3)), np.zeros((1, 3)))   # [3]

    Reference: Loader, 2000 (Fast and accurate computation of binomial probabilities), for the
    evaluation at large counts.
    """

    any_scale = True

    def check_data(self, name, x):
        check_counts(name, x, "Poisson")

    def negative_log_likelihood(self, x, prediction):
        x, log_mean = self._checked(x, prediction)
        # That of a count at its own mean, and what another mean adds: none of the two is a
        # difference of large numbers.
        is_positive = x > 0
        count = ops.where(is_positive, x, 1)
        least = 0.5 * ops.log(2 * math.pi * count) + stirling_error(count)
        more = count * exponential_excess(log_ratio(log_mean, count))
        return sum_per_example(ops.where(is_positive, least + more, ops.exp(log_mean)))

    def mean(self, prediction):
        return ops.exp(super().mean(prediction))

    def sample(self, prediction, seed=None):
        """Counts as floats; drawn on the host, so not inside a compiled function."""
        seed = check_seed("seed", seed, generator=True)
        return drawn(seed, lambda rng, mean: rng.poisson(mean), self.mean(prediction))
