"""Quantities that change while a model trains."""

from keras_disentangle.schedules.ramp import Ramp

__all__ = ["Ramp"]
