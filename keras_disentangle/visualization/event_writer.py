"""A writer of TensorBoard events."""

import contextlib
import itertools
import os
import socket
import threading
import time

from keras_disentangle._arguments import check_int, check_path
from keras_disentangle.visualization._pixels import check_picture
from keras_disentangle.visualization.files import encode_png

_file_numbers = itertools.count()


class EventWriter:
    """Writes scalars and images that TensorBoard shows, without TensorFlow.

    The file is created at the first event, so that a writer without events leaves no file; after
    `close`, the next event starts another file. It may be used from several threads.

    Args:
        log_dir: folder of the events, on a local disk; created if missing. TensorBoard shows each
            folder as a run.

    Raises:
        ValueError: if `log_dir` is a file.
        ModuleNotFoundError: if TensorBoard is not installed.

    Example:

    >>> writer = EventWriter("logs/train")
    >>> writer.scalar("loss", 0.5, step=1)
    >>> writer.close()
    """

    def __init__(self, log_dir):
        # Imported here, so that TensorBoard is needed only for writing events, and its absence is
        # reported before training. RecordWriter, not EventFileWriter: where TensorFlow is
        # installed, the latter imports it to open a file, which takes seconds and lets it claim
        # the GPU beside another backend.
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.log_dir = check_path("log_dir", log_dir)
        if os.path.isfile(self.log_dir):
            raise ValueError(f"`log_dir` must be a folder, not a file. Received: {log_dir}")
        self._Event, self._Summary = event_pb2.Event, summary_pb2.Summary
        self._RecordWriter = RecordWriter
        self._file = None
        self._lock = threading.Lock()

    # A copy, such as that of a callback copied for another run, starts its own file.

    def __getstate__(self):
        return {"log_dir": self.log_dir}

    def __setstate__(self, state):
        self.__init__(state["log_dir"])

    def scalar(self, name, value, step):
        """Writes the number `value` under `name`."""
        self._write(step, self._Summary.Value(tag=name, simple_value=float(value)))

    def image(self, name, image, step):
        """Writes a uint8 array (h, w, c) under `name`; a ValueError for anything else."""
        height, width, channels = check_picture(image).shape
        picture = self._Summary.Image(
            height=height,
            width=width,
            colorspace=channels,
            encoded_image_string=encode_png(image),
        )
        self._write(step, self._Summary.Value(tag=name, image=picture))

    def flush(self):
        """Hands everything written so far to the file, where TensorBoard can read it."""
        with self._lock:
            if self._file is not None:
                with self._abandoned_on_error():
                    self._file.flush()

    def close(self):
        """Flushes and closes the file."""
        with self._lock:
            if self._file is not None:
                with self._abandoned_on_error():
                    self._file.close()
                self._file = None

    def _write(self, step, value):
        step = check_int("step", step, minimum=0, maximum=2**63 - 1)
        summary = self._Summary(value=[value])
        event = self._Event(wall_time=time.time(), step=step, summary=summary)
        with self._lock:
            if self._file is None:
                self._file = self._open()
            with self._abandoned_on_error():
                self._file.write(event.SerializeToString())

    @contextlib.contextmanager
    def _abandoned_on_error(self):
        """After an error the file may end in half an event: the next event starts another file."""
        try:
            yield
        except OSError:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            raise

    def _open(self):
        os.makedirs(self.log_dir, exist_ok=True)
        origin = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        name = f"events.out.tfevents.{origin}.{next(_file_numbers)}"
        file = self._RecordWriter(open(os.path.join(self.log_dir, name), "wb"))
        # Without this first event, readers take decreasing steps for a restart and drop data.
        first = self._Event(wall_time=time.time(), file_version="brain.Event:2")
        file.write(first.SerializeToString())
        return file
