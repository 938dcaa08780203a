"""One training run, from settings to files, of any application."""

import contextlib
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras

from keras_disentangle._arguments import check_choice, check_int
from keras_disentangle.applications._shared import devices
from keras_disentangle.applications._shared.evaluation import described
from keras_disentangle.applications._shared.files import save_model, write_json, write_pictures
from keras_disentangle.applications._shared.runs import (
    MODEL,
    RESULTS,
    RUN,
    clear,
    finished,
    resumes,
)
from keras_disentangle.callbacks import ExactBackup, TensorBoardScalars
from keras_disentangle.schedules import read


class Clock(keras.callbacks.Callback):
    """Seconds and steps of this process: of a resumed run, those since then.

    Those of several calls of `fit` add up.
    """

    only_looks_on = True  # for `ExactBackup`

    def get_backup_state(self):
        return None

    def __init__(self):
        super().__init__()
        self.steps, self.seconds = 0, 0.0

    def on_train_begin(self, logs=None):
        self._first_step = steps_of(self.model)
        self._begin = time.perf_counter()

    def on_train_end(self, logs=None):
        self.seconds += time.perf_counter() - self._begin
        self.steps += steps_of(self.model) - self._first_step


class EpochScores(keras.callbacks.Callback):
    """Adds the scores (a dict) that a function of the model gives to the logs of some epochs."""

    only_looks_on = True  # for `ExactBackup`

    def __init__(self, every, scores):
        super().__init__()
        self.every, self.scores = every, scores

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            logs.update(self.scores(self.model))


class Beginning(keras.callbacks.Callback):
    """Makes a run's folder ready, once all callbacks before this one have found nothing wrong, and
    says which ramps the training is too short for."""

    only_looks_on = True  # for `ExactBackup`

    def __init__(self, run):
        super().__init__()
        self.run = run

    def get_backup_state(self):
        return None

    def on_train_begin(self, logs=None):
        self.run.begin()
        steps, step = self.params["steps"], steps_of(self.model)
        if steps and devices.is_first() and self.run.verbose != 0:
            last = step + steps * self.params["epochs"]
            if text := cut_ramps(getattr(self.model, "ramps", {}), last):
                print(f"The training ends at step {last:,}, before its ramps: {text}")


def cut_ramps(ramps, last):
    """What is said of the ramps (a dict by name) that have not reached their targets by a step."""
    found = {}
    for name, ramp in ramps.items():
        start, target = read(ramp.start), read(ramp.target)
        end = read(ramp.first_step) + read(ramp.num_steps)
        if end > last and start != target:
            found.setdefault((read(ramp(last)), target, end), []).append(name)
    return "; ".join(
        f"{', '.join(names)} will be {value:.4g}, not {target:.4g} as at step {end:,}"
        for (value, target, end), names in found.items()
    )


def steps_of(model):
    """The training steps that a model, of this library or any other, has had."""
    return read(model.step if hasattr(model, "step") else model.optimizer.iterations)


@dataclass
class Training:
    """What the hooks of an application may want to know of a training run.

    Attributes:
        recipe: its settings.
        variant: which of the application's models is trained.
        data: what the application's `data` gave.
        log_dir: the run's folder.
        results: what will be in `results.json`; hooks may add to it.
        settings: of these what must be equal for the training to be resumed.
        on_device: whether all images are held on the device.
        has_begun: whether the folder is ready.
    """

    application: Any
    recipe: Any
    variant: str
    data: Any
    log_dir: Path
    seed: int
    verbose: Any = "auto"
    clock: Clock = field(default_factory=Clock)
    results: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    on_device: bool = False
    has_begun: bool = False

    def fit(self, model, *args, callbacks=(), log_dir=None, backup="backup", **options):
        """`model.fit` that is logged, timed and resumes where it stopped.

        Args:
            *args, callbacks, **options: of `fit`.
            log_dir: folder of the logs, if it is another one.
            backup: folder of the backup within the run's.

        Raises:
            ValueError: if images cannot be held on the device; as `fit`.
        """
        callbacks = [
            *callbacks,
            Beginning(self),
            TensorBoardScalars(log_dir or self.log_dir),
            # After those that draw: an epoch is not over before its pictures are there.
            ExactBackup(self.log_dir / backup),
            self.clock,
        ]
        x, *args = args
        if self.on_device:
            x = _on_device(x)
        x, options = devices.part(x, options)
        verbose = self.verbose if devices.is_first() else 0
        with self._unmade_if_refused(self.log_dir / backup):
            return model.fit(x, *args, callbacks=callbacks, verbose=verbose, **options)

    def begin(self):
        """Makes the folder ready when first called, unless it holds an unfinished run with the same
        settings. `fit` calls it when nothing can be refused any more.

        Raises:
            ValueError: if it holds an unfinished one with others.
        """
        if self.has_begun:
            return
        self.has_begun = True
        if not devices.is_first() or resumes(self.log_dir, self.settings):
            return
        clear(self.log_dir, self.application.leaves)
        write_json(self.log_dir / RUN, self.settings)

    @contextlib.contextmanager
    def _unmade_if_refused(self, folder):
        """Within, if the training is refused, a folder that is made goes with those around it."""
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            yield
        finally:
            if made and not self.has_begun and devices.is_first():
                shutil.rmtree(made[-1], ignore_errors=True)


