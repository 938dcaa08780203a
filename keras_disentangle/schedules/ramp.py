"""A training weight that moves linearly with the step counter, computed on the device."""

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_weight


@keras.saving.register_keras_serializable("keras_disentangle")
class Ramp(keras.layers.Layer):
    """A scalar that changes linearly from `start` to `target` within `num_steps` steps.

    `ramp(step)` is evaluated inside the compiled training step, so the value is exact at every
    step, without transfers to the host or retracing, and is saved with the model that owns it.
    Its four numbers are non-trainable variables; `set` writes them.

    Args:
        start: value up to and including step `first_step`.
        target: value from step `first_step + num_steps` on. `None` means `start`: a constant.
        first_step: training step at which the change begins, >= 0.
        num_steps: duration in steps, >= 0; 0 is a jump to `target` at `first_step`.

    Raises:
        ValueError: if a step count is negative, or a value is not a finite number >= 0.

    Example:

    >>> ramp = kd.schedules.Ramp(0.0, 1.0, first_step=100, num_steps=50)
    >>> float(ramp(125))
    0.5
    """

    def __init__(self, start=1.0, target=None, first_step=0, num_steps=0, **kwargs):
        # Step counts reach millions and bfloat16 has 8 bits: never in the compute precision.
        super().__init__(**{**kwargs, "trainable": False, "dtype": "float32"})
        self._allow_non_tensor_positional_args = True  # `ramp(125)`
        target = start if target is None else target
        numbers = _checked(start, target, first_step, num_steps)
        self.start, self.target, self.first_step, self.num_steps = (
            self.add_weight(
                shape=(),
                initializer="zeros",
                dtype=dtype,
                trainable=False,
                autocast=False,
                name=name,
            )
            for name, dtype in (
                ("start", "float32"),
                ("target", "float32"),
                ("first_step", "int32"),
                ("num_steps", "int32"),
            )
        )
        self.built = True
        self._assign(numbers)
        self._initial = numbers

    def set(self, start, target, first_step, num_steps):
        """Writes the four numbers; `start=None` starts from the current value at `first_step`."""
        first_step = check_int("first_step", first_step, minimum=0)
        start = read(self(first_step)) if start is None else start
        self._assign(_checked(start, target, first_step, num_steps))

    def holds(self, target, num_steps, start=None):
        """Whether the ramp already leads to `target` in `num_steps` steps (from `start`)."""
        return (
            _equal(self.target, target)
            and read(self.num_steps) == num_steps
            and (start is None or _equal(self.start, start))
        )

    def call(self, step):
        """The value at `step`, an integer scalar: the number of steps completed so far."""
        step = ops.cast(_as_step(step), "int32")
        done = ops.cast(step - self.first_step, "float32")
        length = ops.cast(ops.maximum(self.num_steps, 1), "float32")
        moving = self.start + (self.target - self.start) * ops.clip(done / length, 0.0, 1.0)
        finished = step >= self.first_step + self.num_steps
        return ops.where(finished, ops.convert_to_tensor(self.target), moving)

    def is_active(self, step):
        """Whether `first_step` has been reached, as a boolean scalar tensor."""
        return ops.cast(_as_step(step), "int32") >= self.first_step

    def get_config(self):
        names = ("start", "target", "first_step", "num_steps")
        return {**super().get_config(), **dict(zip(names, self._initial, strict=True))}

    def _assign(self, numbers):
        variables = (self.start, self.target, self.first_step, self.num_steps)
        for variable, number in zip(variables, numbers, strict=True):
            variable.assign(number)


def read(variable):
    """The value of a scalar variable as a Python number, even if replicas mirror it.

    Example:

    >>> kd.schedules.read(model.step)
    0
    """
    if isinstance(variable, (int, float)):
        return variable
    return ops.convert_to_numpy(ops.convert_to_tensor(variable)).item()


def _as_step(step):
    """A tensor or variable as it is, anything else as an integer >= 0, or a ValueError."""
    if not hasattr(step, "dtype") or isinstance(step, np.generic):
        return check_int("step", step, minimum=0)
    # "torch.int32" is one of the names.
    dtype = str(getattr(step.dtype, "name", step.dtype)).removeprefix("torch.")
    if not dtype.startswith(("bool", "int", "uint", "float", "bfloat")):
        raise ValueError(f"`step` must hold integers. Received: step of type {dtype}")
    return step


def _equal(variable, number):
    return abs(read(variable) - number) <= 1e-6 * max(1.0, abs(number))


def _checked(start, target, first_step, num_steps):
    return (
        check_weight("start", start),
        check_weight("target", target),
        check_int("first_step", first_step, minimum=0),
        check_int("num_steps", num_steps, minimum=0),
    )
