"""What the callbacks that draw have in common: when they draw, and where the pictures go."""

import os

import keras
import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle.schedules import read
from keras_disentangle.visualization._pixels import as_uint8
from keras_disentangle.visualization.enlarge import enlarge
from keras_disentangle.visualization.event_writer import EventWriter
from keras_disentangle.visualization.save_gif import save_gif
from keras_disentangle.visualization.save_png import save_png


class PictureCallback(keras.callbacks.Callback):
    """Draws after every `every` epochs, after the last, and moving pictures when training ends.

    A subclass says what: `_pictures()` and `_frames()`.

    Args:
        log_dir: Folder of the logs. The pictures go to `pictures` in it.
        every: Number of epochs from picture to picture.

    Raises:
        ValueError: If `every` is too small or `log_dir` is a file.
    """

    def __init__(self, log_dir, every):
        super().__init__()
        self.every = check_int("every", every)
        # The writer looks only at its own folder.
        if os.path.isfile(log_dir):
            raise ValueError(f"`log_dir` must be a folder, not a file. Received: {log_dir}")
        self.log_dir = os.fspath(log_dir)
        self._folder = os.path.join(self.log_dir, "pictures")
        self._writer = EventWriter(self._folder)
        self._epoch = self._drawn = None

    def _pictures(self):
        """A dict of names to uint8 arrays (H, W, c)."""
        raise NotImplementedError

    def _frames(self):
        """A dict of names to lists of such arrays."""
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        self._epoch = self._drawn = None

    def on_epoch_end(self, epoch, logs=None):
        self._epoch = epoch + 1
        if self._epoch % self.every == 0:
            self._draw()

    def on_train_end(self, logs=None):
        if self._epoch is None:  # nothing was trained
            return
        if self._drawn != self._epoch:
            self._draw()
        for name, frames in self._frames().items():
            save_gif(os.path.join(self._folder, f"{name}.gif"), frames)
        self._writer.close()

    def _check_model(self, needed, argument, given):
        """Raises unless the model has what is needed with, or without, an argument."""
        missing = [name for name in needed if not hasattr(self.model, name)]
        if missing:
            raise ValueError(
                f"`{type(self).__name__}` {'with' if given else 'without'} `{argument}` needs a "
                f"model with {needed}. Received: {self.model!r}, which lacks {missing}"
            )

    def _draw(self):
        step = read(getattr(self.model, "step", self._epoch))
        for name, picture in self._pictures().items():
            save_png(os.path.join(self._folder, f"epoch_{self._epoch:04d}_{name}.png"), picture)
            self._writer.image(name, picture, step)
        self._writer.flush()
        self._drawn = self._epoch


def displayable(images):
    """What a model decoded as uint8 images, large enough for people to see them."""
    images = ops.convert_to_numpy(images).astype("float32")
    # A Gaussian decoder may leave [0, 1] and a diverging one gives NaN; neither is a reason to
    # end a training for a picture.
    return enlarge(as_uint8(np.nan_to_num(images).clip(0, 1), "model.decode(z)"))
