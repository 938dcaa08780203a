"""The phased train step on JAX."""

import contextlib

import jax
import keras

from keras_disentangle._keras_graph import all_layers, own_losses


def train_step(model, state, batch):
    sizes = [len(group) for group in state]
    trainable, non_trainable, optimizer_values, metrics = state
    variables = [
        *model.trainable_variables,
        *model.non_trainable_variables,
        *model.metrics_variables,
    ]
    values = [*trainable, *non_trainable, *metrics]
    position = {id(variable): i for i, variable in enumerate(variables)}
    optimizer_values = list(optimizer_values)

    def run(function, values):
        with keras.StatelessScope(list(zip(variables, values, strict=True)), True) as scope:
            result = function()
        return result, [scope.get_current_value(variable) for variable in variables]

    def replaced(values, places, parts):
        values = list(values)
        for place, part in zip(places, parts, strict=True):
            values[place] = part
        return values

    def places_of(move):
        return [position[id(variable)] for variable in move.variables]

    batch, values = run(lambda: model.prepare(batch), values)
    sharing = model.sharing_move
    if sharing is None:
        shared, values = run(lambda: model.share_of(batch), values)
    else:
        places, before = places_of(sharing), values
        shared, pull, values = jax.vjp(
            lambda moved: run(lambda: model.share_of(batch), replaced(before, places, moved)),
            [before[place] for place in places],
            has_aux=True,
        )
    for move in model.moves:
        optimizer, places = model.optimizer[move.phase.slot], places_of(move)
        slot_values, first = model.optimizer.variables_of(move.phase.slot, optimizer_values)

        def scaled_loss(moved, shared, move, places, before, optimizer, slot_values):
            loss, after = run(
                lambda: model.loss_of(move.phase, batch, shared), replaced(before, places, moved)
            )
            with keras.StatelessScope(list(zip(optimizer.variables, slot_values, strict=True))):
                return optimizer.scale_loss(loss), after

        moved = [values[place] for place in places]
        arguments = (moved, shared, move, places, values, optimizer, slot_values)
        if move is sharing:
            (grads, towards), values = jax.grad(scaled_loss, (0, 1), has_aux=True)(*arguments)
            grads = jax.tree.map(jax.numpy.add, grads, pull(towards)[0])
        else:
            grads, values = jax.grad(scaled_loss, has_aux=True)(*arguments)
        moved, slot_values = optimizer.stateless_apply(slot_values, grads, moved)
        values = replaced(values, places, moved)
        optimizer_values[first : first + len(slot_values)] = slot_values
    logs, values = run(
        lambda: (model.finish(batch, shared[0]), model.get_metrics_result())[1], values
    )
    ends = sizes[0], sizes[0] + sizes[1]
    return logs, (values[: ends[0]], values[ends[0] : ends[1]], optimizer_values, values[ends[1] :])


def input_gradient(model, fn, x):
    variables = model.variables
    before = [variable.value for variable in variables]

    def total(x):
        with keras.StatelessScope(list(zip(variables, before, strict=True)), True) as scope:
            outputs = fn(x)
            added = [own_losses(layer) for layer in layers]
        after = [scope.get_current_value(variable) for variable in variables]
        return outputs[0].sum(), (outputs, after, added)

    layers = all_layers(model)
    gradient, (outputs, after, added) = jax.grad(total, has_aux=True)(x)
    for layer, losses in zip(layers, added, strict=True):
        if losses:
            layer.add_loss(losses)
    for variable, old, new in zip(variables, before, after, strict=True):
        if new is not old:
            variable.assign(new)
    return outputs, gradient


def replica():
    """(1, 0): the step is written for the whole batch, however it is spread over devices."""
    return 1, 0


def gather(tensors):
    """The tensors as they are, for they hold the whole batch, and the slice of all rows."""
    return tensors, slice(None)


def no_graph(arguments):
    """Results hold no graph on this backend."""
    return contextlib.nullcontext()


def check_processes():
    """Nothing to check: Keras distributes over processes on this backend."""


def build_optimizer(model):
    """Nothing to do: Keras builds it before the first step on this backend."""


def require(condition, message, value):
    """Nothing to check: sizes are known while the step is traced, and were checked before."""


@contextlib.contextmanager
def readable_errors():
    """Turns the error of a batch that cannot be divided among devices into one with advice."""
    try:
        yield
    except ValueError as error:
        if type(error).__name__ != "IndivisibleError":
            raise
        raise ValueError(
            "Every batch must be divided evenly among the devices, also the last of an epoch: "
            "leave out the images that are left over (`drop_remainder`), or choose another "
            f"`batch_size`. Received: {error}"
        ) from None
