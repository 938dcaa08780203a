"""Several training steps in one call on JAX: a scan over a stack of batches."""

import itertools

import jax
import keras
import numpy as np


def train_function(model):
    """The function (state, batches) to (logs, state) that `fit` calls for a group of batches.

    It draws `steps_per_execution` batches, or those that are left, and runs all of them in one
    compiled call, where Keras makes a call for each. A batch of another shape, as the last of an
    epoch may have, is a call of its own. So are all of a model with convolutions on a CPU, where
    XLA takes several times as long for a convolution within a loop as outside of one.

    Args:
        model: a compiled `SteppedModel`.
    """

    def steps(state, batches):
        state, logs = jax.lax.scan(lambda *x: model.train_step(*x)[::-1], state, batches)
        return jax.tree.map(lambda x: x[-1], logs), state

    options = {"donate_argnums": 0, "out_shardings": _shardings(model)}
    step_once, step_often = jax.jit(model.train_step, **options), jax.jit(steps, **options)

    waiting, scans = [], None

    def run(state, group):
        nonlocal scans
        if len(group) > 1 and scans is not False:
            batches = model.with_images(_stack(group))
            if scans is None:
                scans = not slow_in_a_loop(step_often, state, batches)
            if scans:
                return step_often(state, batches)
        for batch in group:
            logs, state = step_once(state, model.with_images(batch))
        return logs, state

    def train(state, batches):
        if model.steps_per_execution == 1:
            return step_once(state, model.with_images(next(batches)))
        drawn = list(itertools.islice(batches, model.steps_per_execution))
        if not drawn:
            raise StopIteration
        for _, group in itertools.groupby(drawn, _shapes):
            logs, state = run(state, list(group))
        # The last group may still be computed while the next is drawn, but no more are kept.
        jax.block_until_ready(waiting)
        waiting[:] = [logs]
        return logs, state

    return train


def slow_in_a_loop(steps, *arguments):
    """Whether a compiled call would loop over convolutions on a CPU."""
    if jax.default_backend() != "cpu":
        return False
    return "conv_general_dilated" in str(steps.trace(*arguments).jaxpr)


def _shardings(model):
    """Where the results of a step lie on several devices: where the variables do."""
    if keras.distribution.distribution() is None:
        return None
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    return None, tuple([variable.value.sharding for variable in group] for group in groups)


def _shapes(batch):
    leaves, structure = jax.tree.flatten(batch)
    return structure, [(leaf.shape, leaf.dtype) for leaf in leaves]


def _stack(batches):
    """One batch with a leading axis of all; arrays on the host go to the device in one transfer."""
    if all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(batches[0])):
        return jax.tree.map(lambda *parts: np.stack(parts), *batches)
    return _stack_on_device(batches)


@jax.jit
def _stack_on_device(batches):
    return jax.tree.map(lambda *parts: jax.numpy.stack(parts), *batches)
