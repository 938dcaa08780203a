"""Where a training runs: on several devices, or in a process that a launcher has started.

A process learns its place from environment variables: those of `torchrun` on PyTorch, those of
Keras on JAX.
"""

import contextlib
import os

import keras

PLACES = {"torch": "WORLD_SIZE", "jax": "KERAS_DISTRIBUTION_NUM_PROCESSES"}


def environment(name, index, count, port):
    """The variables that tell a process its place among those on this machine."""
    if name == "torch":
        place = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": count, "MASTER_PORT": port}
        return {"MASTER_ADDR": "127.0.0.1", **{key: str(value) for key, value in place.items()}}
    return {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(count),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
    }


def launched(name):
    """The number of processes that a launcher says there are, on a backend."""
    number = os.environ.get(PLACES.get(name, ""), "1")
    return int(number) if number.isdigit() else 1


@contextlib.contextmanager
def on_devices(devices):
    """A context in which models are made and trained on all devices of a run.

    Args:
        devices: "all", a number as text, or `None` for one (or for the devices of all processes).

    Raises:
        ValueError: if there are fewer devices, or the backend cannot use several in one process.
    """
    name = keras.backend.backend()
    processes = launched(name)
    if processes > 1:
        if devices is not None:
            raise ValueError(
                "`devices` must be left out with several processes: each has its own. "
                f"Received: devices={devices}"
            )
        with _in_processes(name):
            yield
        return
    if devices in (None, "1"):
        yield
        return
    if name == "torch":
        raise ValueError(
            "`devices` must be left out on PyTorch, where each device needs a process: use "
            f"`processes`. Received: devices={devices}"
        )
    with _replicated(name, devices):
        yield


@contextlib.contextmanager
def _in_processes(name):
    if name == "torch":
        import torch

        is_cuda = torch.cuda.is_available()
        if is_cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        torch.distributed.init_process_group("nccl" if is_cuda else "gloo")
        try:
            yield
        finally:
            torch.distributed.destroy_process_group()
        return
    keras.distribution.initialize()
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    yield


@contextlib.contextmanager
def _replicated(name, devices):
    if name == "tensorflow":
        import tensorflow as tf

        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        found = [device.name for device in tf.config.list_logical_devices(kind)]
        with tf.distribute.MirroredStrategy(_chosen(found, devices)).scope():
            yield
        return
    found = _chosen(keras.distribution.list_devices(), devices)
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=found))
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def _chosen(found, devices):
    if devices == "all":
        return found
    number = int(devices) if str(devices).isdigit() else 0
    if not 0 < number <= len(found):
        raise ValueError(
            f'`devices` must be "all" or a number up to {len(found)}, of {found}. '
            f"Received: devices={devices}"
        )
    return found[:number]
