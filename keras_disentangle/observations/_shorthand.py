"""The arguments `observation`, `pixel_scale` and `min_log_std` of models."""

import copy

import keras

from keras_disentangle._arguments import is_choice
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._log_std import checked_floor
from keras_disentangle.observations.bernoulli import Bernoulli
from keras_disentangle.observations.gaussian import SCALES, Gaussian
from keras_disentangle.observations.observation import Observation


def as_observation(observation, pixel_scale, min_log_std):
    """The `Observation` that these arguments describe, a new object for each model.

    Raises:
        ValueError: if an argument is out of range, or an `Observation` is combined with other
            settings.
    """
    if isinstance(observation, Observation):
        if min_log_std is not None or not is_choice(pixel_scale, ("scalar",)):
            raise ValueError(
                "`pixel_scale` and `min_log_std` must be left out: an observation has its own, as "
                f"in `Gaussian(scale, min_log_std)`. Received: observation={observation!r}, "
                f"pixel_scale={pixel_scale!r}, min_log_std={min_log_std!r}"
            )
        return copy.copy(observation)
    if not is_choice(observation, ("bernoulli", "gaussian")):
        raise ValueError(
            '`observation` must be "bernoulli" or "gaussian", or an `Observation`. '
            f"Received: observation={observation!r}"
        )
    if pixel_scale == "channel":
        check_channels_last('`pixel_scale="channel"`')
    if not is_choice(pixel_scale, SCALES):
        raise ValueError(
            f"`pixel_scale` must be one of {list(SCALES)}. Received: pixel_scale={pixel_scale!r}"
        )
    min_log_std = checked_floor(min_log_std)
    return Bernoulli() if observation == "bernoulli" else Gaussian(pixel_scale, min_log_std)


def as_arguments(observation):
    """The arguments of `as_observation` that describe this observation, serializable."""
    if type(observation) is Bernoulli:
        return {"observation": "bernoulli"}
    if type(observation) is Gaussian:
        found = observation.get_config()
        return {
            "observation": "gaussian",
            "pixel_scale": found["scale"],
            "min_log_std": found["min_log_std"],
        }
    return {"observation": keras.saving.serialize_keras_object(observation)}
