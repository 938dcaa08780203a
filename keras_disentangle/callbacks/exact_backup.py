"""Lets a training run that was killed go on as if it had never stopped."""

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


class ExactBackup(keras.callbacks.Callback):
    """Backs up a run, so that the same script, started again, ends with the same weights.

    Saved are all variables of the model (weights, step, ramps, moving averages, the states of its
    seed generators), of its optimizer and of its metrics, the epoch *and* the batch within it, the
    place in the data, the history, what the other callbacks remember, and the states of Python's
    and NumPy's global generators. When `fit` begins and `path` holds a backup, the run goes on from
    there: every number of it, and of the history, is bit for bit that of a run that was never
    stopped. The batches of the epoch that it had seen are drawn again but not trained on, and no
    other callback is called for them. A run that had ended, be it by a callback's wish, ends at
    once; with more `epochs` it goes on.

    A backup is one file, which takes its place at once when it is whole and on the disk; the two
    newest are kept. If the newest is damaged or cannot be read, the one before is taken, with a
    warning. A state that is not finite is never saved. One folder is for one call of `fit`, and for
    one process at a time. If a backup cannot be written, as on a full disk, training goes on with a
    warning, the backups before are left as they are, and the next one is tried when it is due.

    **Other callbacks** may stand before this one or after it. Of Keras's own everything is kept
    that matters: best values and weights, counters, whether averages are swapped in; the file of a
    `CSVLogger` loses the rows that were written after the backup. Of any other callback the
    attributes are kept that change while training, if they are numbers, texts, arrays, tensors,
    Keras variables, metrics or layers, random generators, or lists, sets, dicts and dataclasses of
    these. What lies elsewhere (in a closure, in a file of its own) is not seen. A callback that
    knows better has two methods:

    - `get_backup_state()` gives what it remembers: such values, for example a dict; or `None`;
    - `set_backup_state(state)` gets it back, as arrays where there were arrays, after
      `on_train_begin` and before the first batch.

    A callback with neither that holds anything else, such as an open file, is refused by name. One
    that only looks on may say so by an attribute, `only_looks_on = True` (set on the class, or on a
    callback that someone else wrote): then what of it cannot be kept is not, and it may come, go
    and change while the run is stopped. The callbacks of this library that draw, measure and log
    are of this kind.

    **A changed run is refused.** A backup holds the configuration of the model and of what it was
    compiled with (where the model has `get_config`), the arguments of the callbacks (functions by
    their names), and of the data what it was made with and a look at its images; an error says what
    was changed. Paths and `verbose` may change, and `epochs`. The size of the batches into which
    a plain `keras.Model` cuts arrays shows only in their number.

    A model that keeps, outside of its variables, what follows from them may have a method
    `restored()`, which is called whenever the backup has written them.

    Not kept are the random generators that belong to Keras and the backends (of a layer that draws
    without a `SeedGenerator`). Where an optimizer has `use_ema`, the end of `fit` puts its averages
    in the weights' place, and more `epochs` set out from these. Where TensorFlow trains on several
    replicas, their sums are kept as one: the history's means of an epoch that was resumed in its
    midst may differ in the last digit, the weights do not. Logs for TensorBoard that were written
    after the backup are written once more, with equal numbers.

    Data must be read again from its start, and so must be one of:

    - batches of `image_batches` or of a `FactorDataset`, or any `keras.utils.PyDataset` whose
      batches depend on its attribute `epoch` and their number alone;
    - another `PyDataset`, a `tf.data.Dataset` or a torch `DataLoader` that gives the same batches
      in the same order each time it is gone through (the order in which `fit` shuffles the batches
      of a `PyDataset` is kept);
    - arrays of NumPy or in a file (a memory map, a data set of h5py): the order in which the `fit`
      of this library's models shuffles them is kept;
    - tensors, and arrays that a plain `keras.Model` gets, with `fit(shuffle=False)`.

    Validation data must give the same batches each time, as arrays do.

    Args:
        path: folder of the backups.
        save_freq: `"epoch"`, or a number of batches >= 1, counted on from epoch to epoch. The end
            of training is saved in any case.
        data: the `x` that `fit` gets. The models of this library tell it by themselves; a plain
            `keras.Model` does not.

    Raises:
        ValueError: when made, if `save_freq` is neither of the two or `data` cannot be read again
            in the same order (a generator, tensors that are shuffled, several workers); when
            training begins, if `path` cannot be written to, is in use by another process or holds
            damaged backups only, if the data is not known or cut by `steps_per_epoch`, if a
            callback remembers what cannot be kept, if the backup is of another model, optimizer,
            backend, length of epochs or setting, or past `epochs`; while training, if the model
            is no longer finite (the message says which backup is good).

    Example:

    >>> batches = kd.datasets.image_batches(images, batch_size=16, seed=0)
    >>> model.fit(batches, epochs=30, callbacks=[ExactBackup("backups", save_freq=1000)])

    A callback of one's own that holds a file:

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
        check_settings(self._settings, state["settings"], file, moved)
        self._restore(metrics=False)
        if state["batch"]:
            # Until the batches are made up for, the time is that at which the epoch began.
            counter(model).assign(state["first_step"])
        if hasattr(self.data, "epoch"):
            self.data.epoch = state["data_epoch"]
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
                f"`initial_epoch` must be left out or {state['epoch']}, the epoch at which "
                f"{self._folder.newest} was made. Received: initial_epoch={epoch}"
            )
        begin_at(self.model, None)
        random.setstate(as_tuple(state["random"]))
        np.random.set_state(state["numpy_random"])
        if state["ended"]:
            # As when training went on: those before this one have begun the epoch by now.
            self._remember(self._memory.after)
            self._backup = None
        elif state["batch"] == 0:
            # Callbacks before this one have had their turn at this state, those after it have not.
            self._restore(metrics=False)
            self._remember()
            self._backup = None
        else:
            self._callbacks.mute()
        self._begin_epoch(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        # Not at the end of a batch: there, Keras would wait for the logs of each. And
        # `self.model` is avoided in most batches, for on JAX it fetches the whole state.
        if self._backup is not None:
            state, _ = self._backup
            if batch < state["batch"]:
                # Assigned once the last are drawn: the data may turn out to be at its end.
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
                "`data` must be that of the run so far. Received: data that ends before batch "
                f"{self._backup[0]['batch']} of the epoch, where {self._folder.newest} was made"
            )

    def on_train_end(self, logs=None):
        if self._backup is None:
            if self._epoch is not None:
                self._begin_epoch(self._epoch + 1)
                self._save(batch=0, ended=True)
        elif self._epoch is None:  # There was nothing left to train.
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
        # When an epoch begins they have just been set to zero, or are not made yet.
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
                f"No backup could be written to {self.path}: {error}. Training goes on; "
                f"{self._good}",
                stacklevel=2,
            )

    def _restore(self, metrics):
        restore(self.model, *self._backup, self._folder.newest, metrics)

    def _remember(self, callbacks=None):
        """Gives the other callbacks, or some of them, their memory of the backup."""
        state, arrays = self._backup
        if callbacks is None:
            callbacks = self._memory.before + self._memory.after
        arrays = arrays[len(state["variables"]) + len(state["metrics"]) :]
        self._memory.restore(callbacks, state["memory"], arrays, self._folder.newest)
