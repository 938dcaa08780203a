"""What Keras does by itself on a backend where one process trains: nothing is added to it."""

import contextlib


def no_graph(arguments):
    """Results hold no graph on this backend."""
    return contextlib.nullcontext()


def keras_train_step(model, step, *args):
    """Keras's own train step, `step`, for a model with one optimizer."""
    return step(*args)


def keras_test_step(model, step, *args):
    return step(*args)


def metrics_result(model, result):
    """Keras's own logs, `result()`."""
    return result()
