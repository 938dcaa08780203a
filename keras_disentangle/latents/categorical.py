"""A latent code that picks one of several categories."""

import math

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import check_width, widen
from keras_disentangle.latents._code import Code, check_draw


@keras.saving.register_keras_serializable("keras_disentangle")
class Categorical(Code):
    """One of `num_categories` categories with equal probabilities, as a one-hot vector.

    The parameters of its posterior are logits, one for each category. A traversal covers every
    category once.

    Args:
        num_categories: number of categories, >= 2.
        informative: whether a recognition network is trained to infer it.
        name: name of the code, "categorical" by default.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> kd.latents.Categorical(10).entropy()   # log 10

    Reference: Chen et al., 2016 (InfoGAN), section 6.
    """

    default_name = "categorical"
    num_traversals = 1

    def __init__(self, num_categories, informative=True, name=None):
        super().__init__(informative, name)
        self.num_categories = check_int("num_categories", num_categories, minimum=2)
        self.dim = self.num_params = self.num_categories

    def sample(self, n, seed=None):
        n, seed = check_draw(n, seed)
        index = keras.random.randint((n,), 0, self.num_categories, dtype="int32", seed=seed)
        return ops.one_hot(index, self.num_categories, dtype="float32")

    def entropy(self):
        return math.log(self.num_categories)

    def log_likelihood(self, params, codes):
        params, codes = self._checked(params, codes)
        return ops.sum(codes * ops.log_softmax(params, axis=-1), axis=-1)

    def predict(self, params):
        """The probabilities of the categories."""
        check_width("params", params, self.num_params)
        return ops.softmax(widen(params), axis=-1)

    def traversal(self, steps=10, extent=1.0):
        """Every category, whatever the arguments: the identity (k, k)."""
        return np.eye(self.num_categories, dtype="float32")

    def traverse(self, code, dim=0, steps=10, extent=1.0):
        self._check_traversal(dim)
        return self.traversal()

    def get_config(self):
        return {"num_categories": self.num_categories, **super().get_config()}
