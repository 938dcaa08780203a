"""Which data a run can find its place in again: its batches come in the same order once more."""

import contextlib
import inspect

import keras


def check_rereadable(x, shuffle):
    """Raises a ValueError unless `fit(x, shuffle=shuffle)` can be had again, batch by batch."""
    if inspect.isgenerator(x):
        raise ValueError(
            "`data` must be such that it can be read again from its start. Received: a generator; "
            "a `keras.utils.PyDataset` can be"
        )
    if isinstance(x, keras.utils.PyDataset) and (x.workers > 1 or x.use_multiprocessing):
        # Keras gives batches that were prepared too early to the next epoch.
        raise ValueError(
            "`data` must be prepared by one worker, for several do not keep the batches' order. "
            f"Received: workers={x.workers}, use_multiprocessing={x.use_multiprocessing}"
        )
    # Of a torch DataLoader with shuffle=True.
    sampled = type(getattr(x, "sampler", None)).__name__ == "RandomSampler"
    if sampled or _is_shuffled(x) or (shuffle and _is_arrays(x)):
        raise ValueError(
            "`data` must come in an order that can be had again. Received: data that the backend's "
            "own generator shuffles; use `keras_disentangle.datasets.image_batches`, or "
            "shuffle=False"
        )


def check_epochs(x, steps):
    """Raises a ValueError unless each epoch, of `steps` batches or `None`, begins with the data."""
    if x is None:
        raise ValueError(
            "`data` must be given where the model's `fit` does not tell it. Received: data=None"
        )
    if _is_arrays(x) or steps is None:
        return
    length = getattr(x, "num_batches", None)
    with contextlib.suppress(TypeError, NotImplementedError):
        length = len(x)
    if steps != length:
        raise ValueError(
            "`steps_per_epoch` must be left out, so that each epoch begins where the data does. "
            f"Received: epochs of {steps} batches, of data with {length}"
        )


def _is_arrays(x):
    return any(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x))


def _is_shuffled(x):
    """Whether a `tf.data.Dataset`, or one that it is made from, was shuffled."""
    inputs = getattr(x, "_inputs", None)
    inputs = inputs() if callable(inputs) else ()
    return "Shuffle" in type(x).__name__ or any(map(_is_shuffled, inputs))
