"""Grows a progressive GAN stage by stage."""

import keras

from keras_disentangle._arguments import check_int
from keras_disentangle.schedules import read


class ProgressiveGrowth(keras.callbacks.Callback):
    """Takes a `ProgressiveGAN` through its stages while it trains.

    The first stage, of 4×4 pixels, lasts `images_per_stage` images. Each further one fades in
    during `images_per_fade` images and then lasts `images_per_stage` more; the last continues until
    training ends. Images are counted as steps times the batch size, rounded up to whole steps;
    growth happens at exactly that step, also within an epoch. If the model already has this
    schedule (a resumed or a finished run), it continues; with any other, growth starts again in the
    first stage.

    Args:
        images_per_fade: images of a fade-in, >= 0 (600,000 in the paper); 0 switches it off.
        images_per_stage: images of each stage after its fade-in, >= 1.
        reset_optimizer: whether the state of the optimizers is reset at the start and at the end of
            each fade, as in the authors' release. Otherwise the first steps of Adam are too large
            for new layers, because it no longer corrects the bias of its moments.

    Raises:
        ValueError: when made, if an argument is out of range; when training begins, if the model
            has no stages, the batch size is not known (a generator), the stages are longer than
            the training run, or a backup of another schedule was restored.

    Example:

    >>> model = kd.applications.ProgressiveGAN(preset="small")
    >>> adam = keras.optimizers.Adam
    >>> model.compile(generator_optimizer=adam(1e-3), discriminator_optimizer=adam(1e-3))
    >>> growth = ProgressiveGrowth(images_per_fade=8, images_per_stage=8)
    >>> images = kd.datasets.Shapes3D(image_size=32).images(range(32))
    >>> model.fit(images / 255.0, batch_size=8, epochs=2, callbacks=[growth])

    Reference: Karras et al., 2018 (progressive GANs), section 2 and appendix A.1.
    """

    def __init__(self, images_per_fade=600_000, images_per_stage=600_000, reset_optimizer=True):
        super().__init__()
        self.images_per_fade = check_int("images_per_fade", images_per_fade, minimum=0)
        self.images_per_stage = check_int("images_per_stage", images_per_stage)
        if not isinstance(reset_optimizer, bool):
            raise ValueError(
                "`reset_optimizer` must be True or False. "
                f"Received: reset_optimizer={reset_optimizer!r}"
            )
        self.reset_optimizer = reset_optimizer
        self._events = None

    def on_train_begin(self, logs=None):
        model = self.model
        if not hasattr(model, "set_stage"):
            raise ValueError(
                "`ProgressiveGrowth` needs a model that has stages, a `ProgressiveGAN`. "
                f"Received: {model}"
            )
        if model.images_per_step is None:
            raise ValueError(
                "`x` must be data whose batches can be inspected, because images are counted by "
                "the batch size. Received: a generator"
            )
        model.follow_stage()
        self._fade_steps = -(-self.images_per_fade // model.images_per_step)
        self._stage_steps = -(-self.images_per_stage // model.images_per_step)
        self._events = None
        if self._first_step() is None:
            self._check_training_length(0, read(model.step))
            model.set_stage(0)

    def on_epoch_begin(self, epoch, logs=None):
        # A backup may have been restored since training began, which rewinds the step counter to
        # the beginning of its epoch.
        model = self.model
        step = self._epoch_step = read(model.step)
        if self._events is not None:
            return
        model.follow_stage()
        first_step = self._first_step()
        if first_step is None:
            raise ValueError(
                "`images_per_fade` and `images_per_stage` must be the same as in the run that was "
                f"backed up. Received: images_per_fade={self.images_per_fade}, images_per_stage="
                f"{self.images_per_stage}"
            )
        self._check_training_length(epoch, first_step)
        # Events that were due when the last call of the train function began are done.
        done = step - model.steps_per_execution
        self._events = []
        for stage in range(1, model.num_stages):
            start = first_step + self._start(stage)
            if stage > model.stage:
                self._events.append((start, stage))
            if start + self._fade_steps > done and self._fade_steps:
                self._events.append((start + self._fade_steps, None))

    def on_train_batch_begin(self, batch, logs=None):
        # `ExactBackup` has restored the model by now, or will overwrite what is done here.
        while self._events and self._events[0][0] <= self._epoch_step + batch:
            step, stage = self._events.pop(0)
            model = self.model  # On JAX this fetches the state, so that it can be written to.
            if stage is not None:
                model.set_stage(stage, self._fade_steps, step)
            if self.reset_optimizer:
                model.optimizer.reset()

    def get_backup_state(self):
        """For `ExactBackup`: how many events are left; all else is saved with the model."""
        return None if self._events is None else len(self._events)

    def set_backup_state(self, state):
        # Before the first epoch, the events left follow from the model.
        if self._events is not None:
            self._events = self._events[len(self._events) - state :]

    def _start(self, stage):
        """Steps from the beginning of the first stage to that of another."""
        return stage * self._stage_steps + max(stage - 1, 0) * self._fade_steps

    def _first_step(self):
        """The step at which this schedule began, `None` if the model follows another one."""
        model = self.model
        fade, step = model.ramps["fade"], read(model.step)
        if not fade.holds(1.0, self._fade_steps if model.stage else 0, 0.0):
            return None
        first_step = read(fade.first_step) - self._start(model.stage)
        is_last = model.stage == model.num_stages - 1
        next_start = first_step + self._start(model.stage + 1)
        is_late = not is_last and step - next_start >= model.steps_per_execution
        return None if first_step < 0 or is_late else first_step

    def _check_training_length(self, epoch, first_step):
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        if not (steps and epochs):
            return
        end = read(self.model.step) + steps * (epochs - epoch)
        last = first_step + self._start(self.model.num_stages)
        if last > end:
            raise ValueError(
                "`images_per_fade` and `images_per_stage` must let all stages end within the "
                f"training run, at step {end}. Received: images_per_fade={self.images_per_fade}, "
                f"images_per_stage={self.images_per_stage}, with which the last of the "
                f"{self.model.num_stages} stages ends at step {last} ({self.model.images_per_step} "
                "images a step)"
            )
