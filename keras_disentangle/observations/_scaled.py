"""The base of observations with a location, from the decoder, and a scale or a dispersion."""

from keras import ops

from keras_disentangle._arguments import check_choice
from keras_disentangle._image_format import check_channels_last
from keras_disentangle._log_std import add_log_std, checked_floor, floored
from keras_disentangle._tensors import as_floats, check_same_shape
from keras_disentangle.observations.gaussian import SCALES
from keras_disentangle.observations.observation import Observation


class ScaledObservation(Observation):
    """An observation with a location and the logarithm of a second parameter.

    The second parameter is learnt beside the decoder, or is the decoder's too: with
    `scale="decoder"` its output has twice as many channels, the locations before the others. Its
    logarithm starts at 0, and is 0 without a model; its mean is logged as `weight_name`.

    Args:
        scale: `"scalar"`, one for all values; `"channel"`, one for each channel of images or each
            feature of vectors; `"full"`, one for each value; `"decoder"`.
        minimum: floor of the logarithm, a number <= 0, or `None` for none.
        argument: the name of the argument `scale` in errors.
    """

    weight_name = "log_scale"

    def __init__(self, scale, minimum, argument="scale"):
        check_choice(argument, scale, (*SCALES, "decoder"))
        self._argument, self._scale = argument, scale
        self._minimum = checked_floor(minimum, f"min_{self.weight_name}")
        for name, value in self.get_config().items():
            setattr(self, name, value)
        setattr(self, self.weight_name, 0.0)

    @property
    def num_parameters(self):
        return 2 if self._scale == "decoder" else 1

    def add_weights(self, model, image_shape):
        if self._scale == "decoder":
            return
        if self._scale == "channel":
            check_channels_last(f'`{self._argument}="channel"`')
        shape = {"scalar": (), "channel": image_shape[-1:], "full": image_shape}[self._scale]
        weight = add_log_std(model, shape, self._minimum, self.weight_name)
        setattr(self, self.weight_name, weight)

    def parameters(self, prediction):
        """The locations and the logarithms of the second parameter, float32 or wider."""
        prediction = as_floats(prediction=prediction)
        if self._scale != "decoder":
            return prediction, ops.cast(self._learnt(), prediction.dtype)
        if not len(prediction.shape) or prediction.shape[-1] % 2:
            raise ValueError(
                "`prediction` must have an even number of channels: the locations, then the "
                f"logarithms. Received: prediction.shape={tuple(prediction.shape)}"
            )
        location, log = ops.split(prediction, 2, axis=-1)
        return location, floored(log, self._minimum)

    def _with_parameters(self, x, prediction):
        """`x` and the parameters, all float32 or wider."""
        location, log = self.parameters(prediction)
        x, location, log = as_floats(x=x, location=location, log=log)
        check_same_shape("x", x, "prediction", location)
        return x, location, log

    def logged(self):
        if self._scale == "decoder":
            return {}
        return {self.weight_name: ops.mean(self._learnt())}

    def _learnt(self):
        return floored(getattr(self, self.weight_name), self._minimum)

    def get_config(self):
        return {self._argument: self._scale, f"min_{self.weight_name}": self._minimum}
