"""One training in several processes, of which each has a part of each batch.

The command starts them by itself (`--processes`), or a launcher such as `torchrun` does.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import keras

from keras_disentangle._arguments import check_int
from keras_disentangle.trainers._backend import backend
from keras_disentangle.trainers._launch import PLACES, environment, launched

_ROOT = Path(__file__).parents[3]
FLAGS = {
    "--devices": {"help": "a number of devices, or all, in one process (JAX, TensorFlow); 1"},
    "--processes": {
        "type": int,
        "help": "processes to start on this machine, each with a part of each batch (PyTorch, JAX)",
    },
    "--on-device": {
        "action": "store_true",
        "help": "hold all images on the device: nothing but indices is sent to it for a step",
    },
}


def start(words, processes):
    """Runs the command in several processes on this machine, and waits; the first one prints.

    Args:
        words: the command's arguments.
        processes: how many, or `None` if this one is to train.

    Returns:
        Whether there were several.

    Raises:
        ValueError: if the backend has no processes that train together, or one of them failed.
    """
    if processes is None or check_int("processes", processes) == 1:
        return False
    name = keras.backend.backend()
    if name not in PLACES:
        raise ValueError(
            "`processes` must be left out on TensorFlow: use `devices`, or the JAX or PyTorch "
            f"backend (KERAS_BACKEND). Received: processes={processes}"
        )
    if launched(name) > 1:
        raise ValueError(
            "`processes` must be left out where a launcher has started the processes. "
            f"Received: processes={processes}"
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    running = []
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    for i in range(processes):
        own = {"KERAS_BACKEND": name, "PYTHONPATH": path}
        own.update(environment(name, i, processes, port))
        quiet = {} if i == 0 else {"stdout": subprocess.DEVNULL}
        command = [sys.executable, "-m", "keras_disentangle", *words]
        running.append(subprocess.Popen(command, env={**os.environ, **own}, **quiet))
    failed = None
    try:
        while running and failed is None:
            for i, process in enumerate(list(running)):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    if process.wait(0.1):
                        failed = i
                    running.remove(process)
    finally:
        for process in running:
            process.terminate()
    if failed is not None:
        raise ValueError(f"One of the {processes} processes failed; its error is above")
    return True


def several():
    """Whether this process is one of several that train together."""
    return backend.processes_of_run()[0] > 1


def is_first():
    """Whether this process writes files: of several that train together, the first does."""
    return backend.processes_of_run()[1] == 0


@contextlib.contextmanager
def saved_once(path):
    """`path` in the first process, elsewhere one that is removed: on JAX all must save together."""
    if is_first():
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / path.name


def part(x, options):
    """What `fit` is given as data, and its other arguments, in this process."""
    count, index = backend.processes_of_run()
    if count == 1:
        return x, options
    if hasattr(x, "part"):  # A stream, of which each process reads its own rows alone.
        return x.part((index, count)), options
    if isinstance(x, keras.utils.PyDataset):
        return PartOfBatches(x, index, count), options
    # A number of steps, of a model that draws its own batches.
    return x, {**options, "batch_size": _divided(options["batch_size"], count)}


class PartOfBatches(keras.utils.PyDataset):
    """The rows of each batch that belong to one of several processes.

    Attributes:
        whole: the batches, which every process draws alike.
        epoch: that of the batches.

    Args:
        whole: as above.
        index, count: which process of how many.
    """

    def __init__(self, whole, index, count):
        super().__init__()
        self.whole = whole
        self._index, self._count = index, count

    @property
    def epoch(self):
        return self.whole.epoch

    @epoch.setter
    def epoch(self, value):
        self.whole.epoch = value

    def __len__(self):
        return len(self.whole)

    def __getitem__(self, i):
        batch = self.whole[i]
        n = _divided(len(batch[0]), self._count)
        return tuple(x[self._index * n : (self._index + 1) * n] for x in batch)

    def on_epoch_begin(self):
        self.whole.on_epoch_begin()

    def on_epoch_end(self):
        self.whole.on_epoch_end()


def _divided(size, count):
    if size % count:
        raise ValueError(
            f"`batch_size` must be divided evenly among the {count} processes. "
            f"Received: batch_size={size}"
        )
    return size // count
