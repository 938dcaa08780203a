"""Reparametrised samples from a diagonal Gaussian."""

import keras
from keras import ops

from keras_disentangle._arguments import check_seed
from keras_disentangle._tensors import check_rank


@keras.saving.register_keras_serializable("keras_disentangle")
class GaussianSampling(keras.layers.Layer):
    """Draws `mean + exp(log_var / 2) * noise` with standard normal noise, differentiably.

    Args:
        seed: integer seed of the noise, or `None`. The generator's state is saved with the model.

    Call arguments:
        mean: tensor (batch, d).
        log_var: log of the variances, tensor (batch, d).
        noise: tensor (batch, d), or `None` to draw it. With several replicas, which share the seed,
            give each a part of one draw.

    Raises:
        ValueError: if the shapes differ.

    Example:

    >>> kd.layers.GaussianSampling(seed=0)(np.zeros((8, 2)), np.zeros((8, 2))).shape
    (8, 2)

    Reference: Kingma & Welling, 2014.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = check_seed("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.built = True

    def call(self, mean, log_var, noise=None):
        check_rank("mean", mean, 1)
        check_rank("log_var", log_var, 1)
        if tuple(mean.shape) != tuple(log_var.shape):
            raise ValueError(
                "`mean` and `log_var` must have the same shape. Received: "
                f"mean.shape={tuple(mean.shape)}, log_var.shape={tuple(log_var.shape)}"
            )
        if noise is None:
            noise = self.draw(ops.shape(mean), mean.dtype)
        elif len(noise.shape) != len(mean.shape) or noise.shape[-1] != mean.shape[-1]:
            raise ValueError(
                "`noise` must have the shape of `mean`. Received: "
                f"noise.shape={tuple(noise.shape)}, mean.shape={tuple(mean.shape)}"
            )
        return mean + ops.exp(0.5 * log_var) * noise

    def draw(self, shape, dtype=None):
        """Standard normal noise, by default in the dtype in which the layer computes."""
        dtype = dtype or self.compute_dtype
        return keras.random.normal(shape, dtype=dtype, seed=self.seed_generator)

    def compute_output_shape(self, mean_shape, log_var_shape, noise_shape=None):
        return mean_shape

    def save_own_variables(self, store):
        # Keras does not save seed generators; without the state, a run could not resume exactly.
        store["seed_state"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        if "seed_state" in store.keys():
            self.seed_generator.state.assign(store["seed_state"])

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
