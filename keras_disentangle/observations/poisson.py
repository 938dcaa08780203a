"""Poisson observations: counts."""

import keras
from keras import ops

from keras_disentangle._arguments import check_seed
from keras_disentangle._likelihood import sum_per_example
from keras_disentangle.observations._counts import check_counts, drawn, log_gamma
from keras_disentangle.observations.observation import Observation


@keras.saving.register_keras_serializable("keras_disentangle")
class Poisson(Observation):
    r"""Independent counts, with the logarithms of their means from the decoder.

    $$\sum_i [e^{l_i} - x_i l_i + \log x_i!]$$

    Counts whose variance exceeds their mean, as most do, are `NegativeBinomial`.

    Example:

    >>> poisson = kd.observations.Poisson()
    >>> poisson.negative_log_likelihood(np.zeros((1, 3)), np.zeros((1, 3)))   # [3]
    """

    any_scale = True

    def check_data(self, name, x):
        check_counts(name, x, "Poisson")

    def negative_log_likelihood(self, x, prediction):
        x, log_mean = self._checked(x, prediction)
        return sum_per_example(ops.exp(log_mean) - x * log_mean + log_gamma(x + 1))

    def mean(self, prediction):
        return ops.exp(super().mean(prediction))

    def sample(self, prediction, seed=None):
        """Counts as floats; drawn on the host, so not inside a compiled function."""
        seed = check_seed("seed", seed, generator=True)
        return drawn(seed, lambda rng, mean: rng.poisson(mean), self.mean(prediction))
