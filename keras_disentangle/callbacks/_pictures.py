"""The base of the callbacks that draw: when they draw, and where the pictures go."""

import os

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import to_numpy
from keras_disentangle.callbacks._watching import WatchingCallback
from keras_disentangle.schedules import read
from keras_disentangle.visualization._pixels import as_uint8
from keras_disentangle.visualization.event_writer import EventWriter
from keras_disentangle.visualization.files import save_gif, save_png


class PictureCallback(WatchingCallback):
    """Draws pictures every `every` epochs and after the last, and animations when training ends.

    A subclass implements `_pictures()` and `_frames()`. TensorBoard gets the pictures of the files,
    enlarged and labelled like all others: repeated pixels cost next to nothing in a PNG.

    Args:
        log_dir: folder of the logs. The pictures go to `pictures` in it.
        every: number of epochs between two pictures, >= 1.

    Raises:
        ValueError: if `every` is too small or `log_dir` is a file.
    """

    def __init__(self, log_dir, every):
        super().__init__()
        self.every = check_int("every", every)
        self.log_dir = check_log_dir(log_dir)
        self._folder = os.path.join(self.log_dir, "pictures")
        self._writer = EventWriter(self._folder)
        self._epoch = self._drawn = None

    def _pictures(self):
        """A dict of names to uint8 arrays (H, W, c)."""
        raise NotImplementedError

    def _frames(self):
        """A dict of names to lists of such arrays, the frames of an animation."""
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        self._epoch = self._drawn = None
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._epoch = epoch + 1
        if self._epoch % self.every == 0:
            self._draw()

    def on_train_end(self, logs=None):
        if self._epoch is None:  # nothing was trained
            return
        if self._drawn != self._epoch:
            self._draw()
        moving = self._frames()
        if self._writes:
            with self._writing():
                for name, frames in moving.items():
                    save_gif(os.path.join(self._folder, f"{name}.gif"), frames)
                self._writer.close()
        self._epoch = None

    def get_backup_state(self):
        return {"epoch": self._epoch, "drawn": self._drawn}

    def set_backup_state(self, state):
        self._epoch, self._drawn = state["epoch"], state["drawn"]

    def _draw(self):
        step = read(getattr(self.model, "step", self._epoch))
        pictures = self._pictures()
        if self._writes:
            with self._writing():
                for name, picture in pictures.items():
                    file = f"epoch_{self._epoch:04d}_{name}.png"
                    save_png(os.path.join(self._folder, file), picture)
                    self._writer.image(f"pictures/{name}", picture, step)
                self._writer.flush()
        self._drawn = self._epoch


def check_log_dir(log_dir):
    """`log_dir` as text; raises a ValueError if it is a file, or not a path."""
    try:
        path = os.fspath(log_dir)
    except TypeError:
        path = None
    if not isinstance(path, str) or os.path.isfile(path):
        raise ValueError(f"`log_dir` must be a folder, not a file. Received: {log_dir!r}")
    return path


def displayable(images):
    """Decoded images as uint8."""
    images = to_numpy("model.decode(z)", images).astype("float32")
    if images.ndim == 2:
        raise ValueError(
            "`model` must decode images: there are no pictures of vectors. "
            f"Received: codes decoded to the shape {images.shape}"
        )
    # A Gaussian decoder may leave [0, 1] and a diverging one gives NaN; neither should end a
    # training run because of a picture.
    return as_uint8(np.nan_to_num(images).clip(0, 1), "model.decode(z)")
