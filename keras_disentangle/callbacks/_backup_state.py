"""The variables of a training run: how they are collected, identified, restored and checked."""

import itertools
import re

import keras
import numpy as np
from keras import ops


def state_variables(model):
    """The variables of a model and of its optimizer, each of them once."""
    optimizer = model.optimizer
    if optimizer is not None and not optimizer.built and model.trainable_variables:
        optimizer.build(model.trainable_variables)
    found = [*model.variables, *getattr(optimizer, "variables", ())]
    return list({id(variable): variable for variable in found}.values())


def jax_train_state(model):
    """The state that the train function passes from step to step on JAX."""
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    return tuple([variable.value for variable in group] for group in groups)


def counter(model):
    """The variable that counts the training steps."""
    return model.step if hasattr(model, "step") else model.optimizer.iterations


def as_array(value):
    """A variable or a tensor as a NumPy array, also where replicas mirror it."""
    return ops.convert_to_numpy(ops.convert_to_tensor(value))


def as_tuple(value):
    """Lists in lists, as JSON gives them, to tuples in tuples."""
    return tuple(map(as_tuple, value)) if isinstance(value, list) else value


def signatures(variables):
    """Path, shape and dtype of each."""
    return [
        f"{variable.path} {tuple(variable.shape)} {keras.backend.standardize_dtype(variable.dtype)}"
        for variable in variables
    ]


def restore(model, state, arrays, file, metrics):
    """Assigns the arrays of the backup `file`, those of the metrics only with `metrics=True`.

    Raises:
        ValueError: if a variable does not match the backup; none is assigned then.
    """
    variables, expected = state_variables(model), state["variables"]
    if metrics:
        variables += model.metrics_variables
        expected = expected + state["metrics"]
    _check_same(signatures(variables), expected, file)
    for variable, array in zip(variables, arrays, strict=False):
        variable.assign(array.copy())
    # The compiled step may depend on a variable: a growing GAN's stage.
    getattr(model, "restored", lambda: None)()


def _check_same(received, expected, file):
    """Raises a ValueError that names the first variable that does not match the backup `file`."""
    for i, (a, b) in enumerate(itertools.zip_longest(expected, received)):
        if _kind(a) != _kind(b):
            raise ValueError(
                f"The model, its optimizer and its metrics must be those of the backup {file}, "
                f"whose variable {i} is {a}. Received: {b} (a model that is not built has none)"
            )


def _kind(signature):
    """The part of a signature that is the same in two runs of one script: Keras continues the
    numbers of layers from model to model, and an optimizer's scope depends on when it is built.
    """
    return signature and re.sub(r"_\d+(?=[_ ])", "", signature.rpartition("/")[-1])


def check_model(model, logs, variables, arrays, good):
    """Raises a ValueError unless the whole state is finite; `good` names the last good backup."""
    try:
        if hasattr(model, "check_finite"):
            model.check_finite()
        else:
            _check_finite(logs.items(), "logs")
        paths = (variable.path for variable in variables)
        _check_finite(zip(paths, arrays, strict=False), "state")
    except ValueError as error:
        reason = str(error).rstrip(".")
        raise ValueError(f"{reason}. This state was not saved; {good}") from error


def _check_finite(values, what):
    """Raises a ValueError unless all of the pairs (name, number or array) are finite."""
    bad = [name for name, value in values if not _is_finite(value)]
    if bad:
        raise ValueError(f"The {what} must be finite. Received: non-finite {', '.join(bad)}")


def _is_finite(value):
    try:
        return np.isfinite(value).all()
    except TypeError:  # A callback may log values that are not numbers.
        return True
