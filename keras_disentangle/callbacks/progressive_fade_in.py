"""Adds the rungs of a progressive ladder VAE one after another."""

import keras

from keras_disentangle._arguments import check_int
from keras_disentangle.schedules import read


class ProgressiveFadeIn(keras.callbacks.Callback):
    """Sets the `alpha_l` ramps of a `ProgressiveLadderVAE` when `fit` begins.

    Stage s = 0 ... L - 1 lasts `steps_per_stage` steps; at the start of stage s >= 1 rung
    l = L - s joins and its alpha rises from 0 to 1 within `fade_steps`. If the model already has
    this schedule (a resumed or a finished run), it continues; with any other, growth starts again.

    Args:
        epochs_per_stage: length of a stage in epochs, >= 1, or
        steps_per_stage: its length in training steps, >= 1. Give exactly one of the two.
        fade_steps: training steps from alpha = 0 to 1, at most the length of a stage (5,000 in the
            paper); 0 switches the fade-in off.

    Raises:
        ValueError: when made, if an argument is out of range; when training begins, if the model
            has no rungs to fade in, a fade is longer than its stage, or all the stages together are
            longer than the training run.

    Example:

    >>> data = kd.datasets.DSprites(image_size=32)
    >>> images = data.images(range(64))
    >>> model = kd.applications.ProVLAE(image_shape=data.image_shape)
    >>> model.compile("adam")
    >>> fade_in = ProgressiveFadeIn(epochs_per_stage=1, fade_steps=2)
    >>> model.fit(images / 255.0, epochs=3, callbacks=[fade_in])

    Reference: Li et al., 2020, section 3.3.
    """

    def __init__(self, epochs_per_stage=None, steps_per_stage=None, fade_steps=5000):
        super().__init__()
        if (epochs_per_stage is None) == (steps_per_stage is None):
            raise ValueError(
                "Exactly one of `epochs_per_stage` and `steps_per_stage` must be given. Received: "
                f"epochs_per_stage={epochs_per_stage}, steps_per_stage={steps_per_stage}"
            )
        if steps_per_stage is not None:
            steps_per_stage = check_int("steps_per_stage", steps_per_stage)
        else:
            epochs_per_stage = check_int("epochs_per_stage", epochs_per_stage)
        self.epochs_per_stage = epochs_per_stage
        self.steps_per_stage = steps_per_stage
        self.fade_steps = check_int("fade_steps", fade_steps, minimum=0)
        self._last_step = None

    def on_train_begin(self, logs=None):
        ramps = getattr(self.model, "ramps", {})
        levels = sorted(int(name[6:]) for name in ramps if name.startswith("alpha_"))
        if not levels:
            raise ValueError(
                "`ProgressiveFadeIn` needs a model with ramps alpha_1 ... alpha_(L-1). "
                f"Received: a model with the ramps {sorted(ramps)}"
            )
        ramps = [ramps[f"alpha_{level}"] for level in reversed(levels)]
        length = self._stage_length()
        if self.fade_steps > length:
            raise ValueError(
                f"`fade_steps` must be at most the length of a stage, {length} steps. "
                f"Received: fade_steps={self.fade_steps}"
            )
        step = read(self.model.step)
        first_step = read(ramps[0].first_step) - length
        if not (0 <= first_step <= step and self._is_set(ramps, length)):
            first_step = step
        self._last_step = first_step + length * (len(ramps) + 1)
        self._check_training_length(epoch=0)
        for stage, ramp in enumerate(ramps, start=1):
            ramp.set(0.0, 1.0, first_step + stage * length, self.fade_steps)

    def on_epoch_begin(self, epoch, logs=None):
        # Only here is it known how many epochs of a resumed run are left.
        if self._last_step is not None:
            self._check_training_length(epoch)
            self._last_step = None

    def get_backup_state(self):
        """For `ExactBackup`: none, because the ramps are saved with the model."""
        return None

    def _is_set(self, ramps, length):
        starts = [read(ramp.first_step) for ramp in ramps]
        evenly = all(b - a == length for a, b in zip(starts, starts[1:], strict=False))
        return evenly and all(ramp.holds(1.0, self.fade_steps, 0.0) for ramp in ramps)

    def _stage_length(self):
        if self.steps_per_stage is not None:
            return self.steps_per_stage
        if not self.params.get("steps"):
            raise ValueError(
                "`epochs_per_stage` needs data of known length. Received: a data set without one; "
                "give `steps_per_stage` instead"
            )
        return self.epochs_per_stage * self.params["steps"]

    def _check_training_length(self, epoch):
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        step = read(self.model.step)
        if steps and epochs and self._last_step > step + steps * (epochs - epoch):
            name = "steps_per_stage" if self.steps_per_stage is not None else "epochs_per_stage"
            raise ValueError(
                f"`{name}` must let all stages end within the training run, at step "
                f"{step + steps * (epochs - epoch)}. Received: {name}={getattr(self, name)}, with "
                f"which the last stage ends at step {self._last_step} "
                f"({epochs - epoch} epochs of {steps} steps are left)"
            )
