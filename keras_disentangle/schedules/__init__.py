"""Quantities that change while a model trains."""

from keras_disentangle.schedules.ramp import Ramp, read

__all__ = ["Ramp", "read"]
