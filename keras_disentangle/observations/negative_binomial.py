"""Negative binomial observations: counts whose variance exceeds their mean."""

import keras
from keras import ops

from keras_disentangle._arguments import check_seed
from keras_disentangle._likelihood import sum_per_example
from keras_disentangle.observations._counts import check_counts, drawn, log_gamma, log_gamma_ratio
from keras_disentangle.observations._scaled import ScaledObservation


@keras.saving.register_keras_serializable("keras_disentangle")
class NegativeBinomial(ScaledObservation):
    r"""Independent counts of mean $\mu$ and variance $\mu + \mu^2 / r$.

    The decoder gives $\log \mu$. The larger r, the nearer to `Poisson`: a Poisson distribution
    whose mean is drawn from a gamma distribution of shape r.

    Args:
        dispersion: the shape of $\log r$, which is learnt and starts at 0: `"scalar"`, one for
            all; `"channel"`, one for each feature of vectors or channel of images; `"full"`, one
            for each value; or `"decoder"`: the decoder's output has twice as many channels,
            $\log \mu$, then $\log r$. The mean is logged as `log_dispersion`.
        min_log_dispersion: floor of $\log r$, a number <= 0, or `None`.

    Raises:
        ValueError: if an argument is out of range; by the model, if the decoder's output has
            another number of channels.

    Example:

    >>> counts = kd.observations.NegativeBinomial("channel")
    >>> counts.negative_log_likelihood(np.zeros((1, 3)), np.zeros((1, 3)))   # [3 log 2]

    Reference: Lopez et al., 2018 (Deep generative modeling for single-cell transcriptomics).
    """

    any_scale = True
    weight_name = "log_dispersion"

    def __init__(self, dispersion="scalar", min_log_dispersion=None):
        super().__init__(dispersion, min_log_dispersion, argument="dispersion")

    def check_data(self, name, x):
        check_counts(name, x, "NegativeBinomial")

    def negative_log_likelihood(self, x, prediction):
        x, log_mean, log_r = self._with_parameters(x, prediction)
        log_r = log_r + ops.zeros_like(log_mean)
        r = ops.exp(log_r)
        binomial = log_gamma_ratio(x, r) - log_gamma(x + 1)
        # log(1 + mean / r) and log(1 + r / mean), either of which may be tiny.
        failures, counts = ops.softplus(log_mean - log_r), ops.softplus(log_r - log_mean)
        return -sum_per_example(binomial - r * failures - x * counts)

    def mean(self, prediction):
        return ops.exp(ops.cast(self.parameters(prediction)[0], "float32"))

    def sample(self, prediction, seed=None):
        """Counts as floats; drawn on the host, so not inside a compiled function."""
        seed = check_seed("seed", seed, generator=True)
        r = ops.exp(self.parameters(prediction)[1])

        def draw(rng, mean, r):
            return rng.poisson(rng.gamma(r, mean / r))

        return drawn(seed, draw, self.mean(prediction), r)
