"""Ramps the weight of a term of a model's objective when training begins."""

import keras

from keras_disentangle._arguments import check_int, check_weight
from keras_disentangle.schedules import read


class RampWeight(keras.callbacks.Callback):
    """Ramps `model.ramps[name]` from its present value to `target` when `fit` begins.

    The ramp itself is computed in the compiled step; this callback writes its four numbers once.
    If the model's ramp already leads to `target` within `steps` (a resumed run), it is left
    unchanged, so that the run continues where it stopped.

    Args:
        name: key of `model.ramps`, for example `"beta"`.
        target: the value to reach, >= 0.
        steps: number of training steps in which to reach it, >= 0.
        start: value to start from; `None` means the present one.

    Raises:
        ValueError: when made, if a number is out of range; when training begins, if the model has
            no such ramp (the known names are listed).

    Example:

    >>> model.fit(images, callbacks=[RampWeight("beta", 8.0, steps=20_000)])
    """

    def __init__(self, name, target, steps, start=None):
        super().__init__()
        self.name = name
        self.target = check_weight("target", target)
        self.steps = check_int("steps", steps, minimum=0)
        self.start = None if start is None else check_weight("start", start)

    def on_train_begin(self, logs=None):
        model = self.model
        known = getattr(model, "ramps", {})
        if hasattr(model, "ramp"):  # This library's models name the argument that adds the ramp.
            ramp = model.ramp(self.name)
        elif self.name in known:
            ramp = known[self.name]
        else:
            raise ValueError(
                f"`name` must be one of the model's ramps, {sorted(known)}. "
                f"Received: name={self.name!r}"
            )
        if not ramp.holds(self.target, self.steps, self.start):
            ramp.set(self.start, self.target, read(model.step), self.steps)
