"""Lets the rungs of a progressive ladder VAE join one after another."""

import keras


class ProgressiveFadeIn(keras.callbacks.Callback):
    """Writes the `alpha_l` ramps of a `ProgressiveLadderVAE` when `fit` begins.

    Stage s = 0 ... L - 1 lasts `steps_per_stage` steps; at the start of stage s >= 1 rung
    l = L - s joins and its alpha goes from 0 to 1 within `fade_steps`. If the model already holds
    this schedule (a resumed run), it is left as it is.

    Args:
        epochs_per_stage: length of a stage in epochs, >= 1, or
        steps_per_stage: in training steps, >= 1. Exactly one of the two.
        fade_steps: training steps from alpha = 0 to 1, at most a stage's (5,000 in the paper);
            0 switches the fade-in off.

    Raises:
        ValueError: when made, if an argument is out of range; when training begins, if the model
            has no rungs to fade in, a fade is longer than its stage, or all the stages are longer
            than the training.

    Reference: Li et al., 2020, section 3.3.
    """

    def __init__(self, epochs_per_stage=None, steps_per_stage=None, fade_steps=5000):
        super().__init__()
        if (epochs_per_stage is None) == (steps_per_stage is None):
            raise ValueError(
                "Exactly one of `epochs_per_stage` and `steps_per_stage` must be given. Received: "
                f"epochs_per_stage={epochs_per_stage}, steps_per_stage={steps_per_stage}"
            )
        for name, value, least in (
            ("epochs_per_stage", epochs_per_stage, 1),
            ("steps_per_stage", steps_per_stage, 1),
            ("fade_steps", fade_steps, 0),
        ):
            if value is not None and (int(value) != value or value < least):
                raise ValueError(
                    f"`{name}` must be an integer >= {least}. Received: {name}={value}"
                )
        self.epochs_per_stage = epochs_per_stage
        self.steps_per_stage = steps_per_stage
        self.fade_steps = fade_steps

    def on_train_begin(self, logs=None):
        levels = range(getattr(self.model, "num_rungs", 1) - 1, 0, -1)
        ramps = getattr(self.model, "ramps", {})
        if not levels or any(f"alpha_{level}" not in ramps for level in levels):
            raise ValueError(
                "`ProgressiveFadeIn` needs a ladder model with at least two rungs and the ramps "
                f"alpha_1 ... alpha_(L-1). Received: ramps={sorted(ramps)}"
            )
        length = self._stage_length()
        if self.fade_steps > length:
            raise ValueError(
                f"`fade_steps` must be at most the length of a stage, {length} steps. "
                f"Received: fade_steps={self.fade_steps}"
            )
        ramps = [ramps[f"alpha_{level}"] for level in levels]
        if self._is_set(ramps, length):
            first_step = int(ramps[0].first_step) - length
        else:
            first_step = int(self.model.step)
        self._check_training_length(first_step, length * (len(ramps) + 1))
        for stage, ramp in enumerate(ramps, start=1):
            ramp.set(0.0, 1.0, first_step + stage * length, self.fade_steps)

    def _is_set(self, ramps, length):
        starts = [int(ramp.first_step) for ramp in ramps]
        evenly = all(b - a == length for a, b in zip(starts, starts[1:], strict=False))
        return evenly and all(ramp.holds(1.0, self.fade_steps, 0.0) for ramp in ramps)

    def _stage_length(self):
        if self.steps_per_stage is not None:
            return int(self.steps_per_stage)
        if not self.params.get("steps"):
            raise ValueError(
                "`epochs_per_stage` needs data of known length. Received: a data set without one; "
                "give `steps_per_stage` instead"
            )
        return int(self.epochs_per_stage) * self.params["steps"]

    def _check_training_length(self, first_step, needed):
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        if steps and epochs and first_step + needed > max(int(self.model.step), 0) + steps * epochs:
            raise ValueError(
                f"All stages together take {needed} steps from step {first_step} on, more than "
                f"this training has: {epochs} epochs of {steps} steps. Train longer, or make the "
                "stages shorter"
            )
