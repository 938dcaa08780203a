"""Bernoulli observations: binary pixels, or intensities in [0, 1]."""

import keras
from keras import ops

from keras_disentangle._arguments import check_seed
from keras_disentangle._likelihood import bernoulli_nll
from keras_disentangle.observations.observation import Observation


@keras.saving.register_keras_serializable("keras_disentangle")
class Bernoulli(Observation):
    """Independent Bernoulli pixels, with logits from the decoder; images in [0, 1].

    For pixels other than 0 and 1, the negative log-likelihood is the cross-entropy.

    Example:

    >>> bernoulli = kd.observations.Bernoulli()
    >>> bernoulli.mean(np.zeros((1, 2, 2, 1)))[0, 0, 0, 0]   # 0.5
    >>> bernoulli.negative_log_likelihood(np.ones((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)))   # 4 log 2

    Reference: Kingma & Welling, 2014, appendix C.1.
    """

    takes_logits = True
    in_unit_interval = True

    def negative_log_likelihood(self, x, prediction):
        return bernoulli_nll(*self._checked(x, prediction))

    def mean(self, prediction):
        """The probabilities."""
        return ops.sigmoid(super().mean(prediction))

    def sample(self, prediction, seed=None):
        """Images of zeros and ones."""
        seed = check_seed("seed", seed, generator=True)
        mean = self.mean(prediction)
        noise = keras.random.uniform(ops.shape(mean), dtype="float32", seed=seed)
        return ops.cast(noise < mean, "float32")
