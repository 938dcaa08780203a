"""The phased train step on JAX."""

import contextlib

import jax
import keras
from jax.experimental import multihost_utils

from keras_disentangle._keras_graph import all_layers, own_losses
from keras_disentangle.trainers import _jax_steps as steps
from keras_disentangle.trainers._as_keras import (  # noqa: F401
    keras_test_step,
    keras_train_step,
    metrics_result,
    no_graph,
)
from keras_disentangle.trainers._pixels import as_floats


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


def training(model, arguments):
    """A context of `fit`: it begins when all processes are there, so that one may prepare files.

    Raises:
        ValueError: if the devices of the model are not those of the present distribution.
    """
    distribution = keras.distribution.distribution()
    devices = 1 if distribution is None else distribution.device_mesh.devices.size
    if (own := len(model.step.value.sharding.device_set)) != devices:
        raise ValueError(
            "`keras.distribution.set_distribution` must be called before the model is made, which "
            f"it is to train. Received: a distribution over {devices} devices, a model on {own}"
        )
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("fit")
    return contextlib.nullcontext()


def evaluation(model, within_fit):
    """A context of `evaluate`; nothing to do."""
    return contextlib.nullcontext()


def processes_of_run():
    """The number of processes that train together, and the index of this one."""
    return jax.process_count(), jax.process_index()


def callbacks():
    """The callbacks that every training needs on this backend."""
    return []


def train_function(model, train):
    """Keras's own, `train`; where steps are compiled, one that makes several in one call."""
    return steps.train_function(model) if model.jit_compile and not model.run_eagerly else train


def build_optimizer(model):
    """Nothing to do: Keras builds it before the first step on this backend."""


def require(condition, message, value):
    """Nothing to check: sizes are known while the step is traced, and were checked before."""


def hold(model, images):
    """The images (n, h, w, c) on the device, or a copy of them on each of several."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return jax.device_put(images)
    layout = keras.distribution.TensorLayout((None,) * images.ndim, distribution.device_mesh)
    return keras.distribution.distribute_tensor(images, layout)


@jax.jit
def take_rows(images, index):
    return as_floats(images[index])


def free_memory(model):
    """The free bytes of the device, or of the fullest of several; `None` for the machine's own."""
    devices = model.step.value.sharding.addressable_devices
    stats = [device.memory_stats() or {} for device in devices]
    known = [x for x in stats if "bytes_limit" in x]
    return min((x["bytes_limit"] - x["bytes_in_use"] for x in known), default=None)


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
