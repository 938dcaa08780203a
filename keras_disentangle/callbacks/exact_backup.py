"""Resumes a training run that was killed as if it had never been interrupted."""

import functools
import random
import warnings

import keras
import numpy as np

from keras_disentangle._arguments import check_int, check_path
from keras_disentangle._keras_graph import begin_at
from keras_disentangle.callbacks._backup_calls import CallList, skip_batches
from keras_disentangle.callbacks._backup_data import check_epochs, check_rereadable
from keras_disentangle.callbacks._backup_folder import BackupFolder
from keras_disentangle.callbacks._backup_header import FORMAT, check_header, check_run
from keras_disentangle.callbacks._backup_memory import CallbackMemory
from keras_disentangle.callbacks._backup_settings import check_settings, settings
from keras_disentangle.callbacks._backup_state import (
    as_array,
    as_tuple,
    check_model,
    counter,
    restore,
    signatures,
    state_variables,
)
from keras_disentangle.schedules import read
from keras_disentangle.trainers._backend import backend


class ExactBackup(keras.callbacks.Callback):
    """Backs up a training run, so that the same script, run again, ends with the same weights.

    A backup holds all variables of the model (weights, step, ramps, moving averages, the states of
    its seed generators), of its optimizer and of its metrics, the epoch *and* the batch within it,
    the position in the data, the history, the state of the other callbacks, and the states of
    Python's and NumPy's global random generators. When `fit` begins and `path` holds a backup, the
    run resumes from it: the history and all variables are bit for bit those of an uninterrupted
    run. The batches of the epoch that were already trained on are drawn again but skipped, and no
    other callback is called for them. A run that had ended, even early by a callback, ends at once;
    with more `epochs` it continues.

    A backup is one file, which appears only once it is complete and on the disk; the two newest are
    kept. If the newest is damaged or cannot be read, the previous one is used, with a warning. A
    state that is not finite is never saved. A folder serves one call of `fit`, and one process at a
    time. If a backup cannot be written, as on a full disk, training continues with a warning,
    earlier backups are left as they are, and the next one is tried when it is due.

    **Other callbacks** may stand before or after this one in the list. The whole state of Keras's
    own callbacks is kept: best values and weights, counters, whether averages are swapped in; rows
    that were written to the file of a `CSVLogger` after the backup are removed. Of any other
    callback, the attributes that change during training are kept, if they are numbers, texts,
    arrays, tensors, Keras variables, metrics or layers, random generators, or lists, sets, dicts
    and dataclasses of these. State that lies elsewhere (in a closure, in a file) is not seen. A
    callback can define its state itself by two methods:

    - `get_backup_state()` returns its state: such values, for example a dict; or `None`;
    - `set_backup_state(state)` receives it when the run resumes, after `on_train_begin` and before
      the first batch. Arrays come back as arrays.

    A callback without them that holds anything else, such as an open file, is refused by name. A
    callback that does not influence training may declare so by the attribute
    `only_looks_on = True` (on the class, or on an object of a class that someone else wrote): any
    state that cannot be kept is then left out, and the callback may be added, removed or changed
    before the run resumes. The callbacks of this library that draw, measure and log are of this
    kind.

    **A changed run is refused.** A backup records the configurations of the model and of its
    `compile` (where the model has `get_config`), the arguments of the callbacks (functions by their
    names), the settings of the data and digests of some of its images; an error names each
    difference. Paths, `verbose` and `epochs` may change. The size of the batches into which a plain
    `keras.Model` cuts arrays is compared only through their number.

    A model with attributes that depend on the values of its variables may have a method
    `restored()`, which is called whenever the variables were restored.

    Of several processes that train together, the first writes the backups and all read them, so
    the folder must be one that all can reach; give all the same seed by
    `keras.utils.set_random_seed`. Settings of the data are compared in the first process alone.

    The global random generators of Keras and of the backends (used by a layer that draws without a
    `SeedGenerator`) are not kept. If an optimizer has `use_ema`, the end of `fit` replaces the
    weights by their averages, and training with more `epochs` starts from these. On several
    replicas of TensorFlow, the sums of metrics are saved as one: if an epoch is resumed in the
    middle, its means in the history may differ in the last digit; the weights do not. Logs for
    TensorBoard that were written after the backup are written again, with equal numbers.

    Data must be re-iterable, and so must be one of:

    - batches of `image_batches`, `stream_images` (what was trained on is not read again) or a
      `FactorDataset`, or any `keras.utils.PyDataset` whose batches depend only on its attribute
      `epoch` and on their index;
    - another `PyDataset`, a `tf.data.Dataset` or a torch `DataLoader` that gives the same batches
      in the same order in each pass (the order in which `fit` shuffles the batches of a
      `PyDataset` is kept);
    - arrays of NumPy or in a file (a memory map, a data set of h5py): the order in which the `fit`
      of this library's models shuffles them is kept;
    - tensors, or arrays given to a plain `keras.Model`, with `fit(shuffle=False)`.

    Validation data must give the same batches each time, as arrays do.

    Args:
        path: folder of the backups.
        save_freq: `"epoch"`, or a number of batches >= 1 between two backups, counted across
            epochs. The end of training is always saved.
        data: the `x` given to `fit`. It can be left out for the models of this library, but not
            for a plain `keras.Model`.

    Raises:
        ValueError: when made, if `save_freq` is neither of the two or `data` cannot be read again
            in the same order (a generator, tensors that are shuffled, several workers); when
            training begins, if `path` cannot be written to, is in use by another process or holds
            only damaged backups, if the data is not known or is cut by `steps_per_epoch`, if the
            state of a callback cannot be kept, if the backup is of another model, optimizer,
            backend, length of epochs or setting, or is past `epochs`; when the first epoch begins,
            if `initial_epoch` is not that of the backup; during training, if the model is no longer
            finite (the message names the last good backup).

    Example:

    >>> batches = kd.datasets.image_batches(images, batch_size=16, seed=0)
    >>> model.fit(batches, epochs=30, callbacks=[ExactBackup("backups", save_freq=1000)])

    A user-defined callback that holds a file:

    >>> class Diary(keras.callbacks.Callback):
    ...     def on_train_begin(self, logs=None):
    ...         self.file = open("diary.txt", "a")
    ...
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs, file=self.file, flush=True)
    ...
    ...     def get_backup_state(self):
    ...         return {"length": self.file.tell()}
    ...
    ...     def set_backup_state(self, state):
    ...         self.file.truncate(state["length"])
    """

    def __init__(self, path, save_freq="epoch", data=None):
        super().__init__()
        if save_freq != "epoch":
            try:
                save_freq = check_int("save_freq", save_freq)
            except ValueError:
                raise ValueError(
                    '`save_freq` must be "epoch" or an integer >= 1. '
                    f"Received: save_freq={save_freq!r}"
                ) from None
        self.path = check_path("path", path)
        self.save_freq = save_freq
        self.data = None
        self._folder = BackupFolder(self.path)
        self._backup = None
        if data is not None:
            self.set_data(data, shuffle=False)

    def set_data(self, x, shuffle):
        """Called by a model's `fit` with its own arguments, before training begins.

        Raises:
            ValueError: if `x` cannot be read again in the same order.
        """
        check_rereadable(x, shuffle)
        self.data = x

    def set_params(self, params):
        super().set_params(params)
        # Before training begins for any callback, such as a `CSVLogger`, which empties its file.
        self._folder.open()

    def on_train_begin(self, logs=None):
        try:
            self._begin()
        except BaseException:
            self._folder.close()
            raise

    def _begin(self):
        model = self.model
        count, _ = backend.processes_of_run()
        if count > 1 and keras.backend.backend() == "tensorflow":
            raise ValueError(
                "`callbacks` must be without `ExactBackup` under `MultiWorkerMirroredStrategy`, "
                f"whose data cannot be read to their place. Received: {count} workers"
            )
        check_epochs(self.data, self.params["steps"])
        self._steps_per_call = model.steps_per_execution
        self._epoch = None
        self._unsaved = 0
        self._logs = {}
        self._callbacks = CallList(self)
        self._memory = CallbackMemory(self._callbacks.all, self, state_variables(model))
        self._memory.begin(self._memory.before)
        self._settings = settings(model, self.data, self._memory.before + self._memory.after)
        self._first_count = read(counter(model))
        self._backup = self._folder.read()
        if self._backup is None:
            return
        state, _ = self._backup
        file = self._folder.newest
        check_header(state, file)
        check_run(state, file, model, self.params)
        moved = state["first_count"] != self._first_count
        expected = state["settings"]
        if not self._folder.writes:  # It holds those of the first process, with its own data.
            own = {k: v for k, v in self._settings.items() if k.startswith("data")}
            expected = {**expected, **own}
        check_settings(self._settings, expected, file, moved)
        self._restore(metrics=False)
        if state["batch"]:
            # Rewind the step counter while batches already seen are skipped.
            counter(model).assign(state["first_step"])
        if hasattr(self.data, "epoch"):
            self.data.epoch = state["data_epoch"]
        if hasattr(self.data, "skip_to"):  # A stream: what was trained on is not read again.
            self.data.skip_to(state["batch"])
        nothing_left = state["epoch"] == self.params["epochs"]
        ended = state["stopped"] and state["epochs"] == self.params["epochs"]
        if nothing_left or state["ended"]:
            self._remember(self._memory.before)
        begin_at(model, self.params["epochs"] if ended else state["epoch"])

    def on_epoch_begin(self, epoch, logs=None):
        if self._epoch is None:
            self._memory.begin(self._memory.after)
        if self._backup is None:
            due = self.save_freq == "epoch" or self._unsaved >= self.save_freq
            save = due and self._epoch is not None
            self._begin_epoch(epoch)
            if save:
                self._save(batch=0)
            return
        state, _ = self._backup
        if epoch != state["epoch"]:
            raise ValueError(
                f"`initial_epoch` must be left out or {state['epoch']}, the epoch saved in "
                f"{self._folder.newest}. Received: initial_epoch={epoch}"
            )
        begin_at(self.model, None)
        random.setstate(as_tuple(state["random"]))
        np.random.set_state(state["numpy_random"])
        if state["ended"]:
            # As in a run without a stop: callbacks before this one have begun the epoch by now.
            self._remember(self._memory.after)
            self._backup = None
        elif state["batch"] == 0:
            # Callbacks before this one were called at this state, those after it were not.
            self._restore(metrics=False)
            self._remember()
            self._backup = None
        else:
            self._callbacks.mute()
        self._begin_epoch(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        # Not at the end of a batch: there, Keras would wait for the logs of each. And
        # `self.model` is avoided in most batches, because on JAX it fetches the whole state.
        if self._backup is not None:
            state, _ = self._backup
            if batch < state["batch"]:
                # Assigned once the last ones are drawn: the data may end before.
                is_last = batch + self._steps_per_call >= state["batch"]
                at_last = functools.partial(self._restore, metrics=True) if is_last else None
                skip_batches(self.model, state, self._steps_per_call, batch == 0, at_last)
                return
            self._callbacks.unmute()
            for callback in self._memory.before:
                callback.on_train_batch_begin(batch, logs)
            self._restore(metrics=True)
            self._remember()
            self._backup = None
            for callback in self._memory.after:
                callback.on_train_batch_begin(batch, logs)
        elif self.save_freq != "epoch" and self._unsaved >= self.save_freq:
            self._save(batch)
        self._unsaved += self._steps_per_call

    def on_epoch_end(self, epoch, logs=None):
        self._logs = {k: v for k, v in (logs or {}).items() if not k.startswith("val_")}
        if self._backup is not None and not self.model.stop_training:
            self._callbacks.unmute()
            raise ValueError(
                "`data` must be the same as in the run so far. Received: data that ends before "
                f"batch {self._backup[0]['batch']} of the epoch, where {self._folder.newest} was "
                "made"
            )

    def on_train_end(self, logs=None):
        if self._backup is None:
            if self._epoch is not None:
                self._begin_epoch(self._epoch + 1)
                self._save(batch=0, ended=True)
        elif self._epoch is None:  # No epoch was left to train.
            begin_at(self.model, None)
            self._restore(metrics=False)
            self._remember(self._memory.after)
        self._backup = None
        self._folder.close()

    @property
    def _good(self):
        file = self._folder.newest
        return f"the newest backup is {file}" if file else "there is no backup"

    def _begin_epoch(self, epoch):
        self._epoch = epoch
        self._first_step = read(counter(self.model))
        self._random = random.getstate(), np.random.get_state()

    def _save(self, batch, ended=False):
        model = self.model
        variables = state_variables(model)
        # When an epoch begins they have just been reset, or do not exist yet.
        metrics = model.metrics_variables if batch else []
        arrays = [as_array(variable) for variable in (*variables, *metrics)]
        logs = self._logs
        if batch:
            logs = {k: as_array(v).tolist() for k, v in model.get_metrics_result().items()}
        check_model(model, logs, variables, arrays, self._good)
        self._callbacks.wait()
        remembered = []
        state = {
            "format": FORMAT,
            "backend": keras.backend.backend(),
            "optimizer": type(model.optimizer).__name__,
            "variables": signatures(variables),
            "metrics": signatures(metrics),
            "settings": self._settings,
            "first_count": self._first_count,
            "epoch": self._epoch,
            "batch": batch,
            "steps": self.params["steps"],
            "epochs": self.params["epochs"],
            "ended": ended,
            "stopped": ended and bool(model.stop_training),
            "first_step": self._first_step,
            "logs": logs if batch else {},
            "memory": self._memory.collect(remembered),
            "random": self._random[0],
            "numpy_random": self._random[1],
            "data_epoch": getattr(self.data, "epoch", None),
        }
        self._unsaved = 0
        try:
            self._folder.write(state, arrays + remembered)
        except OSError as error:
            warnings.warn(
                f"No backup could be written to {self.path}: {error}. Training continues; "
                f"{self._good}",
                stacklevel=2,
            )

    def _restore(self, metrics):
        restore(self.model, *self._backup, self._folder.newest, metrics)

    def _remember(self, callbacks=None):
        """Restores the state of the other callbacks, or of some of them."""
        state, arrays = self._backup
        if callbacks is None:
            callbacks = self._memory.before + self._memory.after
        arrays = arrays[len(state["variables"]) + len(state["metrics"]) :]
        self._memory.restore(callbacks, state["memory"], arrays, self._folder.newest)
