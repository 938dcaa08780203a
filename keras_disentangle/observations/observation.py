"""The base class of observations."""

import abc

from keras import ops

from keras_disentangle._tensors import as_floats, check_same_shape


class Observation(abc.ABC):
    """The distribution p(x|z) of images, or vectors, given a decoder's output.

    Images are (batch, h, w, c), vectors (batch, n), whose features count as channels. Of several
    parameters, the decoder gives `num_parameters` times as many channels as the data have: those of
    the first parameter, then those of the second.

    A model makes a copy of it, whose weights, if any, belong to the model. A subclass implements
    `negative_log_likelihood` and `sample`; `mean` too, unless the decoder's outputs are the means;
    `add_weights` and `logged`, if it has weights; and `get_config`, if it has arguments. Register
    the subclass with Keras, so that models that use it can be saved.

    Attributes:
        takes_logits: whether the decoder must end without an activation, because `mean` applies
            one.
        in_unit_interval: whether images must lie in [0, 1].
        any_scale: whether data of any scale are meant, such as counts: a model then does not warn
            of large numbers.
        num_parameters: number of parameters that the decoder gives for each value.

    Example:

    >>> @keras.saving.register_keras_serializable("mine")
    ... class Cauchy(kd.observations.Observation):
    ...     def negative_log_likelihood(self, x, prediction):
    ...         return ops.sum(ops.log(np.pi * (1 + (x - prediction) ** 2)), axis=(1, 2, 3))
    ...
    ...     def sample(self, prediction, seed=None):
    ...         u = keras.random.uniform(ops.shape(prediction), -0.5, 0.5, seed=seed)
    ...         return prediction + ops.tan(np.pi * u)
    >>> model = kd.models.VAE(encoder, decoder, observation=Cauchy())
    """

    takes_logits = False
    in_unit_interval = False
    any_scale = False
    num_parameters = 1

    @abc.abstractmethod
    def negative_log_likelihood(self, x, prediction):
        """-log p(x|z) in nats, summed over pixels, (batch,).

        `x` are images (batch, h, w, c) or vectors, `prediction` is the decoder's output: of the
        same shape, but for `num_parameters` times as many channels.
        """

    @abc.abstractmethod
    def sample(self, prediction, seed=None):
        """Draws images (batch, h, w, c), float32; `seed` is an int, a `SeedGenerator` or None."""

    def mean(self, prediction):
        """The images to show, (batch, h, w, c), float32: the means of p(x|z)."""
        return ops.cast(as_floats(prediction=prediction), "float32")

    def prediction_shape(self, image_shape):
        """The shape that the decoder's output must have, for data (h, w, c) or (n,)."""
        *sides, channels = image_shape
        return (*sides, self.num_parameters * channels)

    def check_data(self, name, x):  # noqa: B027
        """Raises a ValueError if an array, the argument `name`, is not of its kind; a hook."""

    def add_weights(self, model, image_shape):  # noqa: B027
        """Adds its weights to `model`; `image_shape` is (h, w, c) or (n,)."""

    def logged(self):
        """Scalars to log at each step besides the loss terms, a dict by name."""
        return {}

    def _checked(self, x, prediction):
        """Both as tensors of one dtype in which likelihoods can be computed."""
        x, prediction = as_floats(x=x, prediction=prediction)
        check_same_shape("x", x, "prediction", prediction)
        return x, prediction

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"