def _on_device(x):
    """The batches `x`, whose images are put on the device when training begins."""
    if not hasattr(x, "on_device"):
        _refuse_on_device(f"batches of {type(x).__name__}")
    return x.on_device()


def _refuse_on_device(received):
    raise ValueError(
        "`on_device` must be left out for what is drawn, streamed or divided among processes. "
        f"Received: on_device=True with {received}"
    )


def train(
    application,
    recipe,
    variant,
    log_dir,
    data_dir=None,
    seed=0,
    verbose="auto",
    on_device=False,
):
    """Trains a model by a recipe and writes everything of it into `log_dir`.

    See `Application.train`.
    """
    if on_device and devices.several():
        _refuse_on_device("several processes")
    training = prepared(application, recipe, variant, log_dir, data_dir, seed, verbose)
    training.on_device = on_device
    results = finished(training.log_dir, training.settings)
    if results is not None:
        print(f"{log_dir} is finished; to train again, remove it or take another folder")
        return application.load(training.log_dir / MODEL), results
    resumes(training.log_dir, training.settings)
    model = application.build(training.recipe, variant, seed)
    model = application.fit(model, training)
    training.begin()  # Of what is not trained.
    results = training.results
    results.update(
        steps=steps_of(model),
        seconds=round(training.clock.seconds, 1),
        timed_steps=training.clock.steps,
        # Of what is not trained there is none.
        history=model.history.history if hasattr(model, "history") else {},
    )
    # First of all the model: what follows may fail or be interrupted.
    with devices.saved_once(training.log_dir / MODEL) as path:
        save_model(model, path)
    scores = application.final_scores(model, training)
    if scores is not None:
        results["scores"] = scores
    pictures = application.final_pictures(model, training)
    if devices.is_first():
        write_pictures(training.log_dir / "pictures", pictures)
        # Last: with it a run is finished.
        write_json(training.log_dir / RESULTS, results)
    return model, results


def prepared(application, recipe, variant, log_dir, data_dir=None, seed=0, verbose="auto"):
    """A `Training` with its data, before anything is written.

    Raises:
        ValueError: if the variant, the data or a setting is unknown or out of range.
    """
    check_choice("model", variant, application.variants)
    check_int("seed", seed, 0, 2**32 - 1)  # as Keras takes it
    recipe = application.check(recipe, variant)
    data = application.data(recipe, data_dir)
    training = Training(application, recipe, variant, data, Path(log_dir), seed, verbose)
    training.results = {
        "application": application.name,
        "model": variant,
        "settings": asdict(recipe),
        "seed": seed,
        "backend": keras.backend.backend(),
    }
    application.prepare(training)
    training.settings = dict(training.results)
    return training


def plan(application, recipe, variant, log_dir, data_dir=None, seed=0):
    """What `train` would do, with everything checked and nothing written.

    Returns:
        A dict that JSON can hold.
    """
    training = prepared(application, recipe, variant, log_dir, data_dir, seed)
    is_finished = finished(training.log_dir, training.settings) is not None
    model = application.build(training.recipe, variant, seed)
    return {
        **training.results,
        "data": None if training.data is None else described(training.data),
        "class": None if model is None else type(model).__name__,
        "parameters": None if model is None else model.count_params(),
        "steps": application.steps(training),
        "resumes": not is_finished and resumes(training.log_dir, training.settings),
        "finished": is_finished,
        "log_dir": str(training.log_dir),
        "files": [MODEL, RESULTS, "pictures/", "train/ (TensorBoard)", "backup/"],
    }
