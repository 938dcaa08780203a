"""The phased train step on PyTorch."""

import contextlib

import keras
import torch
from keras import tree

from keras_disentangle._keras_graph import all_layers
from keras_disentangle.trainers import _torch_processes as processes
from keras_disentangle.trainers._pixels import as_floats
from keras_disentangle.trainers._torch_processes import evaluation, gather, replica, training

__all__ = ["evaluation", "gather", "replica", "training"]


def train_step(model, batch):
    with processes.training_step(model, batch), _written_in_passing(model):
        return _train_step(model, batch)


def _written_in_passing(model):
    """A context in which a network may be called several times before one backward pass.

    Keras's `SpectralNormalization` writes the kernel at each call in training. PyTorch then keeps
    copies of the tensors that it still needs; this costs time, so it is used only for that layer.
    """
    if any(isinstance(x, keras.layers.SpectralNormalization) for x in all_layers(model)):
        return torch.autograd.graph.allow_mutation_on_saved_tensors()
    return contextlib.nullcontext()


def _train_step(model, batch):
    batch = model.prepare(batch)
    shared = model.share_of(batch)
    constant = tree.map_structure(torch.Tensor.detach, shared)
    for move in model.moves:
        optimizer, sharing = model.optimizer[move.phase.slot], move is model.sharing_move
        loss = model.loss_of(move.phase, batch, shared if sharing else constant)
        values = [variable.value for variable in move.variables]
        grads = torch.autograd.grad(optimizer.scale_loss(loss), values, allow_unused=True)
        # Zeros, as on JAX, so that Adam's momentum moves unused variables in the same way.
        grads = [
            torch.zeros_like(value) if grad is None else grad
            for grad, value in zip(grads, values, strict=True)
        ]
        with torch.no_grad():
            optimizer.apply(processes.averaged(grads), move.variables)
    with torch.no_grad():
        model.finish(batch, constant[0])
    processes.share_state(model)
    return model.get_metrics_result()


def keras_train_step(model, step, data):
    """Keras's own train step, `step`, for a model with one optimizer."""
    with processes.training_step(model, data) as together:
        if not together:
            return step(data)
        with processes.averaging(model.optimizer):
            step(data)
        processes.share_state(model)
        return model.get_metrics_result()


def keras_test_step(model, step, data):
    with processes.validation_step(data) as together:
        logs = step(data)
        if not together:
            return logs
        processes.share_state(model)
        return model.get_metrics_result()


def input_gradient(model, fn, x):
    x = x.detach().requires_grad_()
    outputs = fn(x)
    (gradient,) = torch.autograd.grad(outputs[0].sum(), x, create_graph=True)
    return outputs, gradient


def no_graph(arguments):
    """A context in which results hold no graph, unless an argument requires a gradient."""
    wanted = any(isinstance(x, torch.Tensor) and x.requires_grad for x in arguments)
    return contextlib.nullcontext() if wanted else torch.no_grad()


def metrics_result(model, result):
    """Keras's own logs, `result()`; from 3.16 on these would wait for all processes."""
    if processes.size() == 1:
        return result()
    found = {metric.name: metric.result() for metric in model.metrics}
    parts = (x if isinstance(x, dict) else {name: x} for name, x in found.items())
    return {name: value for part in parts for name, value in part.items()}


def processes_of_run():
    """The number of processes that train together, and the index of this one."""
    return processes.size(), processes.index()


def callbacks():
    """The callbacks that every training needs on this backend."""
    return [processes.EpochEnds()] if processes.size() > 1 else []


def train_function(model, train):
    """Keras's own, `train`."""
    return train


def build_optimizer(model):
    """Nothing to do: Keras builds it before the first step on this backend."""


def require(condition, message, value):
    """Nothing to check: sizes are known in every step, and were checked before."""


def hold(model, images):
    """The images (n, h, w, c) on the device."""
    return torch.tensor(images, device=model.step.value.device)


def take_rows(images, index):
    return as_floats(images[index])


def free_memory(model):
    """The free bytes of the device; `None` for the machine's own."""
    device = model.step.value.device
    if device.type != "cuda":
        return None
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def readable_errors():
    return contextlib.nullcontext()
