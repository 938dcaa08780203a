"""The base of the callbacks that only watch a training run: none of them costs it its results.

One that cannot work raises an error when training begins, not at its first due epoch; one that can
no longer write, as on a full disk, warns once, and training continues.
"""

import contextlib
import warnings

import keras

from keras_disentangle._unmoved import unmoved
from keras_disentangle.trainers._backend import backend


class WatchingCallback(keras.callbacks.Callback):
    """Base of callbacks that look at a model and write files, or add to the logs.

    A subclass does in `_try` the smallest part of its work that shows whether it can do all of it,
    and writes files within `with self._writing():`, if it `_writes`.
    """

    only_looks_on = True  # for `ExactBackup`: training gives the same results without it
    _write_failed = False
    _failures = OSError  # the errors that `_writing` turns into a warning

    def _try(self):
        """Raises an error if the callback cannot work; writes nothing."""

    def get_backup_state(self):
        """The state that a resumed training run needs: here, none."""
        return None

    def on_train_begin(self, logs=None):
        self._write_failed = False
        with unmoved(self.model):
            try:
                self._try()
            except ValueError:
                raise
            except Exception as error:
                # A backend's own errors, and those of a model with another signature.
                raise ValueError(
                    f"`{type(self).__name__}` cannot work with this model and data. "
                    f"Received: {self.model!r}, which fails with "
                    f"{type(error).__name__}: {error}"
                ) from error

    def _check_model(self, needed, circumstance=""):
        """Raises a ValueError unless the model has the attributes that are `needed`.

        Args:
            needed: list of names.
            circumstance: on which argument that depends, to be said in the message.
        """
        missing = [name for name in needed if not hasattr(self.model, name)]
        if missing:
            raise ValueError(
                f"`{type(self).__name__}`{circumstance} needs a model with {needed}. "
                f"Received: {self.model!r}, which lacks {missing}"
            )

    @property
    def _writes(self):
        """Whether this process writes files: of several that train together, the first does."""
        return backend.processes_of_run()[1] == 0

    @contextlib.contextmanager
    def _writing(self):
        """Turns an error in writing into a warning, given once: training matters more."""
        try:
            yield
        except self._failures as error:
            if not self._write_failed:
                self._write_failed = True
                warnings.warn(
                    f"`{type(self).__name__}` could not write, and training continues without it: "
                    f"{type(error).__name__}: {error}",
                    stacklevel=3,
                )
