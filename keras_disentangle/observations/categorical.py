"""Categorical observations: one of several values, as one-hot vectors."""

import keras
from keras import ops

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle._likelihood import sum_per_example
from keras_disentangle._tensors import to_numpy
from keras_disentangle.observations.observation import Observation


# Another name than that of the code of a latent space, which files would confuse.
@keras.saving.register_keras_serializable("keras_disentangle", name="CategoricalObservation")
class Categorical(Observation):
    r"""Independent categorical values, each a group of K numbers of the last axis, one-hot.

    The decoder gives a logit for each number, so its output has the shape of the data: (v K,) for
    v columns of a table with K categories each, (h, w, K) for images of labels. The negative
    log-likelihood is the cross-entropy, also of probabilities in place of one-hot vectors.

    Args:
        num_categories: K, >= 2; `None` if the last axis is a single group.

    Raises:
        ValueError: if `num_categories` is too small; if the last axis cannot be divided by it, or
            data given as an array are not probabilities.

    Example:

    >>> categorical = kd.observations.Categorical(3)
    >>> x = np.array([[0.0, 1.0, 0.0, 1.0, 0.0, 0.0]])   # two columns of a table
    >>> categorical.negative_log_likelihood(x, 0 * x)   # [2 log 3]
    """

    in_unit_interval = True

    def __init__(self, num_categories=None):
        if num_categories is not None:
            num_categories = check_int("num_categories", num_categories, minimum=2)
        self.num_categories = num_categories

    def check_data(self, name, x):
        sums = to_numpy(name, self._grouped(name, ops.convert_to_tensor(x, "float32"))).sum(-1)
        if abs(sums - 1).max() > 1e-3:
            raise ValueError(
                f"`{name}` must hold one-hot vectors, groups of numbers that sum to 1, for "
                f"Categorical observations. Received: a group that sums to "
                f"{sums.flat[abs(sums - 1).argmax()]:g}"
            )

    def negative_log_likelihood(self, x, prediction):
        x, logits = self._checked(x, prediction)
        log_p = ops.log_softmax(self._grouped("prediction", logits), axis=-1)
        return -sum_per_example(self._grouped("x", x) * log_p)

    def mean(self, prediction):
        """The probabilities."""
        logits = super().mean(prediction)
        found = ops.softmax(self._grouped("prediction", logits), axis=-1)
        return ops.reshape(found, ops.shape(logits))

    def sample(self, prediction, seed=None):
        """One-hot vectors."""
        seed = check_seed("seed", seed, generator=True)
        logits = self._grouped("prediction", super().mean(prediction))
        u = keras.random.uniform(ops.shape(logits), 1e-7, 1.0, dtype="float32", seed=seed)
        chosen = ops.argmax(logits - ops.log(-ops.log(u)), axis=-1)
        found = ops.one_hot(chosen, logits.shape[-1], dtype="float32")
        return ops.reshape(found, ops.shape(super().mean(prediction)))

    def _grouped(self, name, x):
        """(..., v K) to (..., v, K)."""
        size = x.shape[-1] if self.num_categories is None else self.num_categories
        if x.shape[-1] % size:
            raise ValueError(
                f"`{name}` must have groups of {size} numbers along its last axis. "
                f"Received: {name}.shape={tuple(x.shape)}"
            )
        return ops.reshape(x, (*ops.shape(x)[:-1], x.shape[-1] // size, size))

    def get_config(self):
        return {"num_categories": self.num_categories}
