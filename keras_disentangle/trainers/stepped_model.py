"""Models that count their training steps, and whose weights of terms move with that count."""

import keras
import numpy as np

from keras_disentangle.schedules import Ramp, read
from keras_disentangle.trainers.terms import PresentValue, check_finite

RAMP = "ramp_"  # and a ramp's name: the key under which a file holds its four numbers


class SteppedModel(keras.Model):
    """Base of all our models: a step counter, ramps that move with it, and how they are saved.

    A file holds the ramps by their names. So weights can be loaded into a model that has other
    ramps: those that the file does not know keep what they are, the file's others are left out.

    Attributes:
        step: int32 variable, the number of training steps completed.
        ramps: dict from name to `Ramp`; each one's present value is logged under its name.
        ramp_trackers: what logs them.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.step = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            aggregation="only_first_replica",
            name="step",
        )
        self.ramps = {}
        self.ramp_trackers = {}

    def add_ramp(self, name, value):
        """Adds the constant `Ramp` that a callback may set in motion, logged under `name`."""
        self.ramps[name] = _NamedRamp(value, name=name)
        self.ramp_trackers[name] = PresentValue(name=name)

    def track_ramps(self):
        """Logs the ramps' values at the present step."""
        for name, ramp in self.ramps.items():
            self.ramp_trackers[name].update_state(ramp(self.step))

    def check_finite(self):
        """Raises a ValueError if a term of this epoch was not finite: which, and at which step."""
        check_finite(self)

    # Saving

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for name, ramp in self.ramps.items():
            store[RAMP + name] = np.array([read(number) for number in ramp.variables])

    def load_own_variables(self, store):
        given = {key: store[key] for key in store.keys()}
        super().load_own_variables({k: v for k, v in given.items() if not k.startswith(RAMP)})
        for name, ramp in self.ramps.items():
            for variable, number in zip(ramp.variables, given.get(RAMP + name, ()), strict=False):
                variable.assign(number)

    @classmethod
    def from_config(cls, config):
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})


class _NamedRamp(Ramp):
    """A ramp that is saved by its model: Keras would know it by its place among the others."""

    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass
