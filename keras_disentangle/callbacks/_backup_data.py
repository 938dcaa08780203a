"""Which data a resumed run can replay: their batches must come in the same order again."""

import contextlib
import inspect

import keras


def check_rereadable(x, shuffle):
    """Raises a ValueError unless `fit(x, shuffle=shuffle)` can be repeated batch by batch."""
    if inspect.isgenerator(x):
        raise ValueError(
            "`data` must be re-iterable, as a `keras.utils.PyDataset` is. Received: a generator"
        )
    if isinstance(x, keras.utils.PyDataset) and (x.workers > 1 or x.use_multiprocessing):
        # Keras hands batches that were prepared ahead to the next epoch.
        raise ValueError(
            "`data` must be prepared by one worker: several do not keep the order of the batches. "
            f"Received: workers={x.workers}, use_multiprocessing={x.use_multiprocessing}"
        )
    # The sampler of a torch DataLoader with shuffle=True.
    sampled = type(getattr(x, "sampler", None)).__name__ == "RandomSampler"
    if sampled or _is_shuffled(x) or (shuffle and _is_arrays(x)):
        raise ValueError(
            "`data` must have a reproducible order. Received: data that are shuffled by the "
            "backend's own random generator; use `keras_disentangle.datasets.image_batches`, or "
            "shuffle=False"
        )


def check_epochs(x, steps):
    """Raises a ValueError unless each epoch, of `steps` batches or `None`, begins with the data."""
    if x is None:
        raise ValueError(
            "`data` must be given explicitly for a plain `keras.Model`. Received: data=None"
        )
    if _is_arrays(x) or steps is None:
        return
    length = getattr(x, "num_batches", None)
    with contextlib.suppress(TypeError, NotImplementedError):
        length = len(x)
    if steps != length:
        raise ValueError(
            "`steps_per_epoch` must be left out, so that each epoch begins at the start of the "
            f"data. Received: epochs of {steps} batches, of data with {length}"
        )


def _is_arrays(x):
    return any(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x))


def _is_shuffled(x):
    """Whether a `tf.data.Dataset`, or one of those that it is made from, was shuffled."""
    inputs = getattr(x, "_inputs", None)
    inputs = inputs() if callable(inputs) else ()
    return "Shuffle" in type(x).__name__ or any(map(_is_shuffled, inputs))
