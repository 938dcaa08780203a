"""The base of the layers with spectral normalisation."""

import math

import keras
from keras import ops

from keras_disentangle._arguments import check_number


class Spectral:
    """A mixin before a Keras layer with a `kernel`, which the layer divides by `sigma(training)`.

    With W the kernel as a matrix (out, all other axes), `left` and `right` are estimates of the
    unit vectors u and v for which u^T W v is the largest singular value.
    """

    def __init__(self, *args, epsilon=1e-30, **kwargs):
        super().__init__(*args, **kwargs)
        self.epsilon = check_number("epsilon", epsilon, above=0)

    def build(self, input_shape):
        super().build(input_shape)
        *window, out = self.kernel.shape
        self.left = self.add_weight(
            shape=(out,),
            initializer=self._random_direction,
            trainable=False,
            aggregation="only_first_replica",
            name="left",
        )
        self.right = self.add_weight(
            shape=(math.prod(window),),
            # So that sigma has the right magnitude before any training.
            initializer=self._best_answer,
            trainable=False,
            aggregation="only_first_replica",
            name="right",
        )

    def add_weight(self, *args, **kwargs):
        # Also under mixed precision, singular values need float32.
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def sigma(self, training=False):
        """The estimate of the kernel's largest singular value: a scalar tensor, float32.

        In training, a power iteration is done first, and its vectors are stored. No gradient flows
        through the two vectors.
        """
        matrix = self._matrix()
        if training and self.trainable:
            fixed = ops.stop_gradient(matrix)
            right = self._normalized(ops.matmul(fixed, self.left))
            left = self._normalized(ops.matmul(right, fixed))
            self.right.assign(right)
            self.left.assign(left)
        else:
            # Copies: a later call in training overwrites the variables, whose memory PyTorch keeps
            # for differentiation.
            left, right = map(ops.copy, (self.left, self.right))
        return ops.sum(right * ops.matmul(matrix, left))

    def normalized_kernel(self, training=False):
        """`kernel / sigma(training)` in the layer's compute dtype.

        A kernel of zeros is unchanged.
        """
        sigma = self.sigma(training)
        sigma = ops.where(sigma == 0, ops.ones_like(sigma), sigma)
        return ops.cast(self.kernel / sigma, self.compute_dtype)

    def _matrix(self):
        """W^T: (all other axes, out)."""
        return ops.reshape(self.kernel, (-1, self.kernel.shape[-1]))

    def _normalized(self, vector):
        # Scaled by the largest entry first, because squares could exceed the range of float32.
        largest = ops.max(ops.abs(vector))
        scale = ops.where(largest == 0, ops.ones_like(largest), largest)
        vector = vector / scale
        return vector / ops.maximum(ops.norm(vector), self.epsilon / scale)

    def _random_direction(self, shape, dtype=None):
        return self._normalized(keras.initializers.RandomNormal()(shape, dtype))

    def _best_answer(self, shape, dtype=None):
        return self._normalized(ops.matmul(self._matrix(), self.left))

    # The methods of Dense and Conv2D save only the kernel and the bias.

    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


def another(initializer):
    """A copy of an initializer: sharing one would give equal kernels."""
    return initializer.clone() if hasattr(initializer, "clone") else initializer
