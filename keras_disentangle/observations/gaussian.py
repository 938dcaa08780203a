"""Gaussian observations: real-valued pixels with learnt standard deviations."""

import keras
from keras import ops

from keras_disentangle._arguments import check_choice, check_seed
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._likelihood import gaussian_nll
from keras_disentangle._log_std import add_log_std, checked_floor, floored
from keras_disentangle.observations.observation import Observation

SCALES = ("scalar", "channel", "full")


@keras.saving.register_keras_serializable("keras_disentangle")
class Gaussian(Observation):
    """Independent normal pixels, with means from the decoder.

    A model learns the log standard deviations together with its networks, starting from 0, and logs
    their mean as `log_std`. An observation without a model has standard deviation 1.

    Attributes:
        log_std: float32 variable, () or (c,) or (h, w, c).

    Args:
        scale: the shape of `log_std`: `"scalar"`, one for all pixels; `"channel"`, one for each
            channel; `"full"`, one for each pixel and channel.
        min_log_std: floor of `log_std`, a number <= 0, or `None` for none. With `scale="full"`,
            pixels that are the same in all images need a floor.

    Raises:
        ValueError: if `scale` is none of these, or `min_log_std` is positive.

    Example:

    >>> gaussian = kd.observations.Gaussian("channel", min_log_std=-4.0)
    >>> model = kd.models.VAE(encoder, decoder, observation=gaussian)
    >>> model.observation.log_std.shape
    (1,)

    Reference: Kingma & Welling, 2014, appendix C.2.
    """

    def __init__(self, scale="scalar", min_log_std=None):
        self.scale = check_choice("scale", scale, SCALES)
        self.min_log_std = checked_floor(min_log_std)
        self.log_std = 0.0

    def add_weights(self, model, image_shape):
        if self.scale == "channel":
            check_channels_last('`scale="channel"`')
        shape = {"scalar": (), "channel": image_shape[-1:], "full": image_shape}[self.scale]
        self.log_std = add_log_std(model, shape, self.min_log_std, "log_std")

    def negative_log_likelihood(self, x, prediction):
        x, mean = self._checked(x, prediction)
        return gaussian_nll(x, mean, floored(self.log_std, self.min_log_std))

    def sample(self, prediction, seed=None):
        seed = check_seed("seed", seed, generator=True)
        mean = self.mean(prediction)
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=seed)
        return mean + ops.exp(floored(self.log_std, self.min_log_std)) * noise

    def logged(self):
        return {"log_std": ops.mean(floored(self.log_std, self.min_log_std))}

    def get_config(self):
        return {"scale": self.scale, "min_log_std": self.min_log_std}
