"""Negative binomial observations: counts whose variance exceeds their mean."""

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
from keras_disentangle.observations._scaled import ScaledObservation

_LARGE = 80.0  # exp of it is finite in float32


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
        # As for Poisson observations.
        is_positive = x > 0
        count = ops.where(is_positive, x, 1)
        log_count = ops.log(count)
        least = 0.5 * (math.log(2 * math.pi) + log_count + ops.softplus(log_count - log_r))
        least = least + stirling_error(count) + stirling_error(r) - stirling_error(count + r)
        more = _more(count, r, log_ratio(log_mean, count))
        none = r * ops.softplus(log_mean - log_r)
        return sum_per_example(ops.where(is_positive, least + more, none))

    def mean(self, prediction):
        return ops.exp(ops.cast(self.parameters(prediction)[0], "float32"))

    def sample(self, prediction, seed=None):
        """Counts as floats; drawn on the host, so not inside a compiled function."""
        seed = check_seed("seed", seed, generator=True)
        r = ops.exp(self.parameters(prediction)[1])

        def draw(rng, mean, r):
            return rng.poisson(rng.gamma(r, mean / r))

        return drawn(seed, draw, self.mean(prediction), r)


def _more(x, r, d):
    """(x + r) log((mean + r) / (x + r)) - x d, of the logarithm d of mean / x.

    By the smaller of x and r, and by the excess of exponentials where these nearly cancel.
    """
    smaller, d = ops.minimum(x, r), ops.where(x < r, d, -d)
    share = smaller / (x + r)
    factor = share * ops.expm1(ops.minimum(d, _LARGE))
    # The logarithm of that quotient, beside d, if x is smaller, and without it otherwise.
    log_quotient = ops.log1p(factor)
    beyond = d + ops.log(share + (1 - share) * ops.exp(-ops.maximum(d, _LARGE)))
    log_quotient = ops.where(d > _LARGE, beyond, log_quotient)
    near = smaller * exponential_excess(d) - (x + r) * exponential_excess(log_quotient)
    return ops.where(ops.abs(d) < 0.5, near, (x + r) * log_quotient - smaller * d)
