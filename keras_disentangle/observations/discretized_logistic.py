"""Discretised logistic observations: pixels of a fixed number of levels."""

import keras
from keras import ops

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle._likelihood import sum_per_example
from keras_disentangle.observations._scaled import ScaledObservation


@keras.saving.register_keras_serializable("keras_disentangle")
class DiscretizedLogistic(ScaledObservation):
    r"""Independent pixels of L levels: the share of a logistic distribution that rounds to each.

    $$p(x) = \sigma((x + \delta - \mu) / s) - \sigma((x - \delta - \mu) / s), \quad
      \delta = 1 / 2 (L - 1)$$

    for x = 0, 1 / (L - 1), ..., 1; the lowest level takes all below it, the highest all above. The
    decoder gives the locations $\mu$. The probabilities of all levels add up to 1, so that
    likelihoods are comparable to those of other models of 8-bit images, in bits:
    nats / (log 2 * number of values).

    Args:
        num_levels: L, >= 2; 256 for 8-bit images.
        scale: the shape of $\log s$, as in `Laplace`: `"scalar"`, `"channel"`, `"full"` or
            `"decoder"`. The mean is logged as `log_scale`.
        min_log_scale: floor of $\log s$, a number <= 0, or `None`.

    Raises:
        ValueError: as `Laplace`; if `num_levels` is too small.

    Example:

    >>> levels = kd.observations.DiscretizedLogistic(num_levels=4)
    >>> x = np.array([[0.0], [1 / 3], [2 / 3], [1.0]])
    >>> np.exp(-np.array(levels.negative_log_likelihood(x, 0 * x))).sum()   # 1

    References: Kingma et al., 2016 (Improving Variational Inference with Inverse Autoregressive
    Flow); Salimans et al., 2017 (PixelCNN++), section 2.1.
    """

    in_unit_interval = True

    def __init__(self, num_levels=256, scale="scalar", min_log_scale=-7.0):
        self.num_levels = check_int("num_levels", num_levels, minimum=2)
        super().__init__(scale, min_log_scale)

    def negative_log_likelihood(self, x, prediction):
        x, location, log_scale = self._with_parameters(x, prediction)
        half, inverse = 0.5 / (self.num_levels - 1), ops.exp(-log_scale)
        above, below = (x + half - location) * inverse, (x - half - location) * inverse
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), without cancellation.
        width = ops.maximum(above - below, 1e-7)
        inside = -ops.softplus(-above) - ops.softplus(below) + ops.log(-ops.expm1(-width))
        log_p = ops.where(x > 1 - half, -ops.softplus(below), inside)
        return -sum_per_example(ops.where(x < half, -ops.softplus(-above), log_p))

    def mean(self, prediction):
        """The locations, cut to [0, 1]: the means but for rounding and the ends of the scale."""
        return ops.clip(ops.cast(self.parameters(prediction)[0], "float32"), 0.0, 1.0)

    def sample(self, prediction, seed=None):
        """Images of the levels 0 to 1."""
        seed = check_seed("seed", seed, generator=True)
        location, log_scale = (ops.cast(p, "float32") for p in self.parameters(prediction))
        u = keras.random.uniform(ops.shape(location), 1e-7, 1.0, dtype="float32", seed=seed)
        u = ops.minimum(u, 1 - 1e-7)
        drawn = location + ops.exp(log_scale) * (ops.log(u) - ops.log1p(-u))
        top = self.num_levels - 1
        return ops.round(ops.clip(drawn, 0.0, 1.0) * top) / top

    def get_config(self):
        return {"num_levels": self.num_levels, **super().get_config()}
